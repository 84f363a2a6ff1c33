/** What a run found, on a screen or two: what is right, what was not reached and why, and the figures beside their goals and others. */
import { factGoal, factVerdict } from '../bench/networks/facts.ts';
import { align, short } from '../bench/table.ts';
import { figureOf } from './parts/figure.ts';
import type { Found, Results } from './supervisor.ts';

/** Faults of a set of cases that are shown; all are in the file. */
const shown = 5;

export function summaryOf(results: Results): string {
  const {
    device = {},
    golden = {},
    training = {},
    kernels = {},
    networks = {},
    figures = {},
    tuning = {},
    torch = {},
  } = results;
  const devices = Object.entries(device).map(([name, { name: adapter, ended, fault }]) =>
    ended ? `device ${name}: ${reasonOf(ended, fault)}` : `device ${name}: ${adapter}`,
  );
  const sets = Object.entries({ golden, training, kernels, networks }).flatMap(([part, of]) =>
    Object.entries(of).map(([name, found]) => setOf(`${part} ${name}`, found)),
  );
  const numbers = torch['PyTorch'] ?? {};
  const unmeasured = Object.entries({ ...figures, ...prefixed('tuning of ', tuning), ...torch }).flatMap(
    ([name, { ended, fault }]) => (ended ? [`${name}: ${fault ?? ended}`] : []),
  );
  const wrong = Object.entries(figures).flatMap(([name, { rms }]) =>
    rms === undefined || Number.isFinite(Number(rms)) ? [] : [`WRONG: the first result of ${name} is ${rms}`],
  );
  const table = Object.keys(figures).length ? ['', ...tableOf(figures, tuning, numbers)] : [];
  return [...devices, ...sets, ...wrong, ...table, ...(unmeasured.length ? ['', ...unmeasured] : [])].join('\n');
}

const reasonOf = (ended: string, fault: unknown): string => (fault ? `${ended}; ${fault}` : ended);

const prefixed = (prefix: string, of: Record<string, Found>): Record<string, Found> =>
  Object.fromEntries(Object.entries(of).map(([name, found]) => [prefix + name, found]));

/** Cases that passed, that failed with the first of their faults, and that were not reached. */
function setOf(name: string, { passed = 0, failed = 0, cases, ended, fault, faults = {} }: Found): string {
  const counts = [`${passed} passed`, `${failed} failed`];
  const left = cases === undefined ? null : cases - passed - failed;
  if (left) counts.push(`${left} not reached`);
  const first = Object.entries(faults).slice(0, shown);
  return [
    `${name}: ${counts.join(', ')}${ended ? ` (${reasonOf(ended, fault)})` : ''}`,
    ...first.map(([title, fault]) => `  ${title}: ${fault.replace(/\s+/g, ' ').slice(0, 160)}`),
    ...(failed > first.length ? [`  and ${failed - first.length} more`] : []),
  ].join('\n');
}

function tableOf(figures: Record<string, Found>, tuning: Record<string, Found>, torch: Partial<Found>): string[] {
  const milliseconds = (value: unknown): number | null => (typeof value === 'number' ? value : null);
  const text = (value: unknown) => (typeof value === 'number' ? short(value) : '–');
  const lines = Object.entries(figures).map(([name, found]) => {
    const { atMost, beside } = figureOf(name);
    const [ours, theirs] = [milliseconds(found['milliseconds']), milliseconds(torch[name])];
    const fact = { name, unit: 'ms', goal: { atMost, of: 'unit' } } as const;
    const verdict = factVerdict({ fact, ours, torch: null, missing: {} });
    const ratio = ours && theirs ? ` (${(ours / theirs).toFixed(2)}×)` : '';
    const [tuned, encode, first] = [tuning[name]?.['after'], found['encode'], found['first']].map(text);
    return [name, text(ours), tuned, text(theirs) + ratio, beside, encode, first, `${factGoal(fact)}: ${verdict}`];
  }) as string[][];
  const head = ['', 'ours, ms', 'tuned', 'torch here (ours/it)', 'on one H100', 'encode', 'first run', 'goal'];
  return align([head, ...lines]);
}
