/**
 * Products of few rows with a large matrix whose rows are contiguous: B is read once, so memory is the limit. A chunk takes some
 * whole rows of B (or long pieces of them), cut into `streams`, and reads one row of each side by side:
 *
 *             ┌──────── B ────────┐
 *     part 0  │ ▒▒▒▒▒▒▒▒▒▒▒▒▒     │ ◄ stream 0     for row i of each stream: along the columns
 *             │ ▒▒▒▒▒▒▒▒▒▒▒▒▒     │ ◄ stream 1     cⱼ += a₀·b₀ⱼ + a₁·b₁ⱼ + …, c lying in the first-level cache
 *     part 1  │                   │
 *     …       └───────────────────┘                last, each part's own c are added up in order
 *
 * A stream goes on where it stopped, which is what a processor reads ahead best: of 64 MiB 39 to 42 GB/s, rows that are neighbours 37,
 * a loop that only reads 41 to 43. Pieces of 4 kB of the rows reach 25, for each row is another page; a word read ahead of
 * itself makes it 17 to 28.
 */
import type { MatmulKernel } from '@tessera/tensor/backend';
import { type Code, i32, i32x4, type Local, loop, type Module, select, set, v128 } from '../assembler';
import { argWords } from '../expression';
import { unravel } from './map';
import { packPanel } from './pack';
import { gatherPhase, type Partials, type Product, partialBytes } from './partials';
import { splitPoint } from './parts';
import { fence, type MultiplyAdd, tileRows } from './tile';

export const mostRows = 8;
/** Rows of B that are read side by side. */
const streams = 8;
/** Most columns of a piece: 16 kB of c a row. */
const maxColumns = 4096;
/** Behind a row of c: rows 2ⁿ bytes apart would share few sets of the cache (8 rows: 5.6 and 12.3 GB/s). */
const rowGap = 320;
/** Multiplications that make a chunk worth its while, and chunks to aim at. */
const chunkWork = 1 << 17;
const wantedChunks = 32;

/** How B is cut: by shape alone. Null where there is too little of it to need a way of its own. */
export function thinBlocks(batch: number, m: number, n: number, k: number) {
  if (m < 1 || m > mostRows || n < 256 || n * k < 2 * chunkWork || k < 4 * streams) return null;
  // vectors of a row a step: as many sums as there are registers for
  const step = m === 2 ? 4 : 2;
  const columnBlocks = Math.ceil(n / maxColumns);
  const columns = 4 * step * Math.ceil(n / columnBlocks / (4 * step));
  const most = Math.min(Math.floor((columns * k) / chunkWork), Math.floor(k / (4 * streams)));
  const parts = Math.max(1, Math.min(most, Math.ceil(wantedChunks / (batch * columnBlocks))));
  return { step, columns, columnBlocks: Math.ceil(n / columns), parts, each: Math.floor(k / parts / streams) };
}

