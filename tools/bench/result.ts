/** What came of a row: values, verdicts on its goals, and the file that every bench writes. */
import { type FactResult, factGoal, factVerdict } from './networks/facts.ts';
import type { Goal, Row } from './rows.ts';
import type { Limit } from './work.ts';

export interface Machine {
  readonly cpu: string;
  readonly threads: number;
  readonly node: string;
  readonly backend: string;
  /** Fused multiply-add in WebAssembly. */
  readonly relaxed: boolean;
  /** Processes that wanted a core when the run began and ended: far above the cores, only ratios mean anything. */
  readonly load: readonly number[];
  readonly peers: Readonly<Record<string, string>>;
}

export interface RowResult {
  readonly row: Row;
  /** Amount a second, or null with the reason in `missing.ours`. */
  readonly ours: number | null;
  readonly peers: Readonly<Record<string, number>>;
  readonly limits: Readonly<Partial<Record<Limit, number>>>;
  /** Why a value is not there, by contestant. */
  readonly missing: Readonly<Record<string, string>>;
}

export type Verdict = 'met' | 'lost' | 'not measured';

/** Peers that are not written for JavaScript engines: compared with, but no goal. */
const native = ['torch'];

/** The limit that bounds a row on this engine. */
export function limitOf({ row, limits }: RowResult, relaxed: boolean): number | null {
  if (row.limit === null) return null;
  return limits[row.limit === 'copy' ? 'copy' : relaxed ? 'relaxed' : 'plain'] ?? null;
}

/** A share of what the goal is of; null where that, or ours, was not measured. */
export function share(goal: Goal, result: RowResult, relaxed: boolean): number | null {
  const { ours, peers, limits } = result;
  if (ours === null) return null;
  if (goal.of === 'torch') return peers['torch'] === undefined ? null : ours / peers['torch'];
  if (goal.of === 'peers') {
    const rivals = Object.entries(peers).filter(([name]) => !native.includes(name));
    return rivals.length ? ours / Math.max(...rivals.map(([, value]) => value)) : null;
  }
  // Kernels of one engine are not held to the limit of the other.
  if ((goal.of === 'plain' && relaxed && hasGoal(result, 'relaxed')) || (goal.of === 'relaxed' && !relaxed))
    return null;
  const limit = limits[goal.of];
  return limit === undefined ? null : ours / limit;
}
/** Has the row a goal of its own for this limit? */
const hasGoal = ({ row }: RowResult, limit: Limit): boolean => row.goals.some(({ of }) => of === limit);

export const verdict = (goal: Goal, result: RowResult, relaxed: boolean): Verdict => {
  const reached = share(goal, result, relaxed);
  return reached === null ? 'not measured' : reached >= goal.atLeast ? 'met' : 'lost';
};

const nameOf: Record<Goal['of'], string> = {
  plain: 'plain limit',
  relaxed: 'relaxed limit',
  copy: 'copy rate',
  peers: 'JavaScript peers',
  torch: 'PyTorch’s time',
};
export function goalText({ of, atLeast }: Goal): string {
  if (of === 'peers') return `≥ ${atLeast}× ${nameOf[of]}`;
  if (of === 'torch') return `≤ ${digits(1 / atLeast)}× ${nameOf[of]}`;
  return `≥ ${Math.round(100 * atLeast)} % of ${nameOf[of]}`;
}

/** Three digits, and no more behind the point than they need. */
export const digits = (value: number): number => Number(value.toPrecision(4));

/** `{ machine, rows: [{ work, unit, ours, peers, limit, … }] }`, as every bench of the project writes it. */
export function toJson(machine: Machine, results: readonly RowResult[], causes: Readonly<Record<string, string>>) {
  return {
    machine,
    rows: results.map((result) => {
      const { row, ours, peers, missing } = result;
      const limit = limitOf(result, machine.relaxed);
      const goals = row.goals.map((goal) => ({
        goal: goalText(goal),
        verdict: verdict(goal, result, machine.relaxed),
      }));
      const cause = goals.some(({ verdict }) => verdict === 'lost')
        ? { cause: causes[row.name] ?? 'not known yet' }
        : {};
      return {
        work: row.name,
        unit: row.unit,
        ours: ours === null ? null : digits(ours),
        peers: Object.fromEntries(Object.entries(peers).map(([name, value]) => [name, digits(value)])),
        limit: limit === null ? null : digits(limit),
        goals,
        ...cause,
        ...(Object.keys(missing).length > 0 && { missing }),
      };
    }),
  };
}

/** As rows, with PyTorch's beside ours. */
export function factsToJson(results: readonly FactResult[], causes: Readonly<Record<string, string>>) {
  return results.map((result) => {
    const { fact, ours, torch, missing } = result;
    const verdict = factVerdict(result);
    return {
      fact: fact.name,
      unit: fact.unit,
      ours: ours === null ? null : digits(ours),
      ...(torch !== null && { torch: digits(torch) }),
      ...(verdict && { goals: [{ goal: factGoal(fact), verdict }] }),
      ...(verdict === 'lost' && { cause: causes[fact.name] ?? 'not known yet' }),
      ...(Object.keys(missing).length > 0 && { missing }),
    };
  });
}
