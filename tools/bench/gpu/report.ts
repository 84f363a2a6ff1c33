/** The three parts of `pnpm bench:webgpu`: counts, a race in a page, figures on a real GPU. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { webgpu } from '@tessera/backend-webgpu';
import { type Backend, manualSeed, setBackend } from '@tessera/tensor';
import { targetOf } from '../../../packages/backend-webgpu/src/device.ts';
import { nodeGpu } from '../../gpu/node.ts';
import type { FactResult, Measured } from '../networks/facts.ts';
import { python } from '../peers.ts';
import { type Creations, countCreations, countingDevice } from './counting-device.ts';
import { type Count, countStep, type StepCounts, type Subject } from './counts.ts';
import { type Figure, prepareFigure, timeRun } from './figures.ts';

const lessIsBetter = ({ name, unit, atMost }: Pick<Count, 'name' | 'unit' | 'atMost'>): Measured => ({
  name,
  unit,
  goal: { atMost, of: 'unit' },
});
const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0] as string;

/** On a device that counts. */
export async function countAll(counts: readonly Count[]): Promise<FactResult[]> {
  const { device, encoded } = countingDevice(['subgroups', 'shader-f16']);
  const made = countCreations(device);
  const backend = await webgpu({ device, probe: false });
  setBackend(backend);
  const known = new Map<Subject, StepCounts>();
  const results: FactResult[] = [];
  for (const count of counts) {
    const seen =
      known.get(count.of) ?? (await countStep(count.of, { backend, made, encoded, target: targetOf(device) }));
    known.set(count.of, seen);
    results.push({ fact: lessIsBetter(count), ours: seen[count.number], torch: null, missing: {} });
  }
  backend.dispose();
  return results;
}

/** The same of steps on the machine's own device, where commands go uncounted. */
export async function countHere(counts: readonly Count[]): Promise<FactResult[]> {
  const { adapter } = await nodeGpu();
  const request = adapter.requestDevice.bind(adapter);
  let made: Creations = {};
  adapter.requestDevice = async (descriptor) => {
    const device = await request(descriptor);
    made = countCreations(device);
    return device;
  };
  const backend = await webgpu({ adapter });
  setBackend(backend);
  manualSeed(0);
  const results: FactResult[] = [];
  const known = new Map<Subject, StepCounts>();
  for (const count of counts) {
    const encoded = { dispatches: 0, passes: 0, submits: 0 };
    const seen =
      known.get(count.of) ??
      (await countStep(count.of, { backend, made, encoded, target: targetOf(backend.device) }, 5));
    known.set(count.of, seen);
    results.push({ fact: lessIsBetter(count), ours: seen[count.number], torch: null, missing: {} });
  }
  backend.dispose();
  return results;
}

export interface Gpu {
  readonly backend: Backend;
  readonly name: string;
  readonly emulated: boolean;
}
/** The machine's GPU under a backend that is the chosen one. */
export async function startGpu(): Promise<Gpu> {
  const { adapter, emulated } = await nodeGpu();
  const backend = await webgpu({ adapter });
  setBackend(backend);
  manualSeed(0); // the state of the random numbers was on the GPU before
  return { backend, name: backend.info().adapter, emulated };
}

export interface FigureResult extends FactResult {
  readonly encode: number | null;
  readonly first: number | null;
  readonly beside: string;
}

/** @param start makes the GPU anew for each figure, so that nobody's memory is in the way */
export async function timeFigures(
  figures: readonly Figure[],
  start: () => Promise<Gpu>,
  torch: ReadonlyMap<string, number | string>,
): Promise<FigureResult[]> {
  const results: FigureResult[] = [];
  for (const { name, work, atMost, beside } of figures) {
    const fact = lessIsBetter({ name, unit: 'ms', atMost });
    const theirs = torch.get(name);
    const missing: Record<string, string> = typeof theirs === 'string' ? { torch: theirs } : {};
    let [ours, encode, first]: (number | null)[] = [null, null, null];
    const { backend } = await start();
    try {
      const { run } = await prepareFigure(work);
      const timing = await timeRun(run, backend);
      [ours, encode, first] = [timing.milliseconds, timing.encode, timing.first];
    } catch (error) {
      missing['ours'] = reasonOf(error);
    } finally {
      backend.dispose();
    }
    const result = { fact, ours, torch: typeof theirs === 'number' ? theirs : null, missing, encode, first, beside };
    results.push(result as FigureResult);
  }
  return results;
}

/** Figures of which nothing can be measured here, and why. */
export const notMeasured = (figures: readonly Figure[], reason: string): FigureResult[] =>
  figures.map(({ name, atMost, beside }) => ({
    fact: lessIsBetter({ name, unit: 'ms', atMost }),
    ours: null,
    torch: null,
    missing: { ours: reason },
    encode: null,
    first: null,
    beside,
  }));

export interface TorchOptions {
  readonly program?: string;
  /** Told of each as it comes. */
  readonly onFigure?: (name: string, answer: number | string) => void;
}
/** PyTorch on CUDA where `python3` has it: milliseconds by figure, or why there are none. */
export async function torchFigures(
  figures: readonly Figure[],
  {
    program = fileURLToPath(new URL('../peers/torch_figures.py', import.meta.url)),
    onFigure = () => {},
  }: TorchOptions = {},
): Promise<{ readonly version: string; readonly times: ReadonlyMap<string, number | string> }> {
  const times = new Map<string, number | string>();
  let version = '';
  let complaint = '';
  const child = spawn(python, [program], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stderr.on('data', (text) => {
    complaint = (complaint + text).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => {
    child.on('error', (error) => {
      complaint = error.message;
      resolve();
    });
    child.on('close', () => resolve());
  });
  child.stdin.on('error', () => {}); // 'close' tells of it
  child.stdin.end(`${JSON.stringify(figures.map(({ work }) => work))}\n`);
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) continue;
    const answer = JSON.parse(line) as { version?: string; ms?: number; fault?: string };
    if (answer.version) version = answer.version;
    else {
      const { name } = figures[times.size] as Figure;
      times.set(name, answer.ms ?? answer.fault ?? 'no answer');
      onFigure(name, times.get(name) as number | string);
    }
  }
  await ended;
  const reason = complaint.trim().split('\n').at(-1) || 'it ended without an answer';
  for (const { name } of figures) if (!times.has(name)) times.set(name, reason);
  return { version, times };
}
