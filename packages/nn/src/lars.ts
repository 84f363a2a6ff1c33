/** LARS. */
import { add, addcmul, div, gt, logicalAnd, mul, neg, sqrt, square, sum, type Tensor, where } from '@tessera/tensor';
import { MomentumOptimizer } from './momentum';
import { checkSettings, type GroupSettings, type Parameters, type Rule } from './optimizer';

export interface LARSOptions {
  /** Default 1e-3. */
  readonly lr?: number;
  /** μ. Default 0. */
  readonly momentum?: number;
  /** λ: λ·p is added to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** η, the trust in a layer's length. Default 1e-3. */
  readonly trustCoefficient?: number;
  /** Added to the divisor of the trust. Default 1e-8. */
  readonly eps?: number;
}

/**
 * r = η·‖p‖ / (‖g‖ + λ·‖p‖ + eps), 1 where ‖p‖ or ‖g‖ is 0 or p has fewer than two axes (biases, norms);
 * d = r·(g + λ·p);  b ← μ·b + d;  p ← p − lr·b. Each weight's step is in proportion to its length.
 * You et al. 2017, "Large batch training of convolutional networks"; timm.optim.Lars @throws ArgumentError for settings out of range.
 */
export class LARS extends MomentumOptimizer {
  weightDecay: number;
  readonly trustCoefficient: number;
  readonly eps: number;

  constructor(parameters: Parameters, options: LARSOptions = {}) {
    const { lr = 1e-3, momentum = 0, weightDecay = 0, trustCoefficient = 1e-3, eps = 1e-8 } = options;
    super(parameters, lr, momentum);
    checkSettings('LARS', { weightDecay, trustCoefficient, eps }, 0, Infinity);
    this.weightDecay = weightDecay;
    this.trustCoefficient = trustCoefficient;
    this.eps = eps;
  }

  protected rule(_step: Tensor, { lr, weightDecay: decay }: GroupSettings): Rule {
    const momentum = this.readMomentum();
    const down = neg(lr);
    return (p, g, [buffer]) => {
      const slope = decay === 0 ? g : addcmul(g, p, decay);
      const along = p.rank < 2 ? slope : mul(slope, this.#trust(p, g, decay));
      const next = buffer && addcmul(along, buffer, momentum);
      return [addcmul(p, next ?? along, down), ...(next ? [next] : [])];
    };
  }
  #trust(p: Tensor, g: Tensor, decay: number): Tensor {
    const [length, slope] = [sqrt(sum(square(p))), sqrt(sum(square(g)))];
    const trust = div(mul(length, this.trustCoefficient), add(add(slope, mul(length, decay)), this.eps));
    return where(logicalAnd(gt(length, 0), gt(slope, 0)), trust, 1);
  }
}
