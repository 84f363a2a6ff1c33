/**
 * Learning rates as functions of the steps made. Each schedule sets the optimizer's rate when made; call `step` outside of
 * compiled code, after each optimizer step or each epoch, whichever it counts. `position` is what was counted; assign it to resume.
 */
import { ArgumentError } from '@tessera/tensor';
import type { Optimizer } from './optimizer';
import { wantCount } from './want-count';

/** A rate by position, from the rate that the optimizer had when the schedule was made. torch.optim.lr_scheduler.LambdaLR,
 *  but for `rate` being the rate itself, not its share of the first. */
export class Schedule {
  readonly optimizer: Optimizer;
  /** The optimizer's rate at the start. */
  readonly baseLr: number;
  readonly #rate: (position: number, baseLr: number) => number;
  #position = 0;

  constructor(optimizer: Optimizer, rate: (position: number, baseLr: number) => number) {
    this.optimizer = optimizer;
    this.baseLr = optimizer.lr;
    this.#rate = rate;
    this.position = 0;
  }
  /** One step further. */
  step(): void {
    this.position++;
  }
  get position(): number {
    return this.#position;
  }
  /** @throws ArgumentError unless it is a whole number from 0. */
  set position(steps: number) {
    wantCount(this.constructor.name, 'position', steps, 0);
    this.#position = steps;
    this.optimizer.lr = this.rateAt(steps);
  }
  /** The rate after so many steps; nothing is set. */
  rateAt(position: number): number {
    return this.#rate(position, this.baseLr);
  }
}

/** lr = baseLr·gamma^⌊position/stepSize⌋, gamma 0.1 unless told. torch.optim.lr_scheduler.StepLR */
export class StepLR extends Schedule {
  constructor(optimizer: Optimizer, { stepSize, gamma = 0.1 }: { readonly stepSize: number; readonly gamma?: number }) {
    wantCount('StepLR', 'stepSize', stepSize);
    super(optimizer, (position, baseLr) => baseLr * gamma ** Math.floor(position / stepSize));
  }
}
/** lr = baseLr·gamma^(milestones reached), gamma 0.1 unless told. torch.optim.lr_scheduler.MultiStepLR */
export class MultiStepLR extends Schedule {
  constructor(
    optimizer: Optimizer,
    { milestones, gamma = 0.1 }: { readonly milestones: readonly number[]; readonly gamma?: number },
  ) {
    super(
      optimizer,
      (position, baseLr) => baseLr * gamma ** milestones.filter((milestone) => milestone <= position).length,
    );
  }
}
/** lr = baseLr·gamma^position. torch.optim.lr_scheduler.ExponentialLR */
export class ExponentialLR extends Schedule {
  constructor(optimizer: Optimizer, { gamma }: { readonly gamma: number }) {
    super(optimizer, (position, baseLr) => baseLr * gamma ** position);
  }
}
/** lr = etaMin + (baseLr − etaMin)·(1 + cos(π·position/tMax))/2, etaMin 0 unless told; beyond tMax it rises again.
 *  torch.optim.lr_scheduler.CosineAnnealingLR (Loshchilov 2017) */
export class CosineAnnealingLR extends Schedule {
  constructor(optimizer: Optimizer, { tMax, etaMin = 0 }: { readonly tMax: number; readonly etaMin?: number }) {
    wantCount('CosineAnnealingLR', 'tMax', tMax);
    super(
      optimizer,
      (position, baseLr) => etaMin + ((baseLr - etaMin) * (1 + Math.cos((Math.PI * position) / tMax))) / 2,
    );
  }
}
/** lr = baseLr·(1 − min(position, totalIters)/totalIters)^power, power 1 unless told. torch.optim.lr_scheduler.PolynomialLR */
export class PolynomialLR extends Schedule {
  constructor(
    optimizer: Optimizer,
    { totalIters, power = 1 }: { readonly totalIters: number; readonly power?: number },
  ) {
    wantCount('PolynomialLR', 'totalIters', totalIters);
    super(optimizer, (position, baseLr) => baseLr * (1 - Math.min(position, totalIters) / totalIters) ** power);
  }
}

