/** Gradients of reading and writing at computed places: what a gather reads, its gradient scatters back, and the reverse. */
import {
  cast,
  div,
  eq,
  gather,
  mul,
  putRows,
  scatter,
  scatterAdd,
  scatterInto,
  scatterReduce,
  type Tensor,
  takeRows,
  where,
  zeros,
} from '@tessera/tensor';
import { defineGradient } from './rules';

export function indexing(): void {
  /** Each element of x sums the cotangents of all that read it. */
  defineGradient(gather, (g, inputs, _, { axis }) => {
    const [x, index] = inputs as [Tensor, Tensor];
    return [scatterAdd(zeros(x.shape, { dtype: g.dtype }), axis, index, g), null];
  });
  defineGradient(takeRows, (g, inputs, _, { axis }) => {
    const [x, index] = inputs as [Tensor, Tensor];
    return [putRows(zeros(x.shape, { dtype: g.dtype }), axis, index, g, 'add'), null];
  });
  /** x keeps g where nothing overwrote it; each row receives g from where it was put. */
  defineGradient(putRows, (g, inputs, _, { axis, combine }) => {
    const [, index, src] = inputs as [Tensor, Tensor, Tensor];
    const dx = combine === 'add' ? g : putRows(g, axis, index, zeros(src.shape, { dtype: g.dtype }), 'assign');
    return [dx, null, takeRows(g, axis, index)];
  });
  defineGradient(scatterInto, (g, inputs, y, { axis, combine }) => {
    const [x, index, src] = inputs as [Tensor, Tensor, Tensor];
    switch (combine) {
      case 'assign':
        return [scatter(g, axis, index, 0), null, gather(g, axis, index)];
      case 'add':
        return [g, null, gather(g, axis, index)];
      case 'mul':
        return product(g, [x, index, src], axis);
      case 'max':
      case 'min':
        return extreme(g, [x, index, src], y, axis);
      default:
        return combine satisfies never;
    }
  });
}

/**
 * Of a product: g times all the other factors. Zeros are counted rather than divided by: without one the others are
 * product/factor, a lone zero's others are the product of the rest, and beside a zero everyone's others are 0.
 */
function product(g: Tensor, [x, index, src]: readonly [Tensor, Tensor, Tensor], axis: number): (Tensor | null)[] {
  const one = (t: Tensor) => where(eq(t, 0), 1, t);
  const isZero = (t: Tensor) => cast(eq(t, 0), 'int32');
  const rest = scatterReduce(one(x), axis, index, one(src), 'prod');
  const noughts = scatterAdd(isZero(x), axis, index, isZero(src));
  const others = (factor: Tensor, all: Tensor, count: Tensor) =>
    where(eq(count, isZero(factor)), div(all, one(factor)), 0);
  return [
    mul(g, others(x, rest, noughts)),
    null,
    mul(gather(g, axis, index), others(src, gather(rest, axis, index), gather(noughts, axis, index))),
  ];
}

/** Of a largest or smallest: g in equal shares to all that equal it, as in PyTorch. */
function extreme(
  g: Tensor,
  [x, index, src]: readonly [Tensor, Tensor, Tensor],
  y: Tensor,
  axis: number,
): (Tensor | null)[] {
  const own = cast(eq(x, y), g.dtype);
  const theirs = cast(eq(src, gather(y, axis, index)), g.dtype);
  const share = div(g, scatterAdd(own, axis, index, theirs));
  return [mul(own, share), null, mul(theirs, gather(share, axis, index))];
}
