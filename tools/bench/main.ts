/**
 * The bench of the whole project: ours, peers and the machine's limits, in one run, taking turns.
 *
 *     pnpm bench:cpu [--rows PATTERN] [--peers LIST] [--relaxed] [--quick] [--json FILE]
 *     pnpm bench:webgpu [--rows PATTERN] [--peers LIST] [--quick] [--json FILE]      its parts are in gpu/bench.ts
 *
 * Rows stand in rows.ts: kernels, the main job's step, and whole networks (networks/nets.ts). What a training step costs beside
 * its arithmetic, in networks/facts.ts, is a second table. `--rows 'ResNet-18, training'` measures one of them alone.
 *
 * Peers are installed into peers/ at their first use, and are no dependency of the project. PyTorch is a peer where
 * `python3` (or the interpreter that TESSERA_PYTHON names) can import it.
 */
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { Command, InvalidArgumentError, Option } from 'commander';
import { features } from '../../packages/backend-cpu/src/assembler';
import { causes } from './causes.ts';
import { Limits } from './limits.ts';
import { best, quick, thorough } from './measure.ts';
import { type FactResult, facts, measurer } from './networks/facts.ts';
import { type Peers, peerNames, startPeers } from './peers.ts';
import { factsToJson, type Machine, type RowResult, toJson } from './result.ts';
import { rows } from './rows.ts';
import { measureLimits, measureRow, withBestLimits } from './session.ts';
import { factTable, table } from './table.ts';
import { backends, tessera } from './tessera.ts';

interface Options {
  readonly backend: string;
  readonly rows?: RegExp;
  readonly peers: readonly string[];
  readonly json?: string;
  readonly threads: number;
  readonly relaxed?: true;
  readonly quick?: true;
  readonly best?: true;
}

async function bench(options: Options): Promise<void> {
  const effort = options.best ? best : options.quick ? quick : thorough;
  if (options.backend === 'webgpu') {
    const { benchGpu } = await import('./gpu/bench.ts');
    return benchGpu({ ...options, effort });
  }
  const isWanted = ({ name }: { name: string }) => options.rows?.test(name) ?? true;
  const chosen = rows.filter(isWanted);
  const wantedFacts = facts.filter(isWanted);
  if (chosen.length + wantedFacts.length === 0)
    throw new InvalidArgumentError(
      'no row has a name like that; they stand in tools/bench/rows.ts and networks/facts.ts',
    );
  // Node 20 has it behind a flag. Benches may set one, library code never does.
  if (options.relaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');

  const { threads } = options;
  const load = [os.loadavg()[0] ?? 0];
  const make = backends[options.backend] as (typeof backends)[string];
  const ours = await tessera(options.backend, () => make({ threads }));
  const limits = new Limits(threads);
  const { peers, absent } = await startPeers(options.peers, threads);
  const open = [ours, limits, ...peers];
  const { relaxed } = ours.uses;
  let results: RowResult[] = [];
  process.once('SIGINT', () => process.exit(130)); // the peers end with their input
  try {
    const setting = { ours, peers, limits, threads, effort, absent, relaxed: features().relaxed };
    results.push(...(await measureLimits(setting)));
    for (const [i, row] of chosen.entries()) {
      process.stderr.write(`\r\x1b[K${i + 1}/${chosen.length} ${row.name}`);
      results.push(await measureRow(row, setting));
    }
    process.stderr.write('\r\x1b[K');
  } finally {
    for (const contestant of open) contestant.close();
  }
  if (options.best) results = withBestLimits(results);
  const measureFact = measurer({ backend: options.backend, threads, torch: whyNot('torch', { peers, absent }) });
  const found: FactResult[] = [];
  for (const [i, fact] of wantedFacts.entries()) {
    process.stderr.write(`\r\x1b[K${i + 1}/${wantedFacts.length} ${fact.name}`);
    found.push(await measureFact(fact));
  }
  process.stderr.write('\r\x1b[K');
  load.push(os.loadavg()[0] ?? 0);
  const machine: Machine = {
    cpu: `${os.cpus()[0]?.model ?? 'unknown'}, ${os.availableParallelism()} processors`,
    threads: ours.uses.threads,
    node: process.version,
    backend: options.backend,
    relaxed,
    load,
    peers: Object.fromEntries(peers.map(({ name, version }) => [name, version])),
  };
  const simd = relaxed ? 'relaxed SIMD' : 'SIMD';
  const versions = peers.map(({ name, version }) => `${name} ${version}`).join(', ') || 'none';
  console.log(
    `${machine.cpu}; Node ${machine.node}, ${machine.threads} thread${machine.threads > 1 ? 's' : ''}, ${simd}; load ${load.map((l) => l.toFixed(1)).join(' → ')}`,
  );
  console.log(`peers: ${versions}\n`);
  const tables = [results.length && table(machine, results, causes), found.length && factTable(found, causes)];
  console.log(tables.filter(Boolean).join('\n\n'));
  const report = {
    ...toJson(machine, results, causes),
    ...(found.length > 0 && { facts: factsToJson(found, causes) }),
  };
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

/** True for a peer that takes part. */
const whyNot = (name: string, { peers, absent }: Peers): true | string =>
  peers.some((peer) => peer.name === name) || (absent[name] ?? 'not asked for; see --peers');

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('wants an integer of at least 1');
  return value;
};
const pattern = (text: string): RegExp => {
  try {
    return new RegExp(text, 'i');
  } catch {
    throw new InvalidArgumentError('is no regular expression');
  }
};
const list = (text: string): readonly string[] => {
  const names = text === 'none' ? [] : text === 'all' ? peerNames : text.split(',');
  const unknown = names.find((name) => !peerNames.includes(name));
  if (unknown !== undefined) throw new InvalidArgumentError(`${unknown} is not one of ${peerNames.join(', ')}`);
  return names;
};

await new Command('bench')
  .description('Measures a backend beside other libraries and the machine’s limits, in one run.')
  .addOption(
    new Option('--backend <name>', 'whose turn it is').choices([...Object.keys(backends), 'webgpu']).default('cpu'),
  )
  .option('--rows <pattern>', 'rows whose name matches this regular expression', pattern)
  .option('--peers <list>', `of ${peerNames.join(', ')}, by commas; all or none`, list, peerNames)
  .option('--json <file>', 'write the results there too')
  .option('--threads <n>', 'for ours, the limits, and peers that can', count, os.availableParallelism())
  .option('--relaxed', 'relaxed SIMD where the engine has it behind a flag (Node 20)')
  .option('--quick', 'few repetitions')
  .option('--best', 'the best of many short turns instead of the median, for a machine with other work')
  .action(bench)
  .parseAsync();
