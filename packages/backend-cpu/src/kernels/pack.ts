/**
 * Operands brought into the order in which the register tile reads them.
 *
 *   panel of B: 8 columns, k after k          ┌ b[k][n…n+7] ┐ b[k+1][n…n+7] │ …   zeros behind the last column
 *   panel of A: 4 rows, k after k             ┌ a[m…m+3][k] ┐ a[m…m+3][k+1] │ …   only where A's rows are not contiguous
 */
import type { Expr, Kernel, Load } from '@tessera/tensor/backend';
import { type Code, type Func, f32, i32, i32x4, type Local, loop, type Module, set, v128, when } from '../assembler';
import { argWords, emitValues, type Scope } from '../expression';

/** A plain load of 4-byte elements without padding: the tile can read it where it lies. */
export const isPlain = (kernel: Kernel, expr: Expr): expr is Load =>
  expr.op === 'load' &&
  expr.at === null &&
  expr.view.valid === null &&
  ['float32', 'int32'].includes(kernel.inputs[expr.input]?.dtype ?? '');

/** Elements a chunk of a copying phase does. */
const copyChunk = 8192;
export const copyChunks = (size: number): number => Math.ceil(size / copyChunk);

/** A phase that writes an operand's values to shared scratch, `offset` bytes in, row-major over its domain. */
export function materialise(
  module: Module,
  kernel: Kernel,
  expr: Expr,
  domain: readonly number[],
  offset: number,
  name: string,
) {
  const size = domain.reduce((a, b) => a * b, 1);
  const f = module.func(['i32', 'i32', 'i32'], [], name);
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const [start, count, to] = [f.local('i32'), f.local('i32'), f.local('i32')];
  f.emit(
    loop(lo, lo, hi, 1, [
      set(start, i32.mul(lo, copyChunk)),
      set(count, i32.sub(size, start)),
      when(i32.gt_s(count, copyChunk), set(count, copyChunk)),
      set(to, i32.add(i32.load(args, 4 * argWords(kernel).sharedScratch), i32.add(i32.mul(start, 4), offset))),
      emitValues(scope, expr, to, { domain, outer: [], start, count, acc: [] }),
    ]),
  );
  return { name, chunks: copyChunks(size) };
}

/** Rows that go together, so that panels are written by whole lines. */
const rowsTogether = 2;

/**
 * (from, to, k, panels): packs so many whole panels of `size` columns, `panel` bytes apart, of a matrix whose rows, `along`
 * elements apart, are contiguous. Row by row through all of them: a panel by itself would touch another page with each row.
 */
export function packRows(module: Module, size: 4 | 8, along: number, panel: number): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32']);
  const [from, to, k, panels] = f.params as [Local, Local, Local, Local];
  const [i, j, at, put] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const vectors = Array.from({ length: size / 4 }, (_, v) => 16 * v);
  const rows = (count: number): Code => [
    set(at, from),
    set(put, to),
    loop(j, 0, panels, 1, [
      Array.from({ length: count }, (_, r) =>
        vectors.map((v) => v128.store(put, v128.load(at, 4 * r * along + v), 4 * r * size + v)),
      ),
      set(at, i32.add(at, 4 * size)),
      set(put, i32.add(put, panel)),
    ]),
    set(from, i32.add(from, 4 * count * along)),
    set(to, i32.add(to, 4 * count * size)),
  ];
  f.emit(
    loop(i, 0, i32.and(k, -rowsTogether), rowsTogether, rows(rowsTogether)),
    loop(i, 0, i32.and(k, rowsTogether - 1), 1, rows(1)),
  );
  return f;
}

/** Source strides in elements, of one matrix with `width` × k elements. */
export interface PanelSource {
  /** From one row of A (column of B) to the next. */
  readonly across: number;
  /** From one k to the next. */
  readonly along: number;
}

/** (from, to, k, width): packs `width` ≤ size columns, k long, into a panel `size` wide; what is missing becomes 0. */
export function packPanel(module: Module, size: 4 | 8, source: PanelSource): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32']);
  const [from, to, k, width] = f.params as [Local, Local, Local, Local];
  const [i, j, at, put] = f.locals('i32', 4) as [Local, Local, Local, Local];
  const across = 4 * source.across;
  const along = 4 * source.along;
  const vectors = size / 4;
  const rows = f.locals('v128', 4);
  const halves = f.locals('v128', 4);
  const range = [0, 1, 2, 3];
  let whole: Code;
  if (source.across === 1) {
    // contiguous across: vectors move as they are
    whole = loop(i, 0, k, 1, [
      Array.from({ length: vectors }, (_, v) => v128.store(to, v128.load(from, 16 * v), 16 * v)),
      set(from, i32.add(from, along)),
      set(to, i32.add(to, 4 * size)),
    ]);
  } else if (source.along === 1) {
    // contiguous along k: 4 × 4 transposes
    const transpose = (v: number): Code => [
      rows.map((row, r) => set(row, v128.load(at, (4 * v + r) * across))),
      range.map((q) => {
        const [a, b] = [rows[q & 1 ? 2 : 0] as Local, rows[q & 1 ? 3 : 1] as Local];
        return set(halves[q] as Local, i32x4.shuffle(a, b, q < 2 ? [0, 4, 1, 5] : [2, 6, 3, 7]));
      }),
      range.map((r) => {
        const [a, b] = r < 2 ? [halves[0], halves[1]] : [halves[2], halves[3]];
        const joined = i32x4.shuffle(a as Local, b as Local, r & 1 ? [2, 3, 6, 7] : [0, 1, 4, 5]);
        return v128.store(put, joined, 4 * (size * r + 4 * v));
      }),
    ];
    const scalars = Array.from({ length: size }, (_, c) => f32.store(put, f32.load(at, c * across), 4 * c));
    whole = [
      set(at, from),
      set(put, to),
      loop(i, 0, i32.and(k, -4), 4, [
        Array.from({ length: vectors }, (_, v) => transpose(v)),
        set(at, i32.add(at, 16)),
        set(put, i32.add(put, 16 * size)),
      ]),
      loop(i, 0, i32.and(k, 3), 1, [scalars, set(at, i32.add(at, 4)), set(put, i32.add(put, 4 * size))]),
    ];
  } else {
    whole = loop(i, 0, k, 1, [
      Array.from({ length: size }, (_, c) => f32.store(to, f32.load(from, c * across), 4 * c)),
      set(from, i32.add(from, along)),
      set(to, i32.add(to, 4 * size)),
    ]);
  }
  const part = loop(i, 0, k, 1, [
    Array.from({ length: vectors }, (_, v) => v128.store(to, i32x4.const(0), 16 * v)),
    set(at, from),
    set(put, to),
    loop(j, 0, width, 1, [f32.store(put, f32.load(at)), set(at, i32.add(at, across)), set(put, i32.add(put, 4))]),
    set(from, i32.add(from, along)),
    set(to, i32.add(to, 4 * size)),
  ]);
  f.emit(when(i32.ge_s(width, size), whole, part));
  return f;
}
