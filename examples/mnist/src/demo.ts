/** The run from the first step, or from a checkpoint, to the report. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { saveSafetensors, writeFile } from '@tessera/nn';
import { ArgumentError, type Tensor } from '@tessera/tensor';
import { type Checkpoint, difference, readCheckpoint, restore, saveCheckpoint } from './checkpoint';
import { type Digits, loadDigits } from './data';
import { type Evaluation, evaluate, predictor } from './evaluate';
import { emptyHistory, type History, recent, record } from './history';
import type { Started } from './machine';
import type { Metrics } from './metrics';
import type { Options } from './options';
import { duration, progressBar } from './progress';
import { reportPage } from './report';
import { kernelTimes } from './timings';
import { defaults, Training } from './training';

export const files = (out: string) => ({
  weights: join(out, 'weights.safetensors'),
  metrics: join(out, 'metrics.json'),
  report: join(out, 'report.html'),
  checkpoint: join(out, 'checkpoint.safetensors'),
});

/** Trains, evaluates, writes. Gives the test accuracy, or null where the signal stopped it and a checkpoint was written. */
export async function run(options: Options, started: Started, signal: AbortSignal): Promise<number | null> {
  const paths = files(options.out);
  await mkdir(options.out, { recursive: true }).catch((cause: Error) => {
    throw new ArgumentError(`--out: the folder could not be made (${cause.message}); choose another`, { cause });
  });
  const saved = options.resume ? await readCheckpoint(paths.checkpoint) : null;
  if (saved) announce(saved, options, started);
  const limit = saved ? saved.progress.limit : options.limit;
  const [train, test] = await Promise.all([loadDigits('train', limit), loadDigits('t10k', limit)]);
  const settings = saved?.progress.settings ?? {
    ...defaults,
    epochs: options.epochs,
    seed: options.seed,
    batch: options.batch,
  };
  const training = new Training(train, settings);
  if (saved) restore(training, saved);
  const history = saved?.progress.history ?? emptyHistory();
  const save = () => saveCheckpoint(paths.checkpoint, training, { limit, history, machine: started.machine });

  const evaluation = await learn(training, test, history, save, signal);
  if (!evaluation) {
    await save();
    console.log(`stopped at step ${history.losses.length}; go on with: npm run demo -- --resume`);
    return null;
  }
  await writeResults(training, test, history, evaluation, started, paths);
  return evaluation.accuracy;
}

/** Says where a resumed run stands, and what keeps it from being the same to the bit. @throws ArgumentError for other settings */
function announce(
  { progress }: Checkpoint,
  { given, epochs, seed, batch, limit }: Options,
  { machine }: Started,
): void {
  const { settings } = progress;
  for (const [name, now, then] of [
    ['epochs', epochs, settings.epochs],
    ['seed', seed, settings.seed],
    ['batch', batch, settings.batch],
    ['limit', limit, progress.limit],
  ] as const)
    if (given.has(name) && now !== then)
      throw new ArgumentError(
        `resume: the checkpoint was made with --${name} ${then}, not ${now}; leave it out, or start anew`,
      );
  console.log(`resuming at step ${progress.schedule} of a run of ${settings.epochs} epochs with seed ${settings.seed}`);
  const other = difference(progress.machine, machine);
  if (other) console.warn(`the result may differ in its last bits from an unbroken run: ${other}`);
}

/** Trains with a progress bar; a line and a checkpoint an epoch. Gives the last evaluation, or null where it was stopped. */
async function learn(
  training: Training,
  test: Digits,
  history: History,
  save: () => Promise<void>,
  signal: AbortSignal,
): Promise<Evaluation | null> {
  const predict = predictor(training.model);
  const { epochs, batch } = training.settings;
  const perEpoch = training.loader.length;
  let bar = progressBar(history, { epochs, steps: training.totalSteps, batch });
  let begin = performance.now();
  let evaluation: Evaluation | null = null;
  const clock = () => {
    const seconds = (performance.now() - begin) / 1000;
    begin = performance.now();
    history.seconds += seconds;
    return seconds;
  };
  try {
    await training.train({
      signal,
      onStep: (result) => {
        record(history, result);
        bar.update();
      },
      onEpoch: async (epoch) => {
        const seconds = clock();
        bar.stop();
        evaluation = await evaluate(training.model, predict, test);
        history.epochs.push({
          epoch,
          loss: recent(history.losses, perEpoch),
          accuracy: recent(history.accuracies, perEpoch),
          testLoss: evaluation.loss,
          testAccuracy: evaluation.accuracy,
          seconds,
        });
        console.log(`epoch ${epoch}/${epochs}: test accuracy ${evaluation.accuracy.toFixed(4)}, ${duration(seconds)}`);
        await save();
        begin = performance.now();
        if (epoch < epochs) bar = progressBar(history, { epochs, steps: training.totalSteps, batch });
      },
    });
  } finally {
    bar.stop();
  }
  if (training.position.epoch < epochs) {
    clock();
    return null;
  }
  return evaluation ?? evaluate(training.model, predict, test);
}

async function writeResults(
  training: Training,
  test: Digits,
  history: History,
  evaluation: Evaluation,
  { backend, machine, device }: Started,
  paths: ReturnType<typeof files>,
): Promise<void> {
  const { model, settings } = training;
  await writeFile(paths.weights, await saveSafetensors(model.stateDict(), { model: 'digitNet' }));
  const filter = model.stateDict().get('0.weight')?.read() as Tensor;
  const filters = { values: await filter.data(), shape: filter.shape as readonly number[] };
  const { accuracy, loss, confusion, mistakes } = evaluation;
  const metrics: Metrics = {
    settings,
    machine: { ...machine, device },
    parameters: model.parameters().reduce((sum, { shape }) => sum + shape.reduce<number>((a, b) => a * (b ?? 0), 1), 0),
    testAccuracy: accuracy,
    testLoss: loss,
    seconds: history.seconds,
    imagesPerSecond: (history.losses.length * settings.batch) / history.seconds,
    history,
    confusion,
    mistakes,
    // These steps change the model, so they come when its weights are on the disk.
    kernels: await kernelTimes(training, backend),
  };
  const text = (value: string) => new TextEncoder().encode(value);
  await writeFile(paths.metrics, text(`${JSON.stringify(metrics, null, 1)}\n`));
  await writeFile(paths.report, text(reportPage(metrics, test, filters)));
  console.log(
    `${settings.epochs} epoch${settings.epochs === 1 ? '' : 's'} in ${duration(history.seconds)}, ${Math.round(metrics.imagesPerSecond)} images a second`,
  );
  for (const path of [paths.weights, paths.metrics, paths.report]) console.log(`wrote ${path}`);
}
