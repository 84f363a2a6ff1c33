/** Dropout beside SELU. */
import { add, bernoulli, guard, mul, type Tensor, where, zerosLike } from '@tessera/tensor';
import { Dropping } from './dropout';
import type { Keeps, shapes } from './types';

/** What SELU tends to for x → −∞: −scale·α. */
const saturated = -1.7580993408473766;

/**
 * Training: each element is SELU's lowest value with probability p, then all are scaled and shifted so that mean 0 and variance 1
 * stay as they were. Evaluating: x. torch.nn.AlphaDropout (Klambauer 2017) @throws ArgumentError for p outside of [0, 1].
 */
export class AlphaDropout extends Dropping {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    const p = guard(() => this.p);
    if (!this.training || p === 0) return x;
    if (p === 1) return zerosLike(x);
    const scale = 1 / Math.sqrt((1 - p) * (1 + p * saturated ** 2));
    const kept = bernoulli(1 - p, x.shape);
    return add(mul(where(kept, x, saturated), scale), -scale * p * saturated);
  }
}