/**
 * Warm-up: over the first `totalIters` steps from startFactor times the rate up to the rate itself, in equal parts; then
 * `after`, which counts from there (without it the rate stays). Make `after` first, on the same optimizer.
 * torch.optim.lr_scheduler.SequentialLR of LinearLR and another @throws ArgumentError for another optimizer's schedule.
 */
export class WarmupLR extends Schedule {
  constructor(
    optimizer: Optimizer,
    options: { readonly totalIters: number; readonly startFactor?: number; readonly after?: Schedule },
  ) {
    const { totalIters, startFactor = 1 / 3, after } = options;
    wantCount('WarmupLR', 'totalIters', totalIters);
    if (after && after.optimizer !== optimizer)
      throw new ArgumentError('WarmupLR: `after` is the schedule of another optimizer; make both of one');
    const base = after?.baseLr ?? optimizer.lr;
    super(optimizer, (position) => {
      if (position < totalIters) return base * (startFactor + ((1 - startFactor) * position) / totalIters);
      return after ? after.rateAt(position - totalIters) : base;
    });
  }
}

export interface PlateauOptions {
  /** Is a metric better when lower or when higher? Default 'min'. */
  readonly mode?: 'min' | 'max';
  /** The rate is multiplied by this. Default 0.1. */
  readonly factor?: number;
  /** So many steps without improvement are let pass. Default 10. */
  readonly patience?: number;
  /** What counts as an improvement: this share of the best ('rel'), or this much ('abs'). Default 1e-4. */
  readonly threshold?: number;
  /** Default 'rel'. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Steps after a lowering that are not counted. Default 0. */
  readonly cooldown?: number;
  /** Default 0. */
  readonly minLr?: number;
  /** A smaller change of the rate is not made. Default 1e-8. */
  readonly eps?: number;
}
/**
 * Lowers the rate when a metric stops improving: call `step(metric)` after each epoch. `state` is all there is to resume.
 * torch.optim.lr_scheduler.ReduceLROnPlateau @throws ArgumentError for a factor of 1 or more.
 */
export class ReduceLROnPlateau {
  readonly #optimizer: Optimizer;
  readonly #options: Required<PlateauOptions>;
  /** The best metric, steps since then, steps of cooldown left, and the rate. */
  #state: { best: number; bad: number; cooldown: number; lr: number };

  constructor(optimizer: Optimizer, options: PlateauOptions = {}) {
    const defaults = { mode: 'min', factor: 0.1, patience: 10, threshold: 1e-4, thresholdMode: 'rel' } as const;
    this.#options = { ...defaults, cooldown: 0, minLr: 0, eps: 1e-8, ...options };
    const { factor, mode } = this.#options;
    if (!(factor < 1)) throw new ArgumentError(`ReduceLROnPlateau: factor is ${factor}, wants less than 1`);
    this.#optimizer = optimizer;
    this.#state = { best: mode === 'min' ? Infinity : -Infinity, bad: 0, cooldown: 0, lr: optimizer.lr };
  }

  step(metric: number): void {
    const { factor, patience, cooldown, minLr, eps } = this.#options;
    const state = this.#state;
    if (this.#isBetter(metric)) {
      state.best = metric;
      state.bad = 0;
    } else state.bad++;
    if (state.cooldown > 0) {
      state.cooldown--;
      state.bad = 0;
    }
    if (state.bad > patience) {
      const lr = this.#optimizer.lr;
      const lowered = Math.max(lr * factor, minLr);
      if (lr - lowered > eps) this.#optimizer.lr = lowered;
      state.cooldown = cooldown;
      state.bad = 0;
    }
    state.lr = this.#optimizer.lr;
  }
  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const { best } = this.#state;
    if (mode === 'min') return metric < (thresholdMode === 'rel' ? best * (1 - threshold) : best - threshold);
    return metric > (thresholdMode === 'rel' ? best * (1 + threshold) : best + threshold);
  }

  get state(): Readonly<{ best: number; bad: number; cooldown: number; lr: number }> {
    return { ...this.#state };
  }
  set state(state: Readonly<{ best: number; bad: number; cooldown: number; lr: number }>) {
    this.#state = { ...state };
    this.#optimizer.lr = state.lr;
  }
}
