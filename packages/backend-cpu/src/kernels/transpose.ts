/**
 * Loads that run across the grain: contiguous along an axis q that is not the swept one. They are turned first, tile by tile:
 *
 *          ┌─q: 16─┐  input: 64 bytes of a line at a time        scratch, as the sweep wants it
 *        l │▒▒▒▒   │   ─► four vectors of four, turned in   ─►   q ┌──l: 64─────────┐
 *       64 │▒▒▒▒   │      registers                            16 │▒▒▒▒            │
 *          └───────┘                                              └────────────────┘
 */
import { type Code, i32, i32x4, type Local, loop, select, set, v128 } from '../assembler';
import { type Domain, eachNode, type LoadNode } from '../domain';
import { argWords, type Scope } from '../functions';

export const tile = { q: 16, l: 64 } as const;
const tileBytes = 16 * 64 * 4;
/** Shorter axes are read lane by lane. */
const leastSize = 8;
const mostLoads = 4;

export interface Transposed {
  /** The axis along which the loads are contiguous. */
  readonly axis: number;
  readonly loads: readonly LoadNode[];
  readonly scratch: number;
}

/** The loads of a domain that gain by being turned, or null. */
export function transposed(domain: Domain, bytesOf: (input: number) => number): Transposed | null {
  const last = domain.shape.length - 1;
  const size = (axis: number) => domain.shape[axis] as number;
  if (last < 1 || size(last) < leastSize) return null;
  const byAxis = new Map<number, LoadNode[]>();
  eachNode(domain.roots, (node) => {
    if (node.op !== 'load' || node.at || node.view.valid || bytesOf(node.input) !== 4) return;
    const { strides } = node.view;
    if (Math.abs(strides[last] as number) <= 2) return;
    const axis = strides.findIndex((stride, i) => i !== last && stride === 1 && size(i) >= leastSize);
    if (axis >= 0) byAxis.set(axis, [...(byAxis.get(axis) ?? []), node]);
  });
  let best: [number, LoadNode[]] | null = null;
  for (const entry of byAxis) if (!best || entry[1].length > best[1].length) best = entry;
  if (!best) return null;
  const loads = best[1].slice(0, mostLoads);
  return { axis: best[0], loads, scratch: loads.length * tileBytes };
}

/** The loads with strides as they lie in the tile; `bases` are the addresses that their coordinates then count from. */
export function turnedView(domain: Domain, { axis }: Transposed): LoadNode['view'] {
  const last = domain.shape.length - 1;
  const strides = domain.shape.map((_, i) => (i === axis ? tile.l : i === last ? 1 : 0));
  return { shape: domain.shape, strides, offset: 0, valid: null };
}

/** Code that turns one tile of each load, at the coordinates `coords` (of all axes but the last; q's first) and l. */
export function turnTiles(
  scope: Scope,
  { axis, loads }: Transposed,
  coords: readonly (Local | number)[],
  l: Local,
  count: { readonly q: Local; readonly l: Local },
): { code: Code; bases: Local[] } {
  const { f, args, kernel } = scope;
  const words = argWords(kernel);
  const [i, j, end, from, to] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
  const rows = f.locals('i32', 4);
  const v = f.locals('v128', 8) as Local[];
  const at = (n: number) => v[n] as Local;
  const code: Code[] = [];
  const bases = loads.map((load, n) => {
    const { strides, offset } = load.view;
    const step = 4 * (strides[strides.length - 1] as number);
    const scratch = i32.add(i32.load(args, 4 * words.threadScratch), n * tileBytes);
    let start: Code = i32.add(i32.load(args, 4 * words.input(load.input)), 4 * offset);
    [...coords, l].forEach((coord, k) => {
      const by = 4 * (strides[k] as number);
      if (by !== 0) start = i32.add(start, i32.mul(coord, by));
    });
    code.push(
      set(from, start),
      set(end, i32.sub(count.l, 1)),
      loop(i, 0, count.l, 4, [
        // Behind the edge the last row again: its lanes are not looked at.
        rows.map((row, k) => [
          set(row, i32.add(i, k)),
          set(row, i32.add(from, i32.mul(select(row, end, i32.lt_s(row, end)), step))),
        ]),
        set(to, i32.add(scratch, i32.shl(i, 2))),
        loop(j, 0, count.q, 4, [
          rows.map((row, k) => [set(at(k), v128.load(row)), set(row, i32.add(row, 16))]),
          set(at(4), i32x4.shuffle(at(0), at(1), [0, 4, 1, 5])),
          set(at(5), i32x4.shuffle(at(2), at(3), [0, 4, 1, 5])),
          set(at(6), i32x4.shuffle(at(0), at(1), [2, 6, 3, 7])),
          set(at(7), i32x4.shuffle(at(2), at(3), [2, 6, 3, 7])),
          v128.store(to, i32x4.shuffle(at(4), at(5), [0, 1, 4, 5]), 0),
          v128.store(to, i32x4.shuffle(at(4), at(5), [2, 3, 6, 7]), 4 * tile.l),
          v128.store(to, i32x4.shuffle(at(6), at(7), [0, 1, 4, 5]), 8 * tile.l),
          v128.store(to, i32x4.shuffle(at(6), at(7), [2, 3, 6, 7]), 12 * tile.l),
          set(to, i32.add(to, 16 * tile.l)),
        ]),
      ]),
    );
    const base = f.local('i32');
    // Coordinates of the domain count from where (0, 0) of the tile's row and column would be.
    const q = coords[axis] as Local;
    const first = i32.add(i32.mul(q, 4 * tile.l), i32.shl(l, 2));
    code.push(set(base, i32.sub(scratch, first)));
    return base;
  });
  return { code, bases };
}
