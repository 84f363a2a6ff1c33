/** `pnpm bench:webgpu`: counts that need no GPU, a race in one page, and the figures that want a real one. */
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { causes } from '../causes.ts';
import type { Effort } from '../measure.ts';
import type { Racer } from '../peers/contest.ts';
import { installPeers } from '../peers.ts';
import { factsToJson, type Machine, type RowResult, toJson } from '../result.ts';
import { measureRow } from '../session.ts';
import { factTable, table } from '../table.ts';
import { counts, encoding } from './counts.ts';
import { figures } from './figures.ts';
import { raceRows, startRace } from './race.ts';
import { countAll, countHere, notMeasured, startGpu, timeFigures, torchFigures } from './report.ts';

export interface GpuOptions {
  readonly rows?: RegExp | undefined;
  readonly peers: readonly string[];
  readonly json?: string | undefined;
  readonly effort: Effort;
}

/** Emulated steps take seconds: a turn is one of them. */
const emulatedEffort = ({ pick, turns }: Effort): Effort => ({
  pick,
  turns: Math.min(turns, 5),
  warmUp: 1,
  turn: 1,
  budget: 60_000,
});

export async function benchGpu({ rows, peers, json, effort }: GpuOptions): Promise<void> {
  const wanted = <T extends { readonly name: string }>(all: readonly T[]): T[] =>
    all.filter(({ name }) => rows?.test(name) ?? true);
  const report: Record<string, unknown> = { cpu: os.cpus()[0]?.model, node: process.version };

  const counted = await countAll(wanted(counts));
  if (counted.length) {
    console.log(`counted without a GPU\n${factTable(counted, causes)}`);
    report['counts'] = factsToJson(counted, causes);
  }
  const racing = wanted(raceRows);
  if (racing.length) report['race'] = await race(racing, peers, emulatedEffort(effort));
  const { name, emulated } = await gpuHere();
  const here = wanted(encoding(emulated));
  if (here.length) {
    const found = await countHere(here);
    console.log(`\nin Node on ${name}\n${factTable(found, causes)}`);
    report['encoding'] = factsToJson(found, causes);
  }
  const timed = wanted(figures);
  if (timed.length) report['figures'] = await time(timed, peers, name, emulated);
  if (json) await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
}

async function race(rows: typeof raceRows, peers: readonly string[], effort: Effort): Promise<object> {
  const rivals = (['tfjs', 'jax'] as const).filter((name) => peers.includes(name));
  if (rivals.length) installPeers();
  const { contestants, absent, adapter, close } = await startRace(['webgpu', ...rivals] satisfies Racer[]);
  try {
    const [ours, ...others] = contestants;
    if (ours?.name !== 'webgpu') throw new Error(`bench: ours did not start in the page: ${absent['webgpu']}`);
    const setting = { ours, peers: others, limits: null, threads: 1, effort, absent, relaxed: false };
    const results: RowResult[] = [];
    for (const row of rows) results.push(await measureRow(row, setting));
    const versions = Object.fromEntries(others.map(({ name, version }) => [name, version]));
    const machine: Machine = {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      threads: 0,
      node: process.version,
      backend: `webgpu in Chromium on ${adapter}`,
      relaxed: false,
      load: os.loadavg(),
      peers: versions,
    };
    console.log(
      `\nin one page of Chromium on ${adapter}, beside ${Object.entries(versions).flat().join(' ') || 'nobody'}`,
    );
    console.log(table(machine, results, causes));
    return toJson(machine, results, causes);
  } finally {
    await close();
  }
}

async function time(timed: typeof figures, peers: readonly string[], name: string, emulated: boolean): Promise<object> {
  if (emulated) {
    const results = notMeasured(timed, `no GPU here, but ${name}`);
    console.log(`\non a real GPU\n${factTable(results, causes)}`);
    return factsToJson(results, causes);
  }
  const torch = peers.includes('torch')
    ? await torchFigures(timed)
    : { version: 'not asked for', times: new Map<string, string>() };
  const results = await timeFigures(timed, startGpu, torch.times);
  console.log(`\non ${name}, beside PyTorch ${torch.version}\n${factTable(results, causes)}`);
  return factsToJson(results, causes);
}

async function gpuHere(): Promise<{ readonly name: string; readonly emulated: boolean }> {
  const { backend, name, emulated } = await startGpu();
  backend.dispose();
  return { name, emulated };
}
