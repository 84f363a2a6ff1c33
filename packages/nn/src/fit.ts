/**
 * `fit`: the training loop that people would otherwise write again. It holds no magic: a compiled step of `valueAndGrad` and
 * `optimizer.step`, then the schedule, events, validation and checkpoints, all by public calls.
 */
import { ArgumentError, type Tensor, TesseraError } from '@tessera/tensor';
import { checkRanges } from './check-range';
import { firstNonFinite, mendOf } from './diagnose';
import { EarlyStopping } from './early-stopping';
import { type Evaluation, evaluator, inputOf, type Loader } from './evaluate';
import { type Parts, readCheckpoint, restore, saveCheckpoint, under } from './fit-checkpoint';
import { checkOptions, type EpochEvent, type FitOptions, type FitResult, type ProgressEvent } from './fit-options';
import { type Steps, stepsOf } from './fit-step';
import type { Module } from './module';
import { inMixed } from './precision';
import { samplesOf, Totals } from './totals';

/**
 * Trains a model: `await fit(model, { data, loss: crossEntropy, optimizer, epochs: 3, metrics: { accuracy } })`. A batch's loss is
 * read while the next batch is made; metrics stay on the device until an epoch ends or a progress event asks.
 * @throws TesseraError where a loss is no number, naming the step and the layer where that began; model, optimizer and data are
 *   then as before that step. ArgumentError for options that do not go together, and values out of a layer's range; LoadError for another model's checkpoint.
 */
export async function fit<
  Batch extends object,
  Output,
  Target,
  Model extends Module<[x: Tensor], Output> = Module<[x: Tensor], Output>,
>(model: Model & Module<[x: Tensor], Output>, options: FitOptions<Batch, Output, Target, Model>): Promise<FitResult> {
  checkOptions(model, options);
  const run = new Run<Batch, Output, Target, Model>(model, options);
  if (options.resume) await run.resume(options.resume);
  return run.toTheEnd();
}

/** What a checkpoint holds beside tensors. */
interface Progress {
  readonly version: 1;
  readonly step: number;
  /** Updates of the present epoch, whether those were all, and the time they took. */
  readonly stepsOfEpoch: number;
  readonly trained?: boolean;
  readonly seconds: number;
  readonly epochs: readonly EpochEvent[];
  readonly data: unknown;
  readonly schedule: unknown;
  readonly earlyStopping: EarlyStopping['state'] | null;
}
/** A batch on its way through the device; `behind` is where the data stands after it. */
interface Running<Batch> {
  readonly batch: Batch;
  readonly value: Tensor;
  /** `value`, read. */
  readonly loss: Promise<number>;
  readonly behind: unknown;
}

/** Losses that a progress event's mean is of. */
const window = 50;
/** Milliseconds between two progress events. */
const pause = 250;

class Run<Batch extends object, Output, Target, Model extends Module<[x: Tensor], Output>> {
  readonly #model: Model;
  readonly #options: FitOptions<Batch, Output, Target, Model>;
  readonly #totals: Totals;
  readonly #steps: Steps<Batch>;
  readonly #validate: ((data: Loader<Batch>) => Promise<Evaluation | null>) | null;
  readonly #stopping: EarlyStopping | null;
  readonly #parts: Parts;
  /** The parts' values when early stopping's metric was best, by key. */
  #best: ReadonlyMap<string, Tensor> | null = null;

  // All that counts moves together, in `#stepDone` and `#endEpoch`: between them it is what a checkpoint may hold.
  #step = 0;
  #stepsOfEpoch = 0;
  /** Is the present epoch trained, and validation what is left of it? */
  #trained = false;
  #position: unknown;
  readonly #epochs: EpochEvent[] = [];
  #savedAt = 0;
  /** Was a checkpoint written in this call? */
  #saved = false;

  /** Losses and samples of the batches since the last update. */
  #part: { loss: number; samples: number }[] = [];
  #running: Running<Batch> | null = null;

  readonly #recent: number[] = [];
  /** Of training, events included, validation and checkpoints not: in this call, and in this epoch. */
  readonly #clock = { begin: performance.now(), samples: 0, steps: 0, seconds: 0, epoch: 0, shown: 0 };

  constructor(model: Model, options: FitOptions<Batch, Output, Target, Model>) {
    const { average = null, optimizer, data, metrics = {} } = options;
    this.#model = model;
    this.#options = options;
    this.#totals = new Totals(['loss', ...Object.keys(metrics)]);
    this.#steps = stepsOf<Batch, Output, Target, Model>(model, options, this.#totals);
    this.#validate = options.validation
      ? evaluator<Batch, Output, Target>((average?.model ?? model) as Module<[x: Tensor], Output>, options)
      : null;
    this.#stopping = options.earlyStopping ? new EarlyStopping(options.earlyStopping) : null;
    this.#parts = { model, optimizer, average, lossScale: this.#steps.lossScale, totals: this.#totals };
    this.#position = data.position;
  }

