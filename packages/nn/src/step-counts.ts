/**
 * How many steps each parameter of an optimizer has made. Parameters that made all theirs together share a count, so that there
 * is one as long as none sits a step out; one that does, frozen or without a gradient, goes on from where it was.
 */
import { guard, State, tensor } from '@tessera/tensor';
import { untraced } from './untraced';

/** Keys of counts beside the common one: the parameters they are of, '0-159.step' or '0,2-4.step'. */
const ownKey = /^(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)\.step$/;

export class StepCounts {
  /** [] float32 as in PyTorch, of all that have none of their own. */
  readonly #common = new State(tensor(0));
  /** By parameter. */
  #of: readonly State[];
  #splits = 0;

  constructor(parameters: number) {
    this.#of = Array.from({ length: parameters }, () => this.#common);
  }

  /** The count of each parameter, one for those that take the step and none of those that sit it out. */
  split(takes: readonly boolean[]): readonly State[] {
    for (const count of new Set(this.#of)) {
      const [taking, idle] = [true, false].map((part) => takes.some((t, i) => t === part && this.#of[i] === count));
      if (!taking || !idle) continue;
      const own = untraced(() => new State(count.read()));
      this.#of = this.#of.map((of, i) => (of === count && !takes[i] ? own : of));
      this.#splits++;
    }
    guard(() => this.#splits); // a trace from before knows too few counts
    return this.#of;
  }

  /** By key: 'step' is the common one. */
  entries(): [key: string, count: State][] {
    const others = [...new Set(this.#of)].filter((count) => count !== this.#common);
    const own = others.map((count): [string, State] => [`${placesOf(this.#of, count)}.step`, count]);
    return [['step', this.#common], ...own];
  }

  /** As many counts, of the same parameters, as those that were saved under these keys. → how to undo it. */
  arrange(keys: Iterable<string>): () => void {
    const before = this.#of;
    const of = before.map(() => this.#common);
    for (const key of keys) {
      const places = ownKey.exec(key)?.[1]?.split(',').flatMap(placesIn) ?? [];
      const own = new State(tensor(0));
      // Other places than there are: the key is left to be refused.
      if (places.every((place) => place < of.length)) for (const place of places) of[place] = own;
    }
    const set = (counts: readonly State[]): void => {
      if (this.#of.some((count, i) => count !== counts[i])) this.#splits++;
      this.#of = counts;
    };
    set(of);
    return () => set(before);
  }
}

/** '0-2,5' for the places 0, 1, 2 and 5. */
function placesOf(of: readonly State[], count: State): string {
  const ranges: [from: number, to: number][] = [];
  for (const [i, own] of of.entries()) {
    const last = ranges.at(-1);
    if (own !== count) continue;
    if (last?.[1] === i - 1) last[1] = i;
    else ranges.push([i, i]);
  }
  return ranges.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(',');
}
function placesIn(range: string): number[] {
  const [from = 0, to = from] = range.split('-').map(Number);
  // A file may say anything: no more places than could be.
  return Array.from({ length: Math.min(Math.max(0, to - from + 1), 1e6) }, (_, i) => from + i);
}
