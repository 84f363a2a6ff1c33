/** What `fit` runs for each batch: forward, loss, gradients, update, as one compiled step. */
import { valueAndGrad } from '@tessera/autograd';
import { ArgumentError, guard, type Tensor } from '@tessera/tensor';
import type { AveragedModel } from './averaged';
import { type CompileOptions, compile } from './compile';
import { inputOf, measured, overBatches, type Task, targetOf } from './evaluate';
import { clipGradNorm, GradientAccumulator } from './gradients';
import { LossScaler } from './loss-scaler';
import type { Module } from './module';
import type { Optimizer } from './optimizer';
import { samplesOf, type Totals } from './totals';
import { wantCount } from './want-count';

export interface StepOptions<Batch, Output, Target, Model extends Module<never, unknown>>
  extends Task<Batch, Output, Target> {
  readonly optimizer: Optimizer;
  /** Batches whose gradients are averaged for one step. Default 1. */
  readonly accumulate?: number;
  /** Largest norm of all gradients together; larger ones are scaled down to it. Default: any. */
  readonly clipGradNorm?: number | null;
  /** Updated after each step, and what is validated. Default: none. */
  readonly average?: AveragedModel<Model> | null;
  /** 'mixed' as in `compile`; it brings a LossScaler unless one is given. Default 'float32'. */
  readonly precision?: 'float32' | 'mixed';
  readonly lossScale?: LossScaler | null;
  /** False: layers run as written, for looking into them; a loss that is no number has then changed the model. Default true. */
  readonly compiled?: boolean;
}

/** One batch, and the update that is due after `accumulate` of them. */
export interface Steps<Batch> {
  readonly lossScale: LossScaler | null;
  /** → its mean loss, [] */
  batch(batch: Batch): Tensor;
  /** Where gradients are accumulated: the update. Else it came with the batch. */
  update(): void;
}

export function stepsOf<Batch extends object, Output, Target, Model extends Module<[x: Tensor], Output>>(
  model: Model,
  options: StepOptions<Batch, Output, Target, Model>,
  totals: Totals,
): Steps<Batch> {
  const { optimizer, average = null, clipGradNorm: maxNorm = null, precision = 'float32', compiled = true } = options;
  const { accumulate = 1, lossScale = precision === 'mixed' ? new LossScaler() : null } = options;
  wantCount('fit', 'accumulate', accumulate);
  if (!compiled && (lossScale || precision === 'mixed'))
    throw new ArgumentError('fit: mixed precision and loss scaling are of compiled steps; leave out compiled: false');

  const differentiate = (batch: Batch) => {
    const [input, target] = [inputOf(batch, options.input), targetOf(batch, options)];
    const free = optimizer.parameters.filter((parameter) => guard(() => parameter.requiresGrad));
    if (!free.length) throw new ArgumentError('fit: all parameters of the optimizer are frozen; unfreeze some');
    const f = (): [Tensor, Output] => {
      const output = model.forward(input);
      return [options.loss(output, target), output];
    };
    const { value, grads, aux } = lossScale ? lossScale.valueAndGrad(f, free) : valueAndGrad(f, free);
    totals.add(measured(options, aux, target, value), samplesOf(input));
    const found = new Map(free.map((parameter, i) => [parameter, grads[i] as Tensor]));
    return { value, gradients: optimizer.parameters.map((parameter) => found.get(parameter) ?? null) };
  };
  const apply = (gradients: readonly (Tensor | null)[]): void => {
    optimizer.step(maxNorm === null ? gradients : clipGradNorm(gradients, maxNorm).gradients);
    average?.update();
  };
  // A loss that is no number changes nothing, so its cause can still be looked for.
  const settings: CompileOptions | null = compiled
    ? { name: 'step', commit: 'finite', precision, ...(lossScale && { lossScale }) }
    : null;

  if (accumulate === 1) {
    const whole = overBatches((batch: Batch) => {
      const { value, gradients } = differentiate(batch);
      apply(gradients);
      return value;
    }, settings);
    return { lossScale, batch: whole, update: () => {} };
  }
  const sums = new GradientAccumulator(optimizer.parameters);
  const part = overBatches((batch: Batch) => {
    const { value, gradients } = differentiate(batch);
    sums.add(gradients);
    return value;
  }, settings);
  const update = (): void => apply(sums.take());
  return { lossScale, batch: part, update: compiled ? compile(update, { name: 'update' }) : update };
}
