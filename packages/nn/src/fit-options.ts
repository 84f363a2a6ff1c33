/** What `fit` is told, what it tells meanwhile, and what it gives. */
import { ArgumentError } from '@tessera/tensor';
import type { EarlyStoppingOptions } from './early-stopping';
import type { Evaluation, Loader } from './evaluate';
import type { CheckpointOptions } from './fit-checkpoint';
import type { StepOptions } from './fit-step';
import type { Module } from './module';
import type { ReduceLROnPlateau, Schedule } from './rates';
import type { OneCycleLR } from './schedule';
import { wantCount } from './want-count';

export interface FitOptions<Batch, Output, Target, Model extends Module<never, unknown>>
  extends StepOptions<Batch, Output, Target, Model> {
  /** Gone through once an epoch. To resume it needs a `position`, as `batches` of @tessera/data has. */
  readonly data: Loader<Batch>;
  /** Until so many epochs are done. */
  readonly epochs?: number;
  /** Until so many updates are done; with `epochs`, whichever comes first. */
  readonly steps?: number;
  /** Takes a step after each update, or after each epoch. ReduceLROnPlateau: after each epoch, with the metric that early
   *  stopping looks at, else the loss. */
  readonly schedule?: Schedule | OneCycleLR | ReduceLROnPlateau | null;
  /** Default 'step'. */
  readonly scheduleEvery?: 'step' | 'epoch';
  /** Evaluated after each epoch: the model, or its average. */
  readonly validation?: Loader<Batch> | null;
  readonly checkpoint?: CheckpointOptions | null;
  /** A checkpoint's path or bytes, made by a call with these options: goes on from there with the same bits. */
  readonly resume?: string | Uint8Array | null;
  readonly earlyStopping?: EarlyStoppingOptions | null;
  /** Stops between two updates, or between two batches of validation, which starts anew on resuming; a checkpoint is saved. */
  readonly signal?: AbortSignal | null;
  /** After each update. Callbacks are waited for. */
  readonly onStep?: (event: StepEvent) => void | Promise<void>;
  readonly onEpoch?: (event: EpochEvent) => void | Promise<void>;
  /** Up to four times a second, for a bar. The metrics are read from the device for it. */
  readonly onProgress?: (event: ProgressEvent) => void | Promise<void>;
}

export interface StepEvent {
  /** Updates so far. */
  readonly step: number;
  /** The present epoch, from 1. */
  readonly epoch: number;
  /** Of the batches of this update, before it. */
  readonly loss: number;
  /** The rate of this update. */
  readonly lr: number;
  readonly samples: number;
}
export interface EpochEvent {
  /** From 1. */
  readonly epoch: number;
  /** Updates so far. */
  readonly step: number;
  /** Means over the epoch, each batch before its update. */
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly validation: Evaluation | null;
  /** Of the training steps. */
  readonly seconds: number;
  /** Is it the best so far, by early stopping's metric? */
  readonly best: boolean;
}
export interface ProgressEvent {
  readonly step: number;
  /** In all; null where that is not known. */
  readonly steps: number | null;
  readonly epoch: number;
  readonly epochs: number | null;
  /** Mean of the last 50 steps: the latest alone would flicker. */
  readonly loss: number;
  /** Means over the epoch so far. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly imagesPerSecond: number;
  /** Null where the number of steps is not known. */
  readonly secondsLeft: number | null;
}
export interface FitResult {
  /** Why it ended: all is done, nothing became better any more, or the signal. */
  readonly reason: 'done' | 'earlyStopping' | 'aborted';
  /** Updates, those before a resume counted. */
  readonly steps: number;
  /** An entry an epoch that ended, those before a resume, too. */
  readonly epochs: readonly EpochEvent[];
}

/** @throws ArgumentError for options that do not go together. */
export function checkOptions<Batch, Output, Target, Model extends Module<never, unknown>>(
  model: Model,
  options: FitOptions<Batch, Output, Target, Model>,
): void {
  const { data, epochs, steps, checkpoint, resume, earlyStopping, metrics = {} } = options;
  if (epochs === undefined && steps === undefined)
    throw new ArgumentError('fit: neither epochs nor steps; say when to end');
  for (const [name, count] of Object.entries({ epochs, steps, 'checkpoint.every': checkpoint?.every }))
    if (typeof count === 'number') wantCount('fit', name, count);
  if ((checkpoint || resume) && !('position' in data))
    throw new ArgumentError(
      'fit: the data has no position to save; hand in batches of @tessera/data or a loader with one, or leave out checkpoint and resume',
    );
  if ('loss' in metrics) throw new ArgumentError("fit: a metric is called 'loss', which is the loss; rename it");
  const watched = earlyStopping?.metric ?? 'loss';
  if (watched !== 'loss' && !(watched in metrics))
    throw new ArgumentError(
      `fit: early stopping looks at '${watched}'; wants one of ${['loss', ...Object.keys(metrics)].join(', ')}`,
    );
  if (!model.training)
    throw new ArgumentError(
      'fit: the model is in eval mode; call model.train(), and eval() on parts that are to stay so',
    );
}
