/** RMSprop. */
import { add, addcmul, div, guard, lerp, mul, neg, sqrt, square, sub, type Tensor } from '@tessera/tensor';
import { MomentumOptimizer } from './momentum';
import { checkSettings, type GroupSettings, type Parameters, type Rule } from './optimizer';

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
  /** As TensorFlow's, which Inception was trained with: v starts at 1, eps is inside the root, lr inside the momentum. */
  readonly tensorflow?: boolean;
}

/**
 * g ← g + λ·p;  v ← α·v + (1 − α)·g²;  with centered a ← α·a + (1 − α)·g and v − a² for v;  d = g/(√v + eps);
 * p ← p − lr·d, or with momentum b ← μ·b + d, p ← p − lr·b.  With tensorflow v₀ = 1, d = g/√(v + eps), b ← μ·b + lr·d, p ← p − b.
 * torch.optim.RMSprop (Hinton 2012; centered: Graves 2013) @throws ArgumentError for settings out of range.
 */
export class RMSprop extends MomentumOptimizer {
  eps: number;
  weightDecay: number;
  readonly alpha: number;
  readonly centered: boolean;
  readonly tensorflow: boolean;

  constructor(parameters: Parameters, options: RMSpropOptions = {}) {
    const {
      lr = 0.01,
      alpha = 0.99,
      eps = 1e-8,
      weightDecay = 0,
      momentum = 0,
      centered = false,
      tensorflow = false,
    } = options;
    super(parameters, lr, momentum);
    checkSettings('RMSprop', { alpha, eps, weightDecay }, 0, Infinity);
    this.alpha = alpha;
    this.eps = eps;
    this.weightDecay = weightDecay;
    this.centered = centered;
    this.tensorflow = tensorflow;
  }

  protected override slots(): readonly string[] {
    return ['square_avg', ...(this.centered ? ['grad_avg'] : []), ...super.slots()];
  }

  protected override initial(slot: string): number {
    return this.tensorflow && slot === 'square_avg' ? 1 : 0;
  }

  protected rule(_step: Tensor, { lr, weightDecay: decay }: GroupSettings): Rule {
    const momentum = this.readMomentum();
    const eps = guard(() => this.eps);
    const { alpha, centered, tensorflow } = this;
    const down = neg(lr);
    return (p, gradient, [average, ...rest]) => {
      const g = decay === 0 ? gradient : addcmul(gradient, p, decay);
      const squares = addcmul(mul(average as Tensor, alpha), square(g), 1 - alpha);
      const mean = centered ? lerp(rest[0] as Tensor, g, 1 - alpha) : null;
      const buffer = rest[centered ? 1 : 0];
      const spread = mean ? addcmul(squares, mean, neg(mean)) : squares;
      const root = tensorflow ? sqrt(add(spread, eps)) : add(sqrt(spread), eps);
      const along = tensorflow ? mul(div(g, root), lr) : div(g, root);
      const next = buffer && addcmul(along, buffer, momentum);
      const change = next ?? along;
      const following = tensorflow ? sub(p, change) : addcmul(p, change, down);
      return [following, squares, ...(mean ? [mean] : []), ...(next ? [next] : [])];
    };
  }
}
