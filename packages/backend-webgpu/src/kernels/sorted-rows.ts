/**
 * Sorting rows of (key, place) pairs, stable: what sort and scatter stand on. Keys are u32, whose order is the one wanted; places
 * are positions in the row, and decide between equal keys, so that no two pairs are equal. A workgroup sorts a run in its memory:
 *
 *     0 1 2 3 4 5 6 7      a bitonic network: runs of 2, 4, 8 … pairs, alternately up and down, are merged by exchanging pairs
 *     ↕ · ↕ · ↕ · ↕ ·      that are half a run, a quarter, … 1 apart, all at once
 *
 * Longer rows go through scratch, their runs merged two by two:
 *
 *     ├─ run ─┼─ run ─┼─ run ─┼─ run ─┤      a thread an element: its rank is its place in its own run, plus how many of the
 *     ├─── merged ────┼──── merged ───┤      other run stand before it, found by halving. Equals of the left run go first.
 *
 * Scratch holds keys and places twice, for merging goes to and fro.
 */
import type { Kernel } from '@tessera/tensor/backend';
import { type Block, type Dispatch, dispatch, type Given, type Target } from '../shader';

export const tile = {
  /** Pairs of a run at most, and threads that sort it; threads that merge, and that fetch values at the end. */
  run: 1024,
  threads: 256,
  merge: 64,
  fetch: 64,
} as const;
/** What a tuner tries in its place. */
export const sortTiles = [
  { run: 512 },
  { run: 2048 },
  { threads: 128 },
  { threads: 512 },
  { merge: 128 },
  { merge: 256 },
  { fetch: 256 },
];

/** Where the sorted pairs lie. */
export interface Sorted {
  readonly dispatches: readonly Dispatch[];
  readonly scratch: number;
  /** Pair `position` of row `row` (u32 texts), as elements of scratch. */
  key(row: string, position: string): string;
  place(row: string, position: string): string;
}

export interface Keys {
  readonly tile?: Given<typeof tile> | undefined;
  readonly title: string;
  readonly rows: number;
  readonly length: number;
  /** Writes what makes the key of an element, and gives its text, a u32. */
  keyOf(block: Block, row: string, position: string): string;
  /** Where a row is one run: what becomes of the pair at `rank`, in place of writing it to scratch. */
  readonly deliver?: (block: Block, row: string, rank: string, place: string) => void;
}

/** Pairs that a workgroup sorts at once, a power of two: rows up to as long are sorted when the first dispatch is through. */
export function runOf(length: number, target: Target, most: number = tile.run): number {
  let run = 2;
  while (run < Math.min(length, most, target.shared / 16)) run *= 2;
  return run;
}

export function sortedRows(kernel: Kernel, target: Target, keys: Keys): Sorted {
  const { rows, length } = keys;
  const run = runOf(length, target, keys.tile?.run);
  const dispatches = [runs(kernel, target, keys, run)];
  let copy = 0;
  for (let sorted = run; sorted < length; sorted *= 2) {
    dispatches.push(merge(kernel, target, keys, sorted, copy));
    copy = 1 - copy;
  }
  const at = (part: 0 | 1) => (row: string, position: string) => pair(keys, copy, part, row, position);
  const copies = dispatches.length > 1 ? 2 : keys.deliver ? 0 : 1;
  return { dispatches, scratch: 2 * copies * rows * length, key: at(0), place: at(1) };
}

/** The key (part 0) or place of a pair in one of the two copies. */
const pair = ({ rows, length }: Keys, copy: number, part: 0 | 1, row: string, position: string) =>
  `scratch[${(2 * copy + part) * rows * length}u + ${row === '0u' ? '' : `${row} * ${length}u + `}${position}]`;

