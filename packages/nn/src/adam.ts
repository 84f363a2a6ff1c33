/** Adam and AdamW. */
import {
  add,
  addcmul,
  div,
  expm1,
  guard,
  lerp,
  log,
  maximum,
  mul,
  neg,
  sqrt,
  square,
  sub,
  type Tensor,
} from '@tessera/tensor';
import { checkSettings, type GroupSettings, Optimizer, type Parameters, type Rule } from './optimizer';
import { Setting } from './setting';

export interface AdamOptions {
  /** Default 1e-3. */
  readonly lr?: number;
  /** How slowly the averages of g and of g² forget. Default [0.9, 0.999]. */
  readonly betas?: readonly [beta1: number, beta2: number];
  /** Added to the root. Default 1e-8. */
  readonly eps?: number;
  /** λ. Default 0 for Adam, 0.01 for AdamW. */
  readonly weightDecay?: number;
  /** Divide by the largest average of g² so far (Reddi et al. 2018). Default false. */
  readonly amsgrad?: boolean;
}

/**
 * g ← g + λ·p;  m ← β₁·m + (1 − β₁)·g;  v ← β₂·v + (1 − β₂)·g²;  p ← p − lr·m̂ / (√v̂ + eps), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ).
 * torch.optim.Adam (Kingma and Ba 2015) @throws ArgumentError for settings out of range.
 */
export class Adam extends Optimizer {
  eps: number;
  weightDecay: number;
  readonly amsgrad: boolean;
  readonly beta2: number;
  readonly #beta1: Setting;

  constructor(parameters: Parameters, options: AdamOptions = {}) {
    const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 0, amsgrad = false } = options;
    super(parameters, lr);
    checkSettings(new.target.name, { beta1: betas[0], beta2: betas[1] }, 0, 1);
    checkSettings(new.target.name, { eps, weightDecay }, 0, Infinity);
    this.#beta1 = new Setting('momentum', betas[0]);
    this.beta2 = betas[1];
    this.eps = eps;
    this.weightDecay = weightDecay;
    this.amsgrad = amsgrad;
  }

  /** β₁; it may change between steps, compiled or not (schedules cycle it). */
  get momentum(): number {
    return this.#beta1.value;
  }
  set momentum(value: number) {
    this.#beta1.value = value;
  }

  protected slots(): readonly string[] {
    return ['exp_avg', 'exp_avg_sq', ...(this.amsgrad ? ['max_exp_avg_sq'] : [])];
  }

  /** What weight decay makes of a parameter and its gradient. */
  protected decayed(p: Tensor, g: Tensor, decay: number, _lr: Tensor): readonly [p: Tensor, g: Tensor] {
    return [p, addcmul(g, p, decay)];
  }

  protected rule(step: Tensor, { lr, weightDecay: decay }: GroupSettings): Rule {
    const eps = guard(() => this.eps);
    const beta1 = this.#beta1.state.read();
    const forget1 = sub(1, beta1);
    const down = neg(div(lr, oneMinusPower(log(beta1), step)));
    const root2 = sqrt(oneMinusPower(Math.log(this.beta2), step));
    return (parameter, gradient, [m, v, largest]) => {
      const [p, g] = decay === 0 ? [parameter, gradient] : this.decayed(parameter, gradient, decay, lr);
      const nextM = lerp(m as Tensor, g, forget1);
      const nextV = addcmul(mul(v as Tensor, this.beta2), square(g), 1 - this.beta2);
      const nextLargest = largest && maximum(largest, nextV);
      const root = add(div(sqrt(nextLargest ?? nextV), root2), eps);
      return [addcmul(p, div(nextM, root), down), nextM, nextV, ...(nextLargest ? [nextLargest] : [])];
    };
  }
}

/**
 * Adam whose weight decay does not pass through the averages: p ← p·(1 − lr·λ), then Adam's step with the bare gradient.
 * torch.optim.AdamW (Loshchilov and Hutter 2019)
 */
export class AdamW extends Adam {
  constructor(parameters: Parameters, options: AdamOptions = {}) {
    super(parameters, { weightDecay: 0.01, ...options });
  }
  protected override decayed(p: Tensor, g: Tensor, decay: number, lr: Tensor): readonly [p: Tensor, g: Tensor] {
    return [mul(p, sub(1, mul(lr, decay))), g];
  }
}

/** 1 − βᵗ from log β: for β near 1 the plain difference would lose most of its digits in float32. */
const oneMinusPower = (logBeta: Tensor | number, step: Tensor): Tensor => neg(expm1(mul(step, logBeta)));
