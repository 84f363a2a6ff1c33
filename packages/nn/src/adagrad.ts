/** Adagrad. */
import { add, addcmul, div, guard, mul, neg, sqrt, square, sub, type Tensor } from '@tessera/tensor';
import { checkSettings, type GroupSettings, Optimizer, type Parameters, type Rule } from './optimizer';

export interface AdagradOptions {
  /** Default 0.01. */
  readonly lr?: number;
  /** The rate of step t is lr / (1 + (t − 1)·lrDecay). Default 0. */
  readonly lrDecay?: number;
  /** λ: λ·p is added to the gradient. Default 0. */
  readonly weightDecay?: number;
  /** What the sum of squares starts at. Default 0. */
  readonly initialAccumulatorValue?: number;
  /** Added to the root. Default 1e-10. */
  readonly eps?: number;
}

/**
 * g ← g + λ·p;  s ← s + g²;  p ← p − lr/(1 + (t − 1)·lrDecay)·g/(√s + eps).
 * torch.optim.Adagrad (Duchi 2011) @throws ArgumentError for settings out of range.
 */
export class Adagrad extends Optimizer {
  eps: number;
  weightDecay: number;
  readonly lrDecay: number;
  readonly initialAccumulatorValue: number;

  constructor(parameters: Parameters, options: AdagradOptions = {}) {
    const { lr = 0.01, lrDecay = 0, weightDecay = 0, initialAccumulatorValue = 0, eps = 1e-10 } = options;
    super(parameters, lr);
    checkSettings('Adagrad', { lrDecay, weightDecay, initialAccumulatorValue, eps }, 0, Infinity);
    this.eps = eps;
    this.weightDecay = weightDecay;
    this.lrDecay = lrDecay;
    this.initialAccumulatorValue = initialAccumulatorValue;
  }

  protected slots(): readonly string[] {
    return ['sum'];
  }
  protected override initial(): number {
    return this.initialAccumulatorValue;
  }

  protected rule(step: Tensor, { lr, weightDecay: decay }: GroupSettings): Rule {
    const eps = guard(() => this.eps);
    const rate = this.lrDecay === 0 ? lr : div(lr, add(mul(sub(step, 1), this.lrDecay), 1));
    const down = neg(rate);
    return (p, gradient, [sum]) => {
      const g = decay === 0 ? gradient : addcmul(gradient, p, decay);
      const next = add(sum as Tensor, square(g));
      return [addcmul(p, div(g, add(sqrt(next), eps)), down), next];
    };
  }
}