function runs(kernel: Kernel, target: Target, keys: Keys, run: number): Dispatch {
  const { title, rows, length, keyOf } = keys;
  const own = { ...tile, ...keys.tile };
  const each = Math.ceil(length / run);
  const beside = Math.max(1, (2 * own.merge) / run);
  const pairs = run * beside;
  const threads = Math.min(own.threads, target.threads, pairs / 2);
  const deliver = each === 1 ? keys.deliver : undefined;
  const options = {
    header: [title, `runs of ${run}, ${beside} sorted by a workgroup of ${threads}`],
    threads,
    groups: Math.ceil((rows * each) / beside),
    scratch: !deliver,
  };
  return dispatch(kernel, target, options, (block) => {
    block.shader.declare(`var<workgroup> keys: array<u32, ${pairs}>;`);
    block.shader.declare(`var<workgroup> places: array<u32, ${pairs}>;`);
    /** Lines at each pair that is one, or at all. */
    const overPairs = (body: (inside: Block, has: string) => void) => {
      const inside = block.inside();
      inside.line(`let which = group * ${beside}u + n / ${run}u;`);
      inside.line(`let row = ${each === 1 ? 'which' : `which / ${each}u`};`);
      inside.line(`let position = ${each === 1 ? '' : `which % ${each}u * ${run}u + `}n % ${run}u;`);
      body(inside, `(which < ${rows * each}u) & (position < ${length}u)`);
      block.line(`for (var n = lane; n < ${pairs}u; n += ${threads}u) {`, ...inside.lines, '}');
    };
    overPairs((inside, has) => {
      const found = inside.inside();
      const key = keyOf(found, 'row', 'position');
      inside.line('var key = 0xffffffffu;', 'var place = 0xffffffffu; // behind every pair');
      inside.line(`if (${has}) {`, ...found.lines, `key = ${key};`, 'place = position;', '}');
      inside.line('keys[n] = key;', 'places[n] = place;');
    });
    block.line(
      `for (var size = 2u; size <= ${run}u; size *= 2u) {`,
      'for (var half = size / 2u; half > 0u; half /= 2u) {',
      'workgroupBarrier();',
      `for (var n = lane; n < ${pairs / 2}u; n += ${threads}u) {`,
      'let low = 2u * n - (n & (half - 1u));',
      'let high = low + half;',
      'let one = vec2<u32>(keys[low], places[low]);',
      'let other = vec2<u32>(keys[high], places[high]);',
      'let after = (one.x > other.x) | ((one.x == other.x) & (one.y > other.y));',
      `if (after == ((low & size & ${run - 1}u) == 0u)) {`,
      'keys[low] = other.x; places[low] = other.y;',
      'keys[high] = one.x; places[high] = one.y;',
      '}',
      '}',
      '}',
      '}',
      'workgroupBarrier();',
    );
    overPairs((inside, has) => {
      const found = inside.inside();
      if (deliver) deliver(found, 'row', 'position', 'places[n]');
      else
        found.line(
          `${pair(keys, 0, 0, 'row', 'position')} = keys[n];`,
          `${pair(keys, 0, 1, 'row', 'position')} = places[n];`,
        );
      inside.line(`if (${has}) {`, ...found.lines, '}');
    });
  });
}

function merge(kernel: Kernel, target: Target, keys: Keys, run: number, copy: number): Dispatch {
  const { title, rows, length } = keys;
  const threads = Math.min(keys.tile?.merge ?? tile.merge, target.threads);
  const total = rows * length;
  const header = [title, `runs of ${run} merged two by two, a thread an element`];
  const from = (part: 0 | 1, position: string) => pair(keys, copy, part, 'row', position);
  const to = (part: 0 | 1, position: string) => pair(keys, 1 - copy, part, 'row', position);
  const options = { header, threads, groups: Math.ceil(total / threads), scratch: true };
  return dispatch(kernel, target, options, (block) => {
    const i = block.bind(`group * ${threads}u + lane`, 'i');
    if (total % threads) block.line(`if (${i} >= ${total}u) { return; }`);
    block.line(
      `let row = ${i} / ${length}u;`,
      `let position = ${i} % ${length}u;`,
      `let key = ${from(0, 'position')};`,
      `let first = position / ${2 * run}u * ${2 * run}u; // of the two runs`,
      `let left = position - first < ${run}u;`,
      `let other = select(first, min(${length}u, first + ${run}u), left);`,
      '// how many of the other run stand before: those less, and for the right run equals too',
      'var low = 0u;',
      `var high = min(${length}u, other + ${run}u) - other;`,
      'while (low < high) {',
      'let middle = (low + high) / 2u;',
      `let its = ${from(0, 'other + middle')};`,
      'if ((its < key) | (!left & (its == key))) { low = middle + 1u; } else { high = middle; }',
      '}',
      `let rank = select(position - ${run}u, position, left) + low;`,
      `${to(0, 'rank')} = key;`,
      `${to(1, 'rank')} = ${from(1, 'position')};`,
    );
  });
}
