/** Softmax and its logarithm along one axis: one `reduce` each, largest first so that nothing overflows. */
import { acc, apply, cast, div, sub } from '../expr';
import { axisOf, defineOp, type Input, type OpExpr, read } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { floating } from './elementwise';
import { accumulate } from './rows';

/** Stage 1 the largest of the row, stage 2 Σ exp(x − largest); `out` of x, written back over the row. */
const overRow = (name: string, out: (x: OpExpr, largest: OpExpr, total: OpExpr) => OpExpr) =>
  defineOp({
    name,
    args: (x: TensorLike, dim: number) => {
      const t = toTensor(x, name);
      return [[t], { axis: axisOf(name, dim, t.shape) }];
    },
    shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: floating((x as Tensor).dtype) }),
    lower: ([x], { axis }) => {
      const { shape: own } = x as Input;
      const shape = own.length === 0 ? [1] : own;
      const element = cast(read(x as Input, shape) as OpExpr, 'float32');
      return {
        kind: 'reduce',
        shape,
        axes: [axis],
        stages: [[accumulate('max', element)], [accumulate('sum', apply('exp', [sub(element, acc(0) as OpExpr)]))]],
        outs: [{ per: 'element', expr: out(element, acc(0), acc(1)) }],
      };
    },
  });

/** y = eˣ / Σ eˣ along dim; rows add up to 1. F.softmax */
export const softmax = /* @__PURE__ */ overRow('softmax', (x, largest, total) =>
  div(apply('exp', [sub(x, largest)]), total),
);
/** y = x − ln Σ eˣ along dim. F.log_softmax. Defined for accuracy: the logarithm of a softmax is −∞ below −103. */
export const logSoftmax = /* @__PURE__ */ overRow('logSoftmax', (x, largest, total) =>
  sub(sub(x, largest), apply('log', [total])),
);
