/** Gradients of pooling. */
import {
  adaptiveAverage,
  adaptiveMax,
  averagePool,
  flatten,
  gather,
  maxPool,
  maxPoolGrad,
  reshape,
  scatterAdd,
  type Tensor,
  zeros,
} from '@tessera/tensor';
import { defineGradient } from './rules';

export function pool(): void {
  /** g to the place of each maximum, summed where windows share it. */
  defineGradient(maxPool, ([g], _, [, places], windows) => [g ? maxPoolGrad(g, places as Tensor, windows) : null]);
  /** What each window's place receives, read back from there. */
  defineGradient(maxPoolGrad, (h, [, places]) => [
    reshape(gather(flatten(h, 1), 1, flatten(places as Tensor, 1)), (places as Tensor).shape),
    null,
  ]);
  /** The transpose of a mean over windows, and its transpose again. */
  defineGradient(averagePool, (g, _, __, { direction, ...rest }) => [
    averagePool(g, { ...rest, direction: direction === 'forward' ? 'backward' : 'forward' }),
  ]);
  /** The reverse pooling, with the division at the other end. */
  defineGradient(adaptiveAverage, (g, [x], _, { divide }) => [
    adaptiveAverage(g, (x as Tensor).shape.slice(1), divide === 'bin' ? 'element' : 'bin'),
  ]);
  /** g to the place of each maximum; bins overlap, so places may repeat within a plane. */
  defineGradient(adaptiveMax, ([g], inputs, [, places]) => {
    const [x] = inputs as [Tensor];
    if (!g) return [null];
    const plane = flatten(x, 1).shape;
    const dx = scatterAdd(zeros(plane, { dtype: g.dtype }), 1, flatten(places as Tensor, 1), flatten(g, 1));
    return [reshape(dx, x.shape)];
  });
}
