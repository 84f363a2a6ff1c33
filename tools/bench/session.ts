/** From a row to its result: who takes part, and what their answers say. */
import type { Contestant, Numbers } from './contestant.ts';
import { type Limits, limitAmount } from './limits.ts';
import { type Effort, type Entrant, entrant, type Outcome, race } from './measure.ts';
import { modelOf } from './networks/ours.ts';
import type { RowResult } from './result.ts';
import type { Row } from './rows.ts';
import { type Limit, product, type Work } from './work.ts';

export interface Setting {
  readonly ours: Contestant;
  readonly peers: readonly Contestant[];
  /** Of the machine's processor; null where the work is not its. */
  readonly limits: Limits | null;
  readonly threads: number;
  readonly effort: Effort;
  /** Peers that did not start, and why. */
  readonly absent: Readonly<Record<string, string>>;
  /** Has the engine relaxed SIMD? */
  readonly relaxed: boolean;
}

const limitEntrant = (limits: Limits, of: Limit, threads: number): Entrant => ({
  contestant: limits.lane(of, threads),
  work: { op: 'limit', of, threads },
  amount: limitAmount(of, threads),
});

/** The machine's own rows, on one thread and on all. */
export async function measureLimits({ limits, threads, effort, relaxed }: Setting): Promise<RowResult[]> {
  if (!limits) return [];
  const names = { plain: 'multiply-add in registers', relaxed: 'the same, fused', copy: 'memory copy, 64 MiB' };
  const results: RowResult[] = [];
  for (const of of ['plain', 'relaxed', 'copy'] as const) {
    for (const count of threads === 1 ? [1] : [1, threads]) {
      const name = `limit: ${names[of]}, ${count} thread${count > 1 ? 's' : ''}`;
      const unit = of === 'copy' ? 'GB/s' : 'GFLOP/s';
      const row: Row = { name, work: { op: 'limit', of, threads: count }, unit, limit: null, goals: [] };
      const [outcome] =
        of === 'relaxed' && !relaxed
          ? [{ fault: 'this engine has no relaxed SIMD; Node 20 has it with --relaxed' }]
          : await race([limitEntrant(limits, of, count)], effort);
      const known = outcome && 'value' in outcome;
      const missing: Record<string, string> = outcome && 'fault' in outcome ? { ours: outcome.fault } : {};
      results.push({ row, ours: known ? outcome.value : null, peers: {}, limits: {}, missing });
    }
  }
  return results;
}

/**
 * The machine's limit does not change from row to row: where the best counts, a limit is the best seen in the whole run, or a
 * row would look better whenever its limit had to share the cores.
 */
export function withBestLimits(results: readonly RowResult[]): RowResult[] {
  const seen: Partial<Record<Limit | 'none', number>> = {};
  const note = (of: Limit, value: number) => {
    seen[of] = Math.max(seen[of] ?? 0, value);
  };
  const most = Math.max(...results.map(({ row }) => (row.work.op === 'limit' ? row.work.threads : 0)));
  const whole = ({ work }: Row): Limit | null => (work.op === 'limit' && work.threads === most ? work.of : null);
  for (const { row, ours, limits } of results) {
    const of = whole(row);
    if (of && ours !== null) note(of, ours);
    for (const [of, value] of Object.entries(limits)) note(of as Limit, value);
  }
  return results.map((result) => ({
    ...result,
    ours: seen[whole(result.row) ?? 'none'] ?? result.ours,
    limits: Object.fromEntries(Object.keys(result.limits).map((of) => [of, seen[of as Limit] as number])),
  }));
}

/** Ours, the peers and the limits that bound the row, in turns. */
export async function measureRow(row: Row, setting: Setting): Promise<RowResult> {
  const { ours, peers, limits, threads, effort, absent } = setting;
  const kinds = limits ? limitsOf(row, setting.relaxed) : [];
  const lanes = kinds.map((of) => limitEntrant(limits as Limits, of, threads));
  const work = await spelledOut(row.work);
  const entrants = [...[ours, ...peers].map((contestant) => entrant(contestant, work, row.unit)), ...lanes];
  const outcomes = await race(entrants, effort);
  const [own, ...others] = outcomes as [Outcome, ...Outcome[]];

  const missing: Record<string, string> = { ...absent };
  const values: Record<string, number> = {};
  if ('fault' in own) missing['ours'] = own.fault;
  peers.forEach(({ name }, i) => {
    const outcome = others[i] as Outcome;
    if ('fault' in outcome) missing[name] = outcome.fault;
    else if ('value' in own && !alike(own.first, outcome.first, slackOf(row.work)))
      missing[name] = `another answer: it begins with ${outcome.first}, ours with ${own.first}`;
    else values[name] = outcome.value;
  });
  const reached: Partial<Record<Limit, number>> = {};
  kinds.forEach((of, i) => {
    const outcome = others[peers.length + i] as Outcome;
    if ('value' in outcome) reached[of] = outcome.value;
  });
  return { row, ours: 'value' in own ? own.value : null, peers: values, limits: reached, missing };
}

/** Both multiply-add loops, for a goal may be of the plain one where the fused one bounds. */
const limitsOf = (row: Row, relaxed: boolean): Limit[] =>
  row.limit === 'copy' ? ['copy'] : row.limit === 'multiply' ? (relaxed ? ['plain', 'relaxed'] : ['plain']) : [];

/** What a first number may miss by, however small it is: a sum of millions that cancel has lost more than other rows. */
const slackOf = (work: Row['work']): number => (work.op === 'sum' ? 1e-8 * product(work.x) : 1e-3);

/** Did both compute the same? Wide enough for Winograd and for long sums, narrow enough for a wrong shape. */
export function alike(a: Numbers, b: Numbers, slack = 1e-3): boolean {
  if (a === null || b === null) return true;
  const [all, others] = [[a].flat(), [b].flat()];
  const largest = Math.max(...[...all, ...others].map(Math.abs));
  return (
    all.length === others.length && all.every((x, i) => Math.abs(x - (others[i] as number)) <= 1e-2 * largest + slack)
  );
}

/** A network's work with its layers, for peers to build it from. */
async function spelledOut(work: Work): Promise<Work> {
  return work.op === 'network' ? { ...work, network: (await modelOf(work)).network } : work;
}