/** The phases of C = A·B with rows of B contiguous; partial results lie in shared scratch at `at`. */
export function thinPhases(
  module: Module,
  kernel: MatmulKernel,
  product: Product,
  { step, columns, columnBlocks, parts, each }: NonNullable<ReturnType<typeof thinBlocks>>,
  at: number,
  madd: MultiplyAdd,
) {
  const { m, n, a, b } = product;
  const { batch, k } = kernel;
  const words = argWords(kernel);
  const batches = batch.reduce((x, y) => x * y, 1);
  const partials: Partials = { parts, row: 4 * columns * columnBlocks + rowGap, at };
  const { row } = partials;
  const panels = Array.from({ length: Math.ceil(m / tileRows) }, (_, p) => Math.min(tileRows, m - tileRows * p));
  // the a of a step, [stream][row of the panel], steps one after another, panels behind each other
  const stepBytes = 4 * tileRows * streams;
  const panelBytes = each * stepBytes;
  const packA = m === 1 ? null : packPanel(module, tileRows, { across: a.down, along: each * a.across });

  const f = module.func(['i32', 'i32', 'i32'], [], 'sweep');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const [rest, part, j0, j1, j, i] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const [rows, fromA, fromB, c, to, packed] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const coordinates = batch.map(() => f.local('i32'));
  const sums = Array.from({ length: Math.min(m, tileRows) }, () => f.locals('v128', step));
  const values = f.locals('v128', step);
  const splat = f.local('v128');
  const splats = m === 1 ? f.locals('v128', streams) : [];

  /** c (+)= a·b for `count` rows of B, `apart` rows from each other; `loadA` splats one of a. */
  const along = (
    count: number,
    apart: number,
    begin: boolean,
    loadA: (panel: number, row: number, r: number) => Code,
  ) => [
    splats.slice(0, count).map((local, r) => set(local, loadA(0, 0, r))),
    set(to, c),
    set(rest, fromB),
    loop(j, j0, j1, 4 * step, [
      panels.map((height, p) => {
        const mine = sums.slice(0, height);
        const place = (q: number, v: number) => (tileRows * p + q) * row + 16 * v;
        return [
          mine.map((list, q) => list.map((sum, v) => set(sum, begin ? i32x4.const(0) : v128.load(to, place(q, v))))),
          Array.from({ length: count }, (_, r) => {
            const code: Code = [
              values.map((value, v) => set(value, v128.load(rest, 4 * r * apart * b.down + 16 * v))),
              mine.map((list, q) => [
                m === 1 ? [] : set(splat, loadA(p, q, r)),
                list.map((sum, v) => set(sum, madd(splats[r] ?? splat, values[v] as Local, sum))),
              ]),
            ];
            return m === 1 || p + r === 0 ? code : fence(j, r + count * p, code);
          }),
          mine.map((list, q) => list.map((sum, v) => v128.store(to, sum, place(q, v)))),
        ];
      }),
      set(to, i32.add(to, 16 * step)),
      set(rest, i32.add(rest, 16 * step)),
    ]),
    set(fromB, i32.add(fromB, 4 * b.down)),
  ];
  const lie = (p: number, q: number, r: number) => 4 * ((tileRows * p + q) * a.down + r * a.across);
  const group = (begin: boolean): Code =>
    packA
      ? [
          along(streams, each, begin, (p, q, r) => v128.load32_splat(packed, p * panelBytes + 4 * (tileRows * r + q))),
          set(packed, i32.add(packed, stepBytes)),
        ]
      : [
          along(streams, each, begin, (p, q, r) => v128.load32_splat(fromA, lie(p, q, r * each))),
          set(fromA, i32.add(fromA, 4 * a.across)),
        ];
  const threadScratch: Code = i32.load(args, 4 * words.threadScratch);
  const pack = packA
    ? panels.map((height, p) => [
        set(packed, i32.add(threadScratch, p * panelBytes)),
        set(to, i32.add(fromA, 4 * tileRows * p * a.down)),
        loop(i, 0, each, 1, [
          packA.call(to, packed, streams, height),
          set(packed, i32.add(packed, stepBytes)),
          set(to, i32.add(to, 4 * a.across)),
        ]),
      ])
    : [];
  // rows of B that do not fill the streams, shared out among the parts
  const whole = parts * streams * each;
  const over = k - whole;
  const goTo = (first: Code): Code => [
    set(rest, first),
    set(fromA, i32.add(a.at(args, coordinates), i32.mul(rest, 4 * a.across))),
    set(fromB, i32.add(b.at(args, coordinates), i32.add(i32.mul(rest, 4 * b.down), i32.shl(j0, 2)))),
  ];
  f.emit(
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      set(j0, i32.mul(i32.rem_u(rest, columnBlocks), columns)),
      set(j1, i32.add(j0, columns)),
      set(j1, select(j1, n, i32.lt_s(j1, n))),
      set(rest, i32.div_u(rest, columnBlocks)),
      set(c, i32.add(i32.load(args, 4 * words.sharedScratch), at)),
      set(c, i32.add(c, i32.add(i32.mul(rest, m * row), i32.shl(j0, 2)))),
      set(part, i32.rem_u(rest, parts)),
      set(rest, i32.div_u(rest, parts)),
      unravel(f, rest, batch, coordinates),
      goTo(i32.mul(part, streams * each)),
      pack,
      packA ? set(packed, threadScratch) : [],
      group(true),
      loop(i, 1, each, 1, group(false)),
      over === 0
        ? []
        : [
            set(rows, i32.sub(splitPoint(i32.add(part, 1), over, parts), splitPoint(part, over, parts))),
            goTo(i32.add(splitPoint(part, over, parts), whole)),
            loop(i, 0, rows, 1, [
              along(1, 0, false, (p, q) => v128.load32_splat(fromA, lie(p, q, 0))),
              set(fromA, i32.add(fromA, 4 * a.across)),
            ]),
          ],
    ]),
  );
  const gather = gatherPhase(module, kernel, product, partials);
  return {
    phases: [{ name: 'sweep', chunks: batches * parts * columnBlocks }, gather],
    sharedBytes: partialBytes(batches, m, partials),
    threadBytes: packA ? panels.length * panelBytes : 0,
  };
}
