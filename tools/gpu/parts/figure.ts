/** One figure: its time, then its kernels by their share of it, while its pipelines are there. */
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
  const { run } = await prepareFigure(work);
  const prepared = performance.now() - before;
  const timing = await timeRun(run, backend, tiny ? 100 : 4000);
  const { pipelines } = backend.info().objects;
  const { peak } = backend.memory();
  tell({ found: { ...timing, prepared, pipelines, peak } });
  const { milliseconds, encode, first, trace } = timing;
  console.log(
    `  ${name}: ${short(milliseconds)} ms (goal ${atMost}; on one H100 ${beside}); encode ${short(encode)}, first run ${short(first)}, of it trace ${short(trace)}; ${pipelines} pipelines, peak ${(peak / 1e6).toFixed(0)} MB`,
  );
  const wanted = profile ? matches(name, profile) : work.op === 'step';
  if (wanted && backend.onKernel) {
    const seen = await profileOf(run, backend, tiny ? 1 : 5);
    tell({ found: { profile: seen } });
    console.log(profileTable(seen, 15).replace(/^/gm, '    '));
  }
  backend.dispose();
}
