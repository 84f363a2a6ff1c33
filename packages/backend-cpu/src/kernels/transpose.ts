/**
 * Loads that run across the grain: contiguous along an axis q that is not the swept one. They are turned first, tile by tile:
 *
 *          ┌─q: 16─┐  input: 64 bytes of a line at a time        scratch, as the sweep wants it
 *        l │▒▒▒▒   │   ─► four vectors of four, turned in   ─►   q ┌──l: 64─────────┐
 *       64 │▒▒▒▒   │      registers                            16 │▒▒▒▒            │
 *          └───────┘                                              └────────────────┘
 */
import type { Kernel, Store, View } from '@tessera/tensor/backend';
import { type Arg, type Code, i32, i32x4, type Local, loop, select, set, v128 } from '../assembler';
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

/** Four rows of four become four columns, each stored as soon as it is there; `v` are eight vectors to work with. */
function turn(v: readonly Local[], rows: readonly Code[], store: (column: Code, k: number) => Code): Code {
  const [a, b, c, d, ab, cd, ab2, cd2] = v as [Local, Local, Local, Local, Local, Local, Local, Local];
  return [
    [a, b, c, d].map((row, k) => set(row, rows[k] as Code)),
    set(ab, i32x4.shuffle(a, b, [0, 4, 1, 5])),
    set(cd, i32x4.shuffle(c, d, [0, 4, 1, 5])),
    set(ab2, i32x4.shuffle(a, b, [2, 6, 3, 7])),
    set(cd2, i32x4.shuffle(c, d, [2, 6, 3, 7])),
    store(i32x4.shuffle(ab, cd, [0, 1, 4, 5]), 0),
    store(i32x4.shuffle(ab, cd, [2, 3, 6, 7]), 1),
    store(i32x4.shuffle(ab2, cd2, [0, 1, 4, 5]), 2),
    store(i32x4.shuffle(ab2, cd2, [2, 3, 6, 7]), 3),
  ];
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
  const v = f.locals('v128', 8);
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
          turn(
            v,
            rows.map((row) => [v128.load(row), set(row, i32.add(row, 16))]),
            (column, k) => v128.store(to, column, 4 * k * tile.l),
          ),
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

/**
 * What is only moved needs no sweep, and goes by squares of 16 × 16, so that lines are read and written whole:
 *
 *          ┌─q: 16─┐  turned into scratch, as       ┌─l: 512──────────┐  Strips are short, so that the next one, which
 *      l   │▒▒▒▒▒▒▒│  above, from there row by  ─►  │▒▒▒              │  reads the lines beside, finds their pages
 *      512 │       │  row to its place            q │▒▒▒              │  known. Rows of 2ⁿ elements share few sets of
 *          └───────┘                             16 └─────────────────┘  the cache: hence whole lines, and scratch.
 *
 * At the edges a square is moved back until it is whole, and writes some elements again.
 */
export interface TurnedCopy {
  readonly from: LoadNode;
  readonly to: { readonly output: number; readonly view: View };
  readonly axis: number;
  /** The square, and how long a strip of squares is. */
  readonly size: { readonly q: number; readonly l: number; readonly strip: number };
  /** For each axis of the domain how many there are to do: strips of the last, squares of `axis`. */
  readonly steps: readonly number[];
  readonly scratch: number;
}
const square = 16;
const stripLength = 512;

/** The domain as such a copy, or null. */
export function turnedCopy(
  { shape, roots, views }: Domain,
  kernel: Kernel,
  stores: readonly Store[],
): TurnedCopy | null {
  const [from, ...others] = roots;
  const [view, output] = [views[0] as View, stores[0]?.output as number];
  if (from?.op !== 'load' || others.length > 0 || from.at || from.view.valid || view.valid) return null;
  const dtype = kernel.inputs[from.input]?.dtype;
  if ((dtype !== 'float32' && dtype !== 'int32') || kernel.outputs[output]?.dtype !== dtype) return null;
  const last = shape.length - 1;
  const axis = from.view.strides.indexOf(1);
  const [across, along] = [shape[axis] as number, shape[last] as number];
  if (axis < 0 || Math.abs(from.view.strides[last] as number) <= 2 || view.strides[last] !== 1) return null;
  if (across < leastSize || along < leastSize) return null;
  const fitting = (length: number) => (length < square ? leastSize : square);
  const strip = square * Math.ceil(along / Math.ceil(along / stripLength) / square);
  const size = { q: fitting(across), l: fitting(along), strip };
  const steps = shape.map((n, i) => (i === last ? Math.ceil(n / strip) : i === axis ? Math.ceil(n / size.q) : n));
  return { from, to: { output, view }, axis, size, steps, scratch: 4 * square * square };
}

/** Code that moves one strip; `coords` count along `steps`. */
export function copyTurned({ f, args, kernel }: Scope, { from, to, axis, size }: TurnedCopy, coords: Local[]): Code {
  const words = argWords(kernel);
  const { shape, strides } = from.view;
  const last = shape.length - 1;
  const [across, along] = [shape[axis] as number, shape[last] as number];
  const [q, strip] = [coords[axis] as Local, coords[last] as Local];
  const [l, end, at, source, target, scratch] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const [i, read, write] = f.locals('i32', 3) as [Local, Local, Local];
  const v = f.locals('v128', 8);
  const start = (view: View, word: number): Code =>
    coords
      .slice(0, last)
      .reduce<Code>(
        (sum, coord, k) =>
          view.strides[k] === 0 ? sum : i32.add(sum, i32.mul(coord, 4 * (view.strides[k] as number))),
        i32.add(i32.load(args, 4 * word), 4 * view.offset),
      );
  const least = (into: Local, value: Arg, most: number): Code => [
    set(into, value),
    set(into, select(into, most, i32.lt_s(into, most))),
  ];
  const [down, row, line] = [4 * (strides[last] as number), 4 * (to.view.strides[axis] as number), 4 * size.l];
  const turns = Array.from({ length: size.q / 4 }, (_, n) => {
    const rows = [0, 1, 2, 3].map((k) => v128.load(read, k * down + 16 * n));
    return turn(v, rows, (column, k) => v128.store(write, column, (4 * n + k) * line));
  });
  const moves = Array.from({ length: size.l / 4 }, (_, n) => v128.store(write, v128.load(read, 16 * n), 16 * n));
  return [
    least(q, i32.mul(q, size.q), across - size.q),
    set(source, start(from.view, words.input(from.input))),
    set(target, start(to.view, words.output(to.output))),
    set(scratch, i32.load(args, 4 * words.threadScratch)),
    set(l, i32.mul(strip, size.strip)),
    least(end, i32.add(l, size.strip), along),
    loop(l, l, end, size.l, [
      least(at, l, along - size.l),
      set(read, i32.add(source, i32.mul(at, down))),
      set(write, scratch),
      loop(i, 0, size.l, 4, [turns, set(read, i32.add(read, 4 * down)), set(write, i32.add(write, 16))]),
      set(read, scratch),
      set(write, i32.add(target, i32.shl(at, 2))),
      loop(i, 0, size.q, 1, [moves, set(read, i32.add(read, line)), set(write, i32.add(write, row))]),
    ]),
  ];
}
