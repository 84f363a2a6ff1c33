/** What happened so far: plain data for the checkpoint, the metrics and the report. */
import type { StepResult } from './training';

export interface EpochResult {
  readonly epoch: number;
  /** Means over the epoch's steps. */
  readonly loss: number;
  readonly accuracy: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  readonly seconds: number;
}

export interface History {
  /** An entry a step. */
  readonly losses: number[];
  readonly accuracies: number[];
  readonly epochs: EpochResult[];
  /** Spent on training steps, evaluations not counted. */
  seconds: number;
}

export const emptyHistory = (): History => ({ losses: [], accuracies: [], epochs: [], seconds: 0 });

export function record(history: History, { loss, accuracy }: StepResult): void {
  history.losses.push(loss);
  history.accuracies.push(accuracy);
}

/** Mean of the last `count` entries. */
export function recent(values: readonly number[], count: number): number {
  const last = values.slice(-count);
  return last.reduce((a, b) => a + b, 0) / Math.max(1, last.length);
}
