/** Lion. */
import { lerp, mul, sign, sub, type Tensor } from '@tessera/tensor';
import { checkSettings, type GroupSettings, Optimizer, type Parameters, type Rule } from './optimizer';

export interface LionOptions {
  /** Default 1e-4: a third to a tenth of AdamW's. */
  readonly lr?: number;
  /** Shares of the old average in the step, and in the next average. Default [0.9, 0.99]. */
  readonly betas?: readonly [beta1: number, beta2: number];
  /** λ. Default 0. */
  readonly weightDecay?: number;
}

/**
 * p ← p·(1 − lr·λ) − lr·sign(β₁·m + (1 − β₁)·g);  m ← β₂·m + (1 − β₂)·g.
 * Chen et al. 2023, "Symbolic discovery of optimization algorithms" @throws ArgumentError for settings out of range.
 */
export class Lion extends Optimizer {
  weightDecay: number;
  readonly betas: readonly [beta1: number, beta2: number];

  constructor(parameters: Parameters, options: LionOptions = {}) {
    const { lr = 1e-4, betas = [0.9, 0.99], weightDecay = 0 } = options;
    super(parameters, lr);
    checkSettings('Lion', { beta1: betas[0], beta2: betas[1] }, 0, 1);
    checkSettings('Lion', { weightDecay }, 0, Infinity);
    this.betas = betas;
    this.weightDecay = weightDecay;
  }

  protected slots(): readonly string[] {
    return ['exp_avg'];
  }

  protected rule(_step: Tensor, { lr, weightDecay: decay }: GroupSettings): Rule {
    const [beta1, beta2] = this.betas;
    const kept = decay === 0 ? null : sub(1, mul(lr, decay));
    return (p, g, [average]) => {
      const direction = sign(lerp(average as Tensor, g, 1 - beta1));
      return [sub(kept ? mul(p, kept) : p, mul(direction, lr)), lerp(average as Tensor, g, 1 - beta2)];
    };
  }
}
