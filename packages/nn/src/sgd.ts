/** Stochastic gradient descent. */
import { ArgumentError, addcmul, guard, le, mul, neg, type Tensor, where } from '@tessera/tensor';
import { MomentumOptimizer } from './momentum';
import { checkSettings, type GroupSettings, type Parameters, type Rule } from './optimizer';

export interface SGDOptions {
  /** Default 1e-3. */
  readonly lr?: number;
  /** μ. Default 0. */
  readonly momentum?: number;
  /** τ: how much less than whole the gradient enters the momentum, but for the first. Default 0. */
  readonly dampening?: number;
  /** λ: λ·p is added to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** Look ahead by the momentum; wants momentum, and no dampening. Default false. */
  readonly nesterov?: boolean;
}

/**
 * g ← g + λ·p;  b ← μ·b + (1 − τ)·g (b ← g at the first step);  p ← p − lr·b, with nesterov p ← p − lr·(g + μ·b).
 * torch.optim.SGD (Sutskever et al. 2013) @throws ArgumentError for settings out of range.
 */
export class SGD extends MomentumOptimizer {
  dampening: number;
  weightDecay: number;
  nesterov: boolean;

  constructor(parameters: Parameters, options: SGDOptions = {}) {
    const { lr = 1e-3, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
    super(parameters, lr, momentum);
    checkSettings('SGD', { weightDecay }, 0, Infinity);
    if (nesterov && (momentum === 0 || dampening !== 0))
      throw new ArgumentError('SGD: nesterov wants a momentum above 0 and no dampening');
    this.dampening = dampening;
    this.weightDecay = weightDecay;
    this.nesterov = nesterov;
  }

  protected rule(step: Tensor, { lr, weightDecay: decay }: GroupSettings): Rule {
    const momentum = this.readMomentum();
    const dampening = guard(() => this.dampening);
    const nesterov = guard(() => this.nesterov);
    const share = dampening === 0 ? null : where(le(step, 1), 1, 1 - dampening);
    const down = neg(lr);
    return (p, g, [buffer]) => {
      const slope = decay === 0 ? g : addcmul(g, p, decay);
      if (!buffer) return [addcmul(p, slope, down)];
      const next = addcmul(share ? mul(slope, share) : slope, buffer, momentum);
      return [addcmul(p, nesterov ? addcmul(slope, next, momentum) : next, down), next];
    };
  }
}
