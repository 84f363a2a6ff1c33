/** RMSprop. */
import { add, addcmul, div, guard, lerp, mul, neg, sqrt, square, sub, type Tensor } from '@tessera/tensor';
import type { Parameter } from './module';
import { checkSettings, Optimizer, type Rule } from './optimizer';
import { Setting } from './setting';

export interface RMSpropOptions {
  /** Default 0.01. */
  readonly lr?: number;
  /** α: how slowly the average of g² forgets. Default 0.99. */
  readonly alpha?: number;
  /** Added to the root. Default 1e-8. */
  readonly eps?: number;
  /** λ: λ·p is added to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** μ. Default 0. */
  readonly momentum?: number;
  /** Divide by the deviation: the average of g is taken off. Default false. */
  readonly centered?: boolean;
}

/**
 * g ← g + λ·p;  v ← α·v + (1 − α)·g²;  with centered a ← α·a + (1 − α)·g and v − a² for v;  d = g/(√v + eps);
 * p ← p − lr·d, or with momentum b ← μ·b + d, p ← p − lr·b.
 * torch.optim.RMSprop (Hinton 2012; centered: Graves 2013) @throws ArgumentError for settings out of range.
 */
export class RMSprop extends Optimizer {
  eps: number;
  weightDecay: number;
  readonly alpha: number;
  readonly centered: boolean;
  readonly #momentum: Setting;

  constructor(parameters: readonly Parameter[], options: RMSpropOptions = {}) {
    const { lr = 0.01, alpha = 0.99, eps = 1e-8, weightDecay = 0, momentum = 0, centered = false } = options;
    super(parameters, lr);
    checkSettings('RMSprop', { alpha, eps, weightDecay, momentum }, 0, Infinity);
    this.alpha = alpha;
    this.eps = eps;
    this.weightDecay = weightDecay;
    this.centered = centered;
    this.#momentum = new Setting('momentum', momentum);
  }

  /** Momentum; it may change between steps, compiled or not. */
  get momentum(): number {
    return this.#momentum.value;
  }
  set momentum(value: number) {
    this.#momentum.value = value;
  }

  protected slots(): readonly string[] {
    const withMomentum = guard(() => this.momentum !== 0);
    return ['square_avg', ...(this.centered ? ['grad_avg'] : []), ...(withMomentum ? ['momentum_buffer'] : [])];
  }

  protected rule(): Rule {
    const lr = this.rate;
    const momentum = this.#momentum.state.read();
    const decay = guard(() => this.weightDecay);
    const eps = guard(() => this.eps);
    const { alpha, centered } = this;
    return (p, gradient, [average, ...rest]) => {
      const g = decay === 0 ? gradient : add(gradient, mul(p, decay));
      const squares = add(mul(average as Tensor, alpha), mul(square(g), 1 - alpha));
      const mean = centered ? lerp(rest[0] as Tensor, g, 1 - alpha) : null;
      const buffer = rest[centered ? 1 : 0];
      const root = add(sqrt(mean ? addcmul(squares, mean, neg(mean)) : squares), eps);
      const along = div(g, root);
      const next = buffer && add(mul(buffer, momentum), along);
      return [sub(p, mul(next ?? along, lr)), squares, ...(mean ? [mean] : []), ...(next ? [next] : [])];
    };
  }
}
