/** How good a model is on data: loss and metrics, added up on the device and read once. */
import { ArgumentError, isTensor, type Tensor } from '@tessera/tensor';
import { type CompileOptions, compile } from './compile';
import type { Metric } from './metrics';
import { inMode } from './mode';
import type { Module } from './module';
import { samplesOf, Totals } from './totals';

/** What a loop needs to know of a model's data: `batches` of @tessera/data, or any other async iterable of tensors by name
 *  or by place. Going through it once is an epoch. */
export interface Loader<Batch> extends AsyncIterable<Batch> {
  /** Batches an epoch, where that is known. */
  readonly length?: number;
  /** Where it stands, as plain data; assigned to go on from there. */
  position?: unknown;
}

/** What is computed of a batch. */
export interface Task<Batch, Output, Target> {
  /** Its mean over the batch, []. */
  readonly loss: (output: Output, target: Target) => Tensor;
  /** Means over the batch by name, [] each. */
  readonly metrics?: Readonly<Record<string, Metric<Output, Target>>>;
  /** What the model is given. Default: the batch's first column. */
  readonly input?: (batch: Batch) => Tensor;
  /** What the output is compared with. Default: the batch's second column. */
  readonly target?: (batch: Batch) => Target;
}
export interface EvaluateOptions<Batch, Output, Target>
  extends Task<Batch, Output, Target>,
    Pick<CompileOptions, 'precision'> {
  /** Stops between two batches. */
  readonly signal?: AbortSignal | null;
}

export interface Evaluation {
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly samples: number;
}

/**
 * Means over all samples of one epoch of `data`, the model evaluating (its own mode is left alone). Traced once a batch shape.
 * @throws ArgumentError where a batch has no columns to take, and where there is none; ShapeError for losses and metrics that are no means; what the signal
 *   was aborted with.
 */
export async function evaluate<Batch extends object, Output, Target>(
  model: Module<[x: Tensor], Output>,
  data: Loader<Batch>,
  options: EvaluateOptions<Batch, Output, Target>,
): Promise<Evaluation> {
  const evaluation = await evaluator(model, options)(data);
  if (!evaluation) throw options.signal?.reason;
  return evaluation;
}

/** `evaluate` for several times: the trace is kept. Null where the signal ended it. */
export function evaluator<Batch extends object, Output, Target>(
  model: Module<[x: Tensor], Output>,
  task: EvaluateOptions<Batch, Output, Target>,
): (data: Loader<Batch>) => Promise<Evaluation | null> {
  const totals = new Totals(['loss', ...Object.keys(task.metrics ?? {})]);
  const step = overBatches(
    (batch: Batch) => {
      const [input, target] = [inputOf(batch, task.input), targetOf(batch, task)];
      const output = model.forward(input);
      totals.add(measured(task, output, target, task.loss(output, target)), samplesOf(input));
    },
    { name: 'evaluate', ...(task.precision && { precision: task.precision }) },
  );
  return async (data) => {
    totals.reset();
    for await (const batch of data) {
      if (task.signal?.aborted) return null;
      inMode(model, false, () => step(batch));
    }
    const { means, samples } = await totals.read();
    if (!samples) throw new ArgumentError('evaluate: the data gave no batch; is it used up?');
    const { loss, ...metrics } = means;
    return { loss: loss as number, metrics, samples };
  };
}

/** What the model is given of a batch. @throws ArgumentError where that is no tensor. */
export function inputOf<Batch extends object>(batch: Batch, pick?: (batch: Batch) => Tensor): Tensor {
  const input: unknown = pick ? pick(batch) : Object.values(batch)[0];
  if (!isTensor(input)) throw noColumns(batch, 'an input, first');
  return input;
}
/** What its output is compared with. @throws ArgumentError where there is nothing. */
export function targetOf<Batch extends object, Output, Target>(
  batch: Batch,
  task: Task<Batch, Output, Target>,
): Target {
  const target: unknown = task.target ? task.target(batch) : Object.values(batch)[1];
  if (target === undefined) throw noColumns(batch, 'a target, second');
  return target as Target;
}
const noColumns = (batch: object, wanted: string): ArgumentError =>
  new ArgumentError(
    `batch: it has ${Object.keys(batch).join(', ') || 'no columns'}, wants ${wanted}; or the options input and target that tell them`,
  );

/** The loss and the metrics, in the order of their names. */
export const measured = <Batch, Output, Target>(
  { metrics = {} }: Task<Batch, Output, Target>,
  output: Output,
  target: Target,
  loss: Tensor,
): Tensor[] => [loss, ...Object.values(metrics).map((metric) => metric(output, target))];

/** A function of batches, compiled: their tensors are its arguments. Null options: as it is. */
export function overBatches<Batch extends object, Result>(
  f: (batch: Batch) => Result,
  options: CompileOptions | null,
): (batch: Batch) => Result {
  if (!options) return f;
  const compiled = compile((names: string, ...columns: Tensor[]) => {
    const keys = names.split('\n');
    return f((names ? Object.fromEntries(columns.map((column, i) => [keys[i], column])) : columns) as Batch);
  }, options);
  return (batch) =>
    compiled(Array.isArray(batch) ? '' : Object.keys(batch).join('\n'), ...(Object.values(batch) as Tensor[]));
}
