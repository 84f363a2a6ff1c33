/** One row: everybody is warmed up, then takes turns; the median of the turns counts (or the best). */
import type { Contestant, Numbers } from './contestant.ts';
import { amountOf, type Unit, type Work } from './work.ts';

export interface Effort {
  /** Milliseconds of warming up: V8 compiles WebAssembly anew, better, in the background. */
  readonly warmUp: number;
  /** Milliseconds of one turn, at least one run. */
  readonly turn: number;
  readonly turns: number;
  /** Milliseconds for all turns of one contestant: what takes seconds gets fewer, one at least. */
  readonly budget: number;
  /** What counts of the turns. */
  readonly pick: (values: readonly number[]) => number;
}
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  if (!Number.isInteger(middle)) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
export const thorough: Effort = { warmUp: 600, turn: 40, turns: 9, budget: 4000, pick: median };
export const quick: Effort = { ...thorough, warmUp: 250, turn: 15, turns: 3, budget: 1000 };
/** For a machine that does other work besides: many short turns, of which the best had the cores for itself. */
export const best: Effort = { warmUp: 500, turn: 3, turns: 41, budget: 3000, pick: (values) => Math.max(...values) };

export interface Entrant {
  readonly contestant: Contestant;
  readonly work: Work;
  /** How much one run does. */
  readonly amount: number;
}
export const entrant = (contestant: Contestant, work: Work, unit: Unit): Entrant => ({
  contestant,
  work,
  amount: amountOf(work, unit),
});

/** What one contestant reached, in amount a second, or why it did not. */
export type Outcome = { readonly value: number; readonly first: Numbers } | { readonly fault: string };

/** Milliseconds between turns, in which the other's threads stop looking for work. */
const pause = 4;
const rest = () => new Promise((resolve) => setTimeout(resolve, pause));
const reasonOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ');

/** Outcomes in the order of the entrants. A contestant that fails is out; the others go on. */
export async function race(entrants: readonly Entrant[], effort: Effort): Promise<Outcome[]> {
  const lanes = entrants.map(({ contestant, work, amount }) => ({
    contestant,
    work,
    amount,
    times: 1,
    turns: effort.turns,
    first: null as Numbers,
    values: [] as number[],
    fault: null as string | null,
  }));
  const attempt = async (lane: (typeof lanes)[number], act: () => Promise<void>) => {
    if (lane.fault !== null) return;
    try {
      await act();
    } catch (error) {
      lane.fault = reasonOf(error);
    }
  };
  for (const lane of lanes) {
    await attempt(lane, async () => {
      lane.first = await lane.contestant.prepare(lane.work);
      const each = await warmUp(lane.contestant, effort);
      lane.times = Math.max(1, Math.round(effort.turn / each));
      lane.turns = Math.max(1, Math.min(effort.turns, Math.floor(effort.budget / (each * lane.times))));
    });
  }
  for (let turn = 0; turn < effort.turns; turn++) {
    for (let i = 0; i < lanes.length; i++) {
      // Nobody always comes after the same one.
      const lane = lanes[(i + turn) % lanes.length] as (typeof lanes)[number];
      if (turn >= lane.turns) continue;
      await rest();
      await attempt(lane, async () => {
        lane.values.push((1000 * lane.times * lane.amount) / (await lane.contestant.run(lane.times)));
      });
    }
  }
  return lanes.map(({ fault, values, first }) => (fault === null ? { value: effort.pick(values), first } : { fault }));
}

/** Runs until the time is over, more at once as it goes; answers milliseconds of one run. */
async function warmUp(contestant: Contestant, { warmUp, turn }: Effort): Promise<number> {
  const end = performance.now() + warmUp;
  let each = Number.POSITIVE_INFINITY;
  let times = 1;
  do {
    each = (await contestant.run(times)) / times;
    times = Math.max(1, Math.min(2 * times, Math.round(turn / each)));
  } while (performance.now() < end);
  return each;
}
