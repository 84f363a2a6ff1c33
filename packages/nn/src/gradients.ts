/** What is done to gradients between differentiating and the optimizer's step. */
import {
  add,
  clamp,
  div,
  maximum,
  minimum,
  mul,
  norm,
  ShapeError,
  State,
  stack,
  type Tensor,
  tensor,
  zerosLike,
} from '@tessera/tensor';
import type { Parameter } from './module';

type Gradients = readonly (Tensor | null)[];

/**
 * All gradients times min(1, maxNorm/(‖all of them‖ + 1e-6)), and that norm before, []. p = 2 unless `normType` says; Infinity
 * is the largest. torch.nn.utils.clip_grad_norm_
 */
export function clipGradNorm(
  gradients: Gradients,
  maxNorm: number,
  { normType = 2 }: { readonly normType?: number } = {},
): { gradients: (Tensor | null)[]; norm: Tensor } {
  const each = gradients.flatMap((g) => (g ? [norm(g, normType)] : []));
  const total = each.length ? norm(stack(each), normType) : tensor(0);
  const share = minimum(div(maxNorm, add(total, 1e-6)), 1);
  return { gradients: gradients.map((g) => g && mul(g, share)), norm: total };
}

/** Each element within ±clipValue. torch.nn.utils.clip_grad_value_ */
export const clipGradValue = (gradients: Gradients, clipValue: number): (Tensor | null)[] =>
  gradients.map((g) => g && clamp(g, -clipValue, clipValue));

/**
 * Gradients of several small batches as that of a large one: `add` after each, `take` before the optimizer's step. Both may
 * be in compiled steps, in one or in two.
 */
export class GradientAccumulator {
  readonly #sums: readonly State[];
  readonly #count = new State(tensor(0));

  constructor(parameters: readonly Parameter[]) {
    this.#sums = parameters.map((parameter) => new State(zerosLike(parameter)));
  }
  /** @throws ShapeError where they are not as many as the parameters. */
  add(gradients: Gradients): void {
    if (gradients.length !== this.#sums.length)
      throw new ShapeError(
        `GradientAccumulator.add: ${gradients.length} gradients for ${this.#sums.length} parameters; differentiate by the same list`,
      );
    for (const [i, sum] of this.#sums.entries()) {
      const g = gradients[i];
      if (g) sum.assign(add(sum, g));
    }
    this.#count.assign(add(this.#count, 1));
  }
  /** The mean of what was added since the last time, 0 where nothing was; from here on it starts anew. */
  take(): Tensor[] {
    const count = maximum(this.#count, 1);
    const means = this.#sums.map((sum) => div(sum.read(), count));
    for (const sum of this.#sums) sum.assign(zerosLike(sum));
    this.#count.assign(tensor(0));
    return means;
  }
}
