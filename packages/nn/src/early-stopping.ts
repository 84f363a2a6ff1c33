/** When to stop: where a metric has not become better for a while. */
import { ArgumentError } from '@tessera/tensor';
import { wantCount } from './want-count';

export interface EarlyStoppingOptions {
  /** So many epochs without improvement are let pass. */
  readonly patience: number;
  /** What counts as one: more than this. Default 0. */
  readonly minDelta?: number;
  /** 'loss' or a metric's name; of the validation data where there are any. Default 'loss'. */
  readonly metric?: string;
  /** Is it better when lower or when higher? Default 'min'. */
  readonly mode?: 'min' | 'max';
  /** At the end, give the model the values that it had when the metric was best. Default false. */
  readonly restoreBest?: boolean;
}

export class EarlyStopping {
  readonly options: Required<EarlyStoppingOptions>;
  /** The best metric so far, and the epochs since then: plain data, all there is to resume. */
  state: { best: number | null; bad: number } = { best: null, bad: 0 };

  constructor(options: EarlyStoppingOptions) {
    this.options = { minDelta: 0, metric: 'loss', mode: 'min', restoreBest: false, ...options };
    const { patience, minDelta } = this.options;
    wantCount('earlyStopping', 'patience', patience, 0);
    if (!(minDelta >= 0)) throw new ArgumentError(`earlyStopping: minDelta is ${minDelta}, wants a number ≥ 0`);
  }

  /** Takes an epoch's metric in. Was it the best so far? NaN never is. */
  step(value: number): boolean {
    const { minDelta, mode } = this.options;
    const { best } = this.state;
    const better =
      best === null ? !Number.isNaN(value) : mode === 'min' ? value < best - minDelta : value > best + minDelta;
    this.state = better ? { best: value, bad: 0 } : { best, bad: this.state.bad + 1 };
    return better;
  }
  get over(): boolean {
    return this.state.bad > this.options.patience;
  }
}
