/**
 * The tuner on the kernels of a figure, those first that take most of its time: milliseconds of each way that was tried, beside the way
 * that is taken where nobody has measured. Then the figure again with what was chosen.
 */
import { dirname, join } from 'node:path';
import { manualSeed, setBackend } from '@tessera/tensor';
import type { Kernel } from '@tessera/tensor/backend';
import { costOf, domainOf, onKernel, programsOf } from '@tessera/tensor/inspect';
import { Compiler, candidates } from '../../../packages/backend-webgpu/src/compile.ts';
import { findDevice, targetOf } from '../../../packages/backend-webgpu/src/device.ts';
import * as rare from '../../../packages/backend-webgpu/src/kernels/rare.ts';
import { WebgpuBackend } from '../../../packages/backend-webgpu/src/runtime.ts';
import * as tuning from '../../../packages/backend-webgpu/src/tune.ts';
import { FileStore } from '../../../packages/backend-webgpu/src/tune-store.ts';
import { prepareFigure, timeRun } from '../../bench/gpu/figures.ts';
import { short } from '../../bench/table.ts';
import type { Options, Tell } from '../job.ts';
import { gpuWithout } from '../start.ts';
import { figureOf } from './figure.ts';

/** Seconds for measuring kernels: the rest of the job's time is for the figure, twice. */
const measuring = 35;

export async function tune(name: string, { without, results, tiny }: Options, tell: Tell): Promise<void> {
  const { work } = figureOf(name);
  const patience = tiny ? 100 : 1500;
  const found = await findDevice({ adapter: (await gpuWithout(without)).adapter });
  const store = new FileStore(join(dirname(results), 'tuning'));
  const target = targetOf(found.device, found.matrices);
  const backend = new WebgpuBackend(found, {});
  setBackend(backend);
  const { run, step } = await prepareFigure(work);
  const { milliseconds: before } = await timeRun(run, backend, patience);
  tell({ found: { before } });

  const table: object[] = [];
  const onMeasured = (kernel: Kernel, tried: readonly tuning.Tried[]): void => {
    const [untuned, best] = [tried[0], [...tried].sort((a, b) => a.milliseconds - b.milliseconds)[0]];
    if (!untuned || !best) return;
    table.push({ kind: kernel.kind, shape: domainOf(kernel), untuned, best, tried });
    tell({ found: { table } });
    const text =
      best === untuned
        ? 'the first way'
        : `${JSON.stringify(best.choice)} in place of ${JSON.stringify(untuned.choice)}, ${short(untuned.milliseconds)}`;
    console.log(`  ${domainOf(kernel)}: ${short(best.milliseconds)} ms, ${text}`);
  };
  const tuner = new tuning.Tuner(
    found.device,
    new Compiler(found.device, target),
    target,
    found.adapter,
    store,
    undefined,
    onMeasured,
  );
  const kernels = await byTime(run, step, backend);
  const ways = (kernel: Kernel) => candidates(kernel, { ...target, rare }).length;
  const begun = performance.now();
  let measured = 0;
  for (const kernel of kernels.filter((each) => ways(each) > 1).slice(0, tiny ? 2 : undefined)) {
    if (performance.now() - begun > 1000 * measuring) break;
    await tuner.compile(kernel).waiting;
    measured++;
  }
  backend.dispose();

  const tuned = new WebgpuBackend(
    await findDevice({ adapter: (await gpuWithout(without)).adapter }),
    {},
    {
      ...tuning,
      tunerOf: (device, compiler, own, adapter) => new tuning.Tuner(device, compiler, own, adapter, store, 1),
    },
  );
  setBackend(tuned);
  manualSeed(0); // the state of the random numbers was on the device before
  const { milliseconds: after } = await timeRun((await prepareFigure(work)).run, tuned, patience);
  tell({ found: { after, measured, kernels: kernels.length } });
  console.log(
    `  ${name}: ${short(before)} ms, with what was chosen for ${measured} kernels of ${kernels.length}: ${short(after)}`,
  );
  tuned.dispose();
}

/** The kernels of a step, those first that take most of its time; by what they have to do where the device has no timestamps. */
async function byTime(
  run: () => void,
  step: Parameters<typeof programsOf>[0],
  backend: WebgpuBackend,
): Promise<Kernel[]> {
  const kernels = programsOf(step).flatMap(({ program }) => program.steps.map(({ kernel }) => kernel));
  const cost = new Map<Kernel, number>();
  if (backend.onKernel) {
    const stop = onKernel(
      ({ kernel, milliseconds }) => cost.set(kernel, (cost.get(kernel) ?? 0) + milliseconds),
      backend,
    );
    run();
    await backend.sync();
    stop();
  } else for (const kernel of kernels) cost.set(kernel, costOf(kernel).flops / 20 + costOf(kernel).bytes);
  return [...new Set(kernels)].sort((a, b) => (cost.get(b) ?? 0) - (cost.get(a) ?? 0));
}
