/** The run in numbers, for other programs to read. */
import type { Evaluation } from './evaluate';
import type { History } from './history';
import type { Machine } from './machine';
import type { KernelTime } from './timings';
import type { Settings } from './training';

export interface Metrics {
  readonly settings: Settings;
  readonly machine: Machine & { readonly device: string };
  readonly parameters: number;
  readonly testAccuracy: number;
  readonly testLoss: number;
  /** Spent on training steps. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
  readonly history: History;
  readonly confusion: Evaluation['confusion'];
  readonly mistakes: Evaluation['mistakes'];
  readonly kernels: readonly KernelTime[];
}
