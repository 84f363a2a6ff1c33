/** Gradients of pooling. */
import { averagePool, flatten, gather, maxPool, maxPoolGrad, reshape, type Tensor } from '@tessera/tensor';
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
}
