/** One figure: its time, then its kernels by their share of it, while its pipelines are there. */

import type { Tensor } from '@tessera/tensor';
import { figures, prepareFigure, timeRun, tinyFigures } from '../../bench/gpu/figures.ts';
import { profileOf, profileTable } from '../../bench/gpu/profile.ts';
import { short } from '../../bench/table.ts';
import { matches, type Options, type Tell } from '../job.ts';
import { start } from '../start.ts';

export const figureOf = (name: string) => {
  const found = [...figures, ...tinyFigures].find((figure) => figure.name === name);
  if (!found) throw new Error(`no figure ${name}`);
  return found;
};

export async function figure(name: string, { profile, tiny, without }: Options, tell: Tell): Promise<void> {
  const { work, atMost, beside } = figureOf(name);
  const backend = await start({ without });
  const before = performance.now();
  const { call, run } = await prepareFigure(work);
  const prepared = performance.now() - before;
  let first: Tensor | undefined;
  const timed = () => {
    if (first) run();
    else first = call();
  };
  const timing = await timeRun(timed, backend, tiny ? 100 : 4000);
  const { pipelines } = backend.info().objects;
  const { peak } = backend.memory();
  tell({ found: { ...timing, prepared, pipelines, peak } });
  const { milliseconds, encode, trace } = timing;
  console.log(
    `  ${name}: ${short(milliseconds)} ms (goal ${atMost}; on one H100 ${beside}); encode ${short(encode)}, first run ${short(timing.first)}, of it trace ${short(trace)}; ${pipelines} pipelines, peak ${(peak / 1e6).toFixed(0)} MB`,
  );
  const rms = await rmsOf(first as Tensor);
  tell({ found: { rms: String(rms) } });
  console.log(`  the first result: ${rms} (root of the mean square)${Number.isFinite(rms) ? '' : ', WRONG'}`);
  const wanted = profile ? matches(name, profile) : work.op === 'step';
  if (wanted && backend.onKernel) {
    const seen = await profileOf(run, backend, tiny ? 1 : 5);
    tell({ found: { profile: seen } });
    console.log(profileTable(seen, 15).replace(/^/gm, '    '));
  }
  backend.dispose();
}

/** Of a training step it is the loss, at first the logarithm of the number of classes or somewhat more. */
async function rmsOf(result: Tensor): Promise<number> {
  const values = await result.data();
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum / values.length);
}
