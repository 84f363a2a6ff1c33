/** The table on the terminal. */
import { type FactResult, factGoal, factVerdict } from './networks/facts.ts';
import { goalText, limitOf, type Machine, type RowResult, share, verdict } from './result.ts';
import type { Goal } from './rows.ts';

/** 0.0123, 1.23, 12.3, 123, 1230. */
export const short = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value.toPrecision(3).replace(/e.*/, '');

/** Columns as wide as their widest cell, the first to the left. */
export function align(lines: readonly (readonly string[])[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((cells) => [...(cells[column] ?? '')].length)),
  );
  return lines.map((cells) =>
    cells
      .map((cell, column) => {
        const fill = ' '.repeat((widths[column] ?? 0) - [...cell].length);
        return column === 0 || column === cells.length - 1 ? cell + fill : fill + cell;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Ours and each peer's with ours/peer beside it, the share of the limit, and what became of the goals. */
export function table(
  machine: Machine,
  results: readonly RowResult[],
  causes: Readonly<Record<string, string>>,
): string {
  const peers = Object.keys(machine.peers);
  const head = ['', 'unit', 'ours', ...peers.map((name) => `${name} (ours/it)`), 'limit', '% of it', 'goals'];
  const lines = results.map((result) => {
    const { row, ours } = result;
    const limit = limitOf(result, machine.relaxed);
    const against = peers.map((name) => {
      const value = result.peers[name];
      if (value === undefined) return '–';
      return ours === null ? short(value) : `${short(value)} (${(ours / value).toFixed(2)}×)`;
    });
    return [
      row.name,
      row.unit,
      ours === null ? (row.work.op === 'limit' ? '–' : 'failed') : short(ours),
      ...against,
      limit === null ? '–' : short(limit),
      limit === null || ours === null ? '–' : `${Math.round((100 * ours) / limit)} %`,
      goalsOf(result, machine.relaxed),
    ];
  });
  return [...align([head, ...lines]), ...notes(results, machine, causes), '', summary(results, machine)].join('\n');
}

/** As the goal itself is told. */
const shareText = ({ of }: Goal, reached: number): string => {
  if (of === 'torch') return (1 / reached).toFixed(2);
  return of === 'peers' ? reached.toFixed(2) : `${Math.round(100 * reached)} %`;
};
const goalsOf = (result: RowResult, relaxed: boolean): string =>
  result.row.goals
    .map((goal) => {
      const reached = share(goal, result, relaxed);
      const amount = reached === null ? '' : ` (${shareText(goal, reached)})`;
      return `${goalText(goal)}: ${verdict(goal, result, relaxed)}${amount}`;
    })
    .join('; ');

/** Lost rows with their causes, then what was not measured and why, rows of one reason together. */
function notes(
  results: readonly RowResult[],
  { relaxed }: Machine,
  causes: Readonly<Record<string, string>>,
): string[] {
  const lost = results.filter((result) => result.row.goals.some((goal) => verdict(goal, result, relaxed) === 'lost'));
  const reasons = new Map<string, string[]>();
  for (const { row, missing } of results) {
    for (const [name, reason] of Object.entries(missing)) {
      const key = `${name}: ${reason}`;
      reasons.set(key, [...(reasons.get(key) ?? []), row.name]);
    }
  }
  return [
    ...(lost.length ? ['', 'Lost, and why:'] : []),
    ...lost.map(({ row }) => `  ${row.name}: ${causes[row.name] ?? 'cause not known yet'}`),
    ...(reasons.size ? ['', 'Not measured:'] : []),
    ...[...reasons].map(([reason, names]) => `  ${reason} [${names.join('; ')}]`),
  ];
}

function summary(results: readonly RowResult[], { relaxed }: Machine): string {
  const verdicts = results.flatMap((result) => result.row.goals.map((goal) => verdict(goal, result, relaxed)));
  const count = (what: string) => verdicts.filter((verdict) => verdict === what).length;
  return `goals: ${count('met')} met, ${count('lost')} lost, ${count('not measured')} not measured`;
}

/** What steps cost beside their arithmetic. */
export function factTable(results: readonly FactResult[], causes: Readonly<Record<string, string>>): string {
  const value = (number: number | null) => (number === null ? '–' : short(number));
  const lines = results.map((result) => {
    const { fact, ours, torch } = result;
    const beside = ours === null || torch === null ? '' : ` (${(ours / torch).toFixed(2)}×)`;
    const goal = fact.goal ? `${factGoal(fact)}: ${factVerdict(result)}` : '';
    return [fact.name, fact.unit, value(ours), `${value(torch)}${beside}`, goal];
  });
  const lost = results.filter((result) => factVerdict(result) === 'lost');
  const why = new Map<string, string[]>();
  for (const { fact } of lost) {
    const cause = causes[fact.name] ?? 'cause not known yet';
    why.set(cause, [...(why.get(cause) ?? []), fact.name]);
  }
  const reasons = new Map<string, string[]>();
  for (const { fact, missing } of results)
    for (const [who, reason] of Object.entries(missing)) {
      const key = `${who}: ${reason}`;
      reasons.set(key, [...(reasons.get(key) ?? []), fact.name]);
    }
  const missing = [...reasons].map(([reason, names]) => `  ${reason} [${names.join('; ')}]`);
  return [
    ...align([['', 'unit', 'ours', 'torch (ours/it)', 'goal'], ...lines]),
    ...(lost.length ? ['', 'Lost, and why:'] : []),
    ...[...why].map(([cause, names]) => `  ${names.join('; ')}: ${cause}`),
    ...(missing.length ? ['', 'Not measured:', ...missing] : []),
  ].join('\n');
}
