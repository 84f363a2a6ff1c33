/** Mixed precision: layers that multiply take float16 operands, sum in float32 and give float32; all else stays float32. */
import { defineOp, State, type Tensor } from '@tessera/tensor';

/** What products read of a weight, while a function compiled with `precision: 'mixed'` runs. */
type WeightOperand = (weight: State) => Tensor;
let mixed: WeightOperand | null = null;

/** Runs f with the layers in mixed precision. */
export function inMixed<Result>(f: () => Result, weight?: WeightOperand): Result {
  const outer = mixed;
  mixed = weight ?? outer ?? ((state) => half(state.read()));
  try {
    return f();
  } finally {
    mixed = outer;
  }
}

/** An operand of a product: as it is, or rounded to float16. Parameters stay what they are, in float32. */
export const operand = (x: Tensor | State): Tensor => {
  const wide = mixed && x.dtype === 'float32';
  if (x instanceof State) return wide ? (mixed as WeightOperand)(x) : x.read();
  return wide ? half(x) : x;
};
/** What a product of operands made, for what follows it: a norm, an activation, a loss want float32. */
export const produced = (y: Tensor): Tensor => (mixed && y.dtype === 'float16' ? single(y) : y);

/** x rounded to float16: products read it as it lies, so who makes x stores it, too. */
export const half = /* @__PURE__ */ conversion('half', 'float16');
export const single = /* @__PURE__ */ conversion('single', 'float32');

/** An op between the two; the gradient of one is the other, so that cotangents are float16 operands, too. */
function conversion(name: string, dtype: 'float16' | 'float32') {
  const op = defineOp({
    name,
    args: (x: Tensor) => [[x], {}],
    shape: ([x]) => ({ shape: (x as Tensor).shape, dtype }),
    lower: () => ({
      kind: 'map',
      outs: [{ op: 'read', dtype: 'float32', input: 0, moves: [], at: null }],
    }),
  });
  op.gradient = ([g]) => [g ? (dtype === 'float16' ? single(g) : half(g)) : null];
  return op;
}
