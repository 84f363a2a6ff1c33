/**
 * Comparisons, logic, bits, and choosing by a condition. Comparisons with NaN are false (`ne`: true); logic takes anything
 * but 0 as true, NaN too.
 */
import { DTypeError } from '../errors';
import { apply, cast, constant, select } from '../expr';
import type { DType, ExprOp } from '../ir';
import { defineOp, type OpExpr, read } from '../op';
import type { Tensor, TensorLike } from '../tensor';
import { abs, add, mul, sub } from './arithmetic';
import { binary, boolean, fn, narrow, not, unary } from './elementwise';
import { isFinite as finite, isNan, cast as retype } from './math';
import { all } from './reduction';
import { broadcastShapes, commonType, isFloat, typed } from './types';

const noGradient = { notDifferentiable: 'boolean result' };
const comparison = (name: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge') =>
  binary(name, (a, b) => apply(name, [ordered(a), ordered(b)]), boolean, noGradient);
const ordered = (x: OpExpr) => (x.dtype === 'bool' ? cast(x, 'int32') : x);

/** a = b. torch.eq */
export const eq = /* @__PURE__ */ comparison('eq');
/** a ≠ b; true for NaN. torch.ne */
export const ne = /* @__PURE__ */ comparison('ne');
/** a < b. torch.lt */
export const lt = /* @__PURE__ */ comparison('lt');
/** a ≤ b. torch.le */
export const le = /* @__PURE__ */ comparison('le');
/** a > b. torch.gt */
export const gt = /* @__PURE__ */ comparison('gt');
/** a ≥ b. torch.ge */
export const ge = /* @__PURE__ */ comparison('ge');

const truth = (x: OpExpr) => cast(x, 'bool');
const logical = (name: string, bits: ExprOp) =>
  binary(name, (a, b) => apply(bits, [truth(a), truth(b)]), boolean, noGradient);
/** torch.logical_and */
export const logicalAnd = /* @__PURE__ */ logical('logicalAnd', 'and');
/** torch.logical_or */
export const logicalOr = /* @__PURE__ */ logical('logicalOr', 'or');
/** torch.logical_xor */
export const logicalXor = /* @__PURE__ */ logical('logicalXor', 'xor');
/** torch.logical_not */
export const logicalNot = /* @__PURE__ */ unary('logicalNot', (x) => not(truth(x)), boolean, noGradient);

const whole = { notDifferentiable: 'integer result' };
const integral = (op: string) => (dtype: DType) => {
  if (dtype !== 'float32' && dtype !== 'float16') return dtype;
  throw new DTypeError(
    `${op}: the inputs are ${dtype}, wants int32, uint8 or bool; convert them with cast(x, 'int32')`,
  );
};
const bitwise = (name: string, bits: ExprOp) => binary(name, fn(bits), integral(name), whole);
/** torch.bitwise_and. @throws DTypeError for floating inputs, as all of these. */
export const bitwiseAnd = /* @__PURE__ */ bitwise('bitwiseAnd', 'and');
/** torch.bitwise_or */
export const bitwiseOr = /* @__PURE__ */ bitwise('bitwiseOr', 'or');
/** torch.bitwise_xor */
export const bitwiseXor = /* @__PURE__ */ bitwise('bitwiseXor', 'xor');
/** torch.bitwise_not */
export const bitwiseNot = /* @__PURE__ */ unary(
  'bitwiseNot',
  (x) => (x.dtype === 'bool' ? not(x) : apply('xor', [x, constant(-1, 'int32')])),
  /* @__PURE__ */ integral('bitwiseNot'),
  whole,
);
/** a · 2ᵇ of integers, for 0 ≤ b < 32. torch.bitwise_left_shift */
export const bitwiseLeftShift = /* @__PURE__ */ bitwise('bitwiseLeftShift', 'shl');
/** ⌊a / 2ᵇ⌋ of integers, for 0 ≤ b < 32. torch.bitwise_right_shift */
export const bitwiseRightShift = /* @__PURE__ */ bitwise('bitwiseRightShift', 'shr');

/** y = condition ? a : b, all three broadcast together, a and b promoted. torch.where */
export const where = /* @__PURE__ */ defineOp({
  name: 'where',
  args: (condition: TensorLike, a: TensorLike, b: TensorLike) => [[condition, ...typed('where', [a, b])], {}],
  shape: (inputs) => ({
    shape: broadcastShapes(
      'where',
      inputs.map((input) => input.shape),
    ),
    dtype: commonType(inputs.slice(1)),
  }),
  lower: (inputs, _, [out]) => {
    const { shape, dtype } = out as { shape: readonly number[]; dtype: DType };
    const [condition, a, b] = inputs.map((input) => read(input, shape)) as [OpExpr, OpExpr, OpExpr];
    const compute = dtype === 'bool' ? 'bool' : a.dtype === 'float32' || b.dtype === 'float32' ? 'float32' : 'int32';
    return { kind: 'map', outs: [narrow(select(truth(condition), cast(a, compute), cast(b, compute)), dtype)] };
  },
});

/** y = mask ? value : x. torch.Tensor.masked_fill. Composed. */
export const maskedFill = (x: TensorLike, mask: TensorLike, value: TensorLike): Tensor => where(mask, value, x);

export interface CloseOptions {
  /** Part of |b| that may differ (1e-5). */
  readonly rtol?: number;
  /** What may differ beside that (1e-8). */
  readonly atol?: number;
  /** Is NaN close to NaN? (no) */
  readonly equalNan?: boolean;
}
/** |a − b| ≤ atol + rtol·|b|, or equal (infinities too), element by element. torch.isclose. Composed. */
export function isclose(
  a: TensorLike,
  b: TensorLike,
  { rtol = 1e-5, atol = 1e-8, equalNan = false }: CloseOptions = {},
): Tensor {
  const [x, y] = typed('isclose', [a, b]).map((t) => (isFloat(t.dtype) ? t : retype(t, 'float32'))) as [Tensor, Tensor];
  const gap = abs(sub(x, y));
  const close = logicalOr(eq(x, y), logicalAnd(finite(gap), le(gap, add(atol, mul(rtol, abs(y))))));
  return equalNan ? logicalOr(close, logicalAnd(isNan(x), isNan(y))) : close;
}

/** Are all elements close? Reads the values, so it is async. torch.allclose */
export const allclose = async (a: TensorLike, b: TensorLike, options?: CloseOptions): Promise<boolean> =>
  (await all(isclose(a, b, options)).item()) !== 0;

/** Same shape and values? Reads the values, so it is async. torch.equal */
export async function equal(a: Tensor, b: Tensor): Promise<boolean> {
  const same = a.rank === b.rank && a.shape.every((size, axis) => size === b.shape[axis]);
  return same && (await all(eq(a, b)).item()) !== 0;
}
