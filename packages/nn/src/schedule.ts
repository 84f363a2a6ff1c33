/** Learning rates over time. A schedule sets the optimizer's settings between steps; compiled steps read them anew. */
import { ArgumentError } from '@tessera/tensor';
import type { Optimizer } from './optimizer';
import { wantCount } from './want-count';

export interface OneCycleOptions {
  /** The highest learning rate. */
  readonly maxLr: number;
  /** Steps of the whole cycle. */
  readonly totalSteps: number;
  /** Share of the steps in which the rate rises. Default 0.3. */
  readonly pctStart?: number;
  /** Move the momentum (β₁) the other way, where the optimizer has one. Default true. */
  readonly cycleMomentum?: boolean;
  /** Momentum at the highest rate. Default 0.85. */
  readonly baseMomentum?: number;
  /** Momentum at both ends. Default 0.95. */
  readonly maxMomentum?: number;
  /** The first rate is maxLr / divFactor. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first / finalDivFactor. Default 1e4. */
  readonly finalDivFactor?: number;
}

/**
 * From maxLr/divFactor up to maxLr, then down to almost nothing, along half cosines. Sets the rate when made; call `step`
 * after each optimizer step, outside of compiled code. `position` is the number of steps made; assign it to resume.
 * torch.optim.lr_scheduler.OneCycleLR with anneal_strategy 'cos' and three_phase false (Smith and Topin 2018)
 * @throws ArgumentError for settings out of range, and where it steps beyond totalSteps.
 */
export class OneCycleLR {
  readonly #optimizer: Optimizer & { momentum?: number };
  readonly #options: Required<OneCycleOptions>;
  #position = 0;

  constructor(optimizer: Optimizer, options: OneCycleOptions) {
    const defaults = { pctStart: 0.3, baseMomentum: 0.85, maxMomentum: 0.95, divFactor: 25, finalDivFactor: 1e4 };
    this.#options = { ...defaults, cycleMomentum: true, ...options };
    this.#optimizer = optimizer;
    const { totalSteps, pctStart } = this.#options;
    wantCount('OneCycleLR', 'totalSteps', totalSteps);
    if (!(pctStart >= 0 && pctStart <= 1)) throw new ArgumentError(`OneCycleLR: pctStart is ${pctStart}, wants 0 to 1`);
    this.#apply();
  }

  /** One step further. */
  step(): void {
    this.position++;
  }

  /** Steps made so far. */
  get position(): number {
    return this.#position;
  }
  set position(steps: number) {
    const { totalSteps } = this.#options;
    if (!Number.isInteger(steps) || steps < 0 || steps > totalSteps)
      throw new ArgumentError(`OneCycleLR: step ${steps} of a schedule of ${totalSteps}; was totalSteps meant larger?`);
    this.#position = steps;
    this.#apply();
  }

  #apply(): void {
    const { maxLr, totalSteps, pctStart, divFactor, finalDivFactor, cycleMomentum } = this.#options;
    const { baseMomentum, maxMomentum } = this.#options;
    const first = maxLr / divFactor;
    const top = pctStart * totalSteps - 1;
    const rising = this.#position <= top;
    const share = rising ? (top > 0 ? this.#position / top : 1) : (this.#position - top) / (totalSteps - 1 - top);
    this.#optimizer.lr = rising ? cosine(first, maxLr, share) : cosine(maxLr, first / finalDivFactor, share);
    if (cycleMomentum && this.#optimizer.momentum !== undefined)
      this.#optimizer.momentum = rising
        ? cosine(maxMomentum, baseMomentum, share)
        : cosine(baseMomentum, maxMomentum, share);
  }
}

/** From `a` at 0 to `b` at 1 along half a cosine. */
const cosine = (a: number, b: number, share: number): number => b + ((a - b) / 2) * (Math.cos(Math.PI * share) + 1);
