/** The program of the bundle: golden cases, figures and profiles on this machine's GPU, printed and written down. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readGolden } from '@tessera/testkit';
import { Command } from 'commander';
import { type Figure, figures, prepareFigure, tinyFigures } from '../bench/gpu/figures.ts';
import { type Profile, profileOf, profileTable } from '../bench/gpu/profile.ts';
import { type FigureResult, startGpu, timeFigures, torchFigures } from '../bench/gpu/report.ts';
import { factGoal, factVerdict } from '../bench/networks/facts.ts';
import { align, short } from '../bench/table.ts';
import { runGolden } from '../golden/run.ts';

const here = import.meta.dirname;
const goldenFiles = ['ops', 'thin', 'small', 'models', 'families'] as const;
const parts = ['golden', 'figures', 'profile'] as const;

interface Options {
  readonly parts: string;
  readonly cases?: string;
  readonly figures?: string;
  readonly profile: string;
  readonly seconds: string;
  readonly tiny?: true;
  readonly results: string;
}

const title = (text: string): void => console.log(`\n== ${text}`);

async function main(options: Options): Promise<void> {
  const wanted = (part: (typeof parts)[number]) => options.parts.split(',').includes(part);
  const results: Record<string, unknown> = {};
  const save = () => writeFile(options.results, `${JSON.stringify(results, null, 1)}\n`);

  const { backend, name } = await startGpu();
  const { features } = (backend as unknown as { info(): { features: readonly string[] } }).info();
  console.log(`${name}\nfeatures: ${features.join(', ') || 'none'}; Node ${process.version}`);
  results['gpu'] = { name, features };
  backend.dispose();

  if (wanted('golden')) results['golden'] = await golden(options);
  await save();
  const chosen = (options.tiny ? tinyFigures : figures).filter(({ name }) => matches(name, options.figures));
  if (wanted('figures')) results['figures'] = await timeAll(chosen, options);
  await save();
  if (wanted('profile')) results['profile'] = await profileAll(options);
  await save();
  console.log(`\nwrote ${options.results}`);
}

const matches = (name: string, pattern: string | undefined): boolean => !pattern || new RegExp(pattern, 'i').test(name);

async function golden({ cases, seconds }: Options): Promise<object> {
  title('golden cases, against PyTorch');
  const signal = AbortSignal.timeout(1000 * Number(seconds));
  const found: Record<string, object> = {};
  for (const file of goldenFiles) {
    const { backend } = await startGpu();
    const faults: Record<string, string> = {};
    const start = performance.now();
    const { passed, failed, left } = await runGolden(
      readGolden(await readFile(join(here, `golden/${file}.safetensors`))),
      {
        only: cases,
        signal,
        onCase: (name, fault) => {
          if (!fault) return;
          faults[name] = fault;
          console.log(`  ${name} ${fault}`);
        },
      },
    );
    backend.dispose();
    const time = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    console.log(`${file}: ${passed} passed, ${failed} failed${left ? `, ${left} left out for the time` : ''}, ${time}`);
    found[file] = { passed, failed, left, faults };
  }
  return found;
}

async function timeAll(chosen: readonly Figure[], { seconds }: Options): Promise<object> {
  title('figures, in ms');
  const torch = await torchFigures(chosen, join(here, 'torch_figures.py'));
  console.log(torch.version ? `beside PyTorch ${torch.version}` : `no PyTorch: ${[...torch.times.values()][0]}`);
  const lineOf = (result: FigureResult): string[] => {
    const { fact, ours, torch: theirs, encode, first, beside } = result;
    const number = (value: number | null) => (value === null ? '–' : short(value));
    const ratio = ours !== null && theirs !== null ? ` (${(ours / theirs).toFixed(2)}×)` : '';
    return [
      fact.name,
      number(ours),
      number(theirs) + ratio,
      beside,
      number(encode),
      number(first),
      `${factGoal(fact)}: ${factVerdict(result)}`,
    ];
  };
  const all = await timeFigures(
    chosen,
    startGpu,
    torch.times,
    (result) =>
      console.log(
        `  ${lineOf(result).slice(0, 2).join(': ')}${result.missing['ours'] ? ` ${result.missing['ours']}` : ''}`,
      ),
    AbortSignal.timeout(1000 * Number(seconds)),
  );
  const head = ['', 'ours', 'torch here (ours/it)', 'on one H100', 'encode', 'first run', 'goal'];
  console.log(`\n${align([head, ...all.map(lineOf)]).join('\n')}`);
  return all.map(({ fact, ours, torch, encode, first, missing }) => ({
    name: fact.name,
    ours,
    torch,
    encode,
    first,
    missing,
  }));
}

async function profileAll({ profile, tiny }: Options): Promise<object> {
  const found: Record<string, Profile | string> = {};
  for (const { name, work } of tiny
    ? tinyFigures.slice(-1)
    : figures.filter((figure) => matches(figure.name, profile))) {
    title(`profile: ${name}`);
    const { backend } = await startGpu();
    try {
      const { run } = await prepareFigure(work);
      const seen = await profileOf(run, backend, tiny ? 1 : 5);
      found[name] = seen;
      console.log(profileTable(seen));
    } catch (error) {
      found[name] = error instanceof Error ? error.message : String(error);
      console.log(found[name]);
    } finally {
      backend.dispose();
    }
  }
  return found;
}

await new Command('run')
  .description('Golden cases, figures and profiles of Tessera on this machine’s GPU.')
  .option('--parts <list>', `of ${parts.join(', ')}, by commas`, parts.join())
  .option('--cases <prefix>', 'golden cases whose name begins so')
  .option('--figures <pattern>', 'figures whose name matches')
  .option('--profile <pattern>', 'profiles of the figures whose name matches', 'ResNet-50 training step')
  .option('--seconds <n>', 'how long golden cases may take, and figures', '600')
  .option('--tiny', 'tiny works, to try the bundle on an emulated GPU')
  .option('--results <file>', 'where the results go', join(here, 'results.json'))
  .action(main)
  .parseAsync();
process.exit();