  async toTheEnd(): Promise<FitResult> {
    const { data, signal, epochs = Infinity, steps = Infinity } = this.#options;
    const done = () => this.#epochs.length >= epochs || this.#step >= steps;
    try {
      while ((this.#trained || !done()) && !signal?.aborted && !this.#stopping?.over) {
        this.#clock.begin = performance.now();
        this.#trained ||= await this.#epoch();
        this.#tick();
        if (!this.#trained || !(await this.#endEpoch())) await this.#save();
      }
    } finally {
      // The loader has made a batch more than was trained on.
      if ('position' in data) data.position = this.#position;
    }
    const reason = this.#stopping?.over ? 'earlyStopping' : done() && !this.#trained ? 'done' : 'aborted';
    if (reason === 'aborted' && !this.#saved) await this.#save(); // before its first step
    if (reason !== 'aborted') for (const name of bestOf) this.#restoreBest(name);
    return { reason, steps: this.#step, epochs: this.#epochs };
  }

  /** The rest of an epoch. False where it was left before its end. */
  async #epoch(): Promise<boolean> {
    const { data, signal, steps = Infinity, checkpoint } = this.#options;
    let behind: unknown = this.#position;
    for await (const batch of data) {
      await this.#settle();
      // Between two updates, with a batch to come: what is saved here stands within the epoch.
      if (this.#part.length === 0) {
        if (signal?.aborted || this.#step >= steps) return false;
        if (typeof checkpoint?.every === 'number' && this.#step - this.#savedAt >= checkpoint.every) await this.#save();
      }
      behind = data.position;
      const value = this.#steps.batch(batch);
      const loss = value.item();
      loss.catch(() => {}); // it is waited for when the next batch is there
      this.#running = { batch, value, loss, behind };
    }
    await this.#settle();
    // The last batches of an epoch may be fewer: they make an update of their own.
    if (this.#part.length) await this.#stepDone(behind);
    if (!this.#stepsOfEpoch) throw new ArgumentError('fit: the data gave no batch in a whole epoch; is it used up?');
    this.#position = data.position;
    return true;
  }

  /** Waits for the batch on its way, and updates where enough of them are through. */
  async #settle(): Promise<void> {
    if (!this.#running) return;
    const { batch, value, behind } = this.#running;
    const loss = await this.#running.loss;
    this.#running = null;
    value.dispose();
    const input = inputOf(batch, this.#options.input);
    if (this.#clock.steps === 0) await checkRanges(this.#model);
    if (!Number.isFinite(loss)) throw await this.#noNumber(loss, input);
    this.#part.push({ loss, samples: samplesOf(input) });
    if (this.#part.length >= (this.#options.accumulate ?? 1)) await this.#stepDone(behind);
  }

  async #stepDone(behind: unknown): Promise<void> {
    const { optimizer, schedule, scheduleEvery = 'step', onStep, onProgress } = this.#options;
    this.#steps.update();
    const loss = mean(this.#part.map((part) => part.loss));
    const samples = this.#part.reduce((sum, part) => sum + part.samples, 0);
    const { lr } = optimizer;
    this.#part = [];
    this.#step++;
    this.#stepsOfEpoch++;
    this.#position = behind;
    if (schedule && 'position' in schedule && scheduleEvery === 'step') schedule.step();

    this.#recent.push(loss);
    if (this.#recent.length > window) this.#recent.shift();
    this.#clock.samples += samples;
    this.#clock.steps++;
    await onStep?.({ step: this.#step, epoch: this.#epochs.length + 1, loss, lr, samples });
    if (onProgress && performance.now() - this.#clock.shown > pause) {
      await onProgress(await this.#progress());
      this.#clock.shown = performance.now();
    }
  }

  /** False where the signal ended it in validation, as if before it. */
  async #endEpoch(): Promise<boolean> {
    const { schedule, scheduleEvery = 'step', validation, checkpoint, onEpoch, signal } = this.#options;
    await checkRanges(this.#model);
    const { loss, ...metrics } = (await this.#totals.read()).means;
    const evaluation = validation && this.#validate ? await this.#validate(validation) : null;
    if (validation && !evaluation) return false;
    this.#trained = false;
    const { metric = 'loss' } = this.#options.earlyStopping ?? {};
    const measured: Readonly<Record<string, number | undefined>> = evaluation
      ? { loss: evaluation.loss, ...evaluation.metrics }
      : { loss, ...metrics };
    const watched = measured[metric] as number;
    const best = this.#stopping?.step(watched) ?? false;
    if (best && this.#stopping?.options.restoreBest) this.#best = this.#snapshot();
    if (schedule && !('position' in schedule)) schedule.step(watched);
    else if (scheduleEvery === 'epoch') schedule?.step();
    const event: EpochEvent = {
      epoch: this.#epochs.length + 1,
      step: this.#step,
      loss: loss as number,
      metrics,
      validation: evaluation,
      seconds: this.#clock.epoch,
      best,
    };
    this.#epochs.push(event);
    this.#stepsOfEpoch = 0;
    this.#clock.epoch = 0;
    this.#totals.reset();
    await onEpoch?.(event);
    const { every = 'epoch' } = checkpoint ?? {};
    if (every === 'epoch' || signal?.aborted || this.#step - this.#savedAt >= every) await this.#save();
    return true;
  }

  // ---- checkpoints -----------------------------------------------------------------------------------------------

  async #save(): Promise<void> {
    const { checkpoint, schedule = null } = this.#options;
    this.#savedAt = this.#step;
    this.#saved = true;
    if (!checkpoint) return;
    this.#tick();
    const progress: Progress = {
      version: 1,
      step: this.#step,
      stepsOfEpoch: this.#stepsOfEpoch,
      trained: this.#trained,
      seconds: this.#clock.epoch,
      epochs: this.#epochs,
      data: this.#position,
      schedule: schedule && ('position' in schedule ? schedule.position : schedule.state),
      earlyStopping: this.#stopping?.state ?? null,
    };
    await saveCheckpoint(checkpoint.to, this.#parts, this.#best, progress);
    this.#clock.begin = performance.now();
  }

  async resume(from: string | Uint8Array): Promise<void> {
    const { data, schedule } = this.#options;
    const saved = await readCheckpoint(from);
    const progress = saved.progress as Progress;
    restore(saved, this.#parts);
    if (schedule && 'position' in schedule) schedule.position = progress.schedule as number;
    else if (schedule) schedule.state = progress.schedule as typeof schedule.state;
    if (this.#stopping && progress.earlyStopping) {
      this.#stopping.state = progress.earlyStopping;
      if (this.#stopping.options.restoreBest && saved.best.size) this.#best = saved.best;
    }
    this.#step = this.#savedAt = progress.step;
    this.#stepsOfEpoch = progress.stepsOfEpoch;
    this.#trained = progress.trained ?? false;
    this.#epochs.push(...progress.epochs);
    this.#clock.epoch = progress.seconds;
    this.#position = data.position = progress.data;
  }

  #snapshot(): ReadonlyMap<string, Tensor> {
    return new Map(
      bestOf.flatMap((name) =>
        [...(this.#parts[name]?.stateDict() ?? [])].map(([key, state]) => [`${name}.${key}`, state.read()] as const),
      ),
    );
  }
  #restoreBest(name: string): void {
    if (this.#best) this.#parts[name]?.loadStateDict(under(name, this.#best));
  }

  // ---- what it tells ---------------------------------------------------------------------------------------------

  /** Takes the time since `begin` into account. */
  #tick(): void {
    const seconds = (performance.now() - this.#clock.begin) / 1000;
    this.#clock.begin = performance.now();
    this.#clock.seconds += seconds;
    this.#clock.epoch += seconds;
  }

  async #progress(): Promise<ProgressEvent> {
    const { data, epochs = Infinity, steps: most = Infinity, accumulate = 1 } = this.#options;
    this.#tick();
    const { samples, steps: own, seconds } = this.#clock;
    const anEpoch = data.length === undefined ? Infinity : Math.ceil(data.length / accumulate);
    const steps = Math.min(most, epochs * anEpoch);
    const known = Number.isFinite(steps);
    const { loss: _, ...metrics } = (await this.#totals.read()).means;
    return {
      step: this.#step,
      steps: known ? steps : null,
      epoch: this.#epochs.length + 1,
      epochs: Number.isFinite(epochs) ? epochs : null,
      loss: mean(this.#recent),
      metrics,
      imagesPerSecond: samples / seconds,
      secondsLeft: known ? ((steps - this.#step) * seconds) / own : null,
    };
  }

  async #noNumber(loss: number, input: Tensor): Promise<TesseraError> {
    const find = () => firstNonFinite(this.#model, input);
    const where = await (this.#options.precision === 'mixed' ? inMixed(find) : find());
    return new TesseraError(
      `fit: the loss is ${loss} at step ${this.#step + 1}, first seen in ${where}; ${mendOf(where)}`,
    );
  }
}

/** The parts whose best values early stopping keeps. */
const bestOf = ['model', 'average'] as const;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
