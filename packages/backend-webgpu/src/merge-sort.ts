/**
 * Sorting rows of (key, place) pairs in scratch, stable: what sort and scatter stand on. Keys are u32, whose order is the one
 * wanted; places are positions in the row. A thread sorts a run by insertion, then runs are merged two by two:
 *
 *     ├─ run ─┼─ run ─┼─ run ─┼─ run ─┤      a thread an element: its rank is its place in its own run, plus how many of the
 *     ├─── merged ────┼──── merged ───┤      other run stand before it, found by halving. Equals of the left run go first.
 *
 * Scratch holds keys and places twice, for merging goes to and fro.
 */
import type { Kernel } from '@tessera/tensor/backend';
import { type Block, type Dispatch, dispatch, type Target } from './shader';

export const tile = { run: 16, threads: 64 } as const;

/** Where the sorted pairs lie. */
export interface Sorted {
  readonly dispatches: readonly Dispatch[];
  readonly scratch: number;
  /** Pair `position` of row `row` (u32 texts), as elements of scratch. */
  key(row: string, position: string): string;
  place(row: string, position: string): string;
}

/** @param keyOf writes what makes the key of an element, and gives its text, a u32 */
export function mergeSort(
  kernel: Kernel,
  target: Target,
  { title, rows, length }: { title: string; rows: number; length: number },
  keyOf: (block: Block, row: string, position: string) => string,
): Sorted {
  const total = rows * length;
  const keys = (copy: number) => `${2 * copy * total}u + `;
  const places = (copy: number) => `${(2 * copy + 1) * total}u + `;
  const runs = Math.ceil(length / tile.run);
  const threads = tile.threads;
  const over = (count: number) => ({ threads, groups: Math.ceil(count / threads), scratch: true });
  const bound = (block: Block, i: string, count: number) => {
    if (count % threads) block.line(`if (${i} >= ${count}u) { return; }`);
  };

  const insertion = dispatch(
    kernel,
    target,
    { header: [title, `runs of ${tile.run}, each sorted by a thread`], ...over(rows * runs) },
    (block) => {
      const i = block.bind(`group * ${threads}u + lane`, 'i');
      bound(block, i, rows * runs);
      block.line(
        `let row = ${i} / ${runs}u;`,
        `let first = ${i} % ${runs}u * ${tile.run}u;`,
        `let count = min(${tile.run}u, ${length}u - first);`,
        `var keys: array<u32, ${tile.run}>;`,
        `var places: array<u32, ${tile.run}>;`,
        'for (var n = 0u; n < count; n++) {',
        'let position = first + n;',
      );
      const key = keyOf(block, 'row', 'position');
      block.line(
        `let key = ${key};`,
        'var at = n;',
        'while (at > 0u && keys[at - 1u] > key) { keys[at] = keys[at - 1u]; places[at] = places[at - 1u]; at -= 1u; }',
        'keys[at] = key;',
        'places[at] = position;',
        '}',
        'for (var n = 0u; n < count; n++) {',
        `scratch[${keys(0)}row * ${length}u + first + n] = keys[n];`,
        `scratch[${places(0)}row * ${length}u + first + n] = places[n];`,
        '}',
      );
    },
  );
  const dispatches = [insertion];
  let copy = 0;
  for (let run: number = tile.run; run < length; run *= 2) {
    const [from, to] = [copy, 1 - copy];
    copy = to;
    const header = [title, `runs of ${run} merged two by two, a thread an element`];
    dispatches.push(
      dispatch(kernel, target, { header, ...over(total) }, (block) => {
        const i = block.bind(`group * ${threads}u + lane`, 'i');
        bound(block, i, total);
        block.line(
          `let start = ${i} / ${length}u * ${length}u; // of the row`,
          `let position = ${i} - start;`,
          `let key = scratch[${keys(from)}${i}];`,
          `let pair = position / ${2 * run}u * ${2 * run}u;`,
          `let left = position - pair < ${run}u;`,
          `let other = select(pair, min(${length}u, pair + ${run}u), left);`,
          '// how many of the other run stand before: those less, and for the right run equals too',
          'var low = 0u;',
          `var high = min(${length}u, other + ${run}u) - other;`,
          'while (low < high) {',
          'let middle = (low + high) / 2u;',
          `let its = scratch[${keys(from)}start + other + middle];`,
          'if (its < key || (!left && its == key)) { low = middle + 1u; } else { high = middle; }',
          '}',
          `let rank = start + select(position - ${run}u, position, left) + low;`,
          `scratch[${keys(to)}rank] = key;`,
          `scratch[${places(to)}rank] = scratch[${places(from)}${i}];`,
        );
      }),
    );
  }
  const at = (first: string) => (row: string, position: string) =>
    `scratch[${first}${row === '0u' ? '' : `${row} * ${length}u + `}${position}]`;
  return { dispatches, scratch: (dispatches.length > 1 ? 4 : 2) * total, key: at(keys(copy)), place: at(places(copy)) };
}
