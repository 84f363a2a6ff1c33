/**
 * Products of one or two rows with a large matrix: B is read once and nothing is read twice, so memory is the limit. A chunk
 * streams some whole rows of B (or long pieces of them) from one end to the other, a few at a time:
 *
 *             ┌──────── B ────────┐       for each `group` of a piece's rows: splat their a's, then along the
 *     part 0  │ ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒ │       columns: cⱼ += a₀·b₀ⱼ + a₁·b₁ⱼ + …, c lying in the first-level cache
 *     part 1  │                   │
 *     …       └───────────────────┘       last, each part's own c are added up in order
 *
 * Narrow strips of columns, as the register tile wants them, touch another page with every row: 6.8 ms against 3.6 for 64 MiB.
 */
import type { MatmulKernel } from '@tessera/tensor/backend';
import { type Arg, type Code, f32x4, i32, i32x4, type Local, loop, type Module, set, v128, when } from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { splitPoint } from './parts';
import type { MultiplyAdd } from './tile';

/** Rows of B that are read side by side. */
const group = 8;
/** Vectors of a row a step. */
const step = 2;
/** Most columns of a piece: 16 kB of c a row. */
const maxColumns = 4096;
/** Columns a chunk of the last phase stores. */
const storeColumns = 1024;
/** Multiplications that make a chunk worth its while, and chunks to aim at. */
const chunkWork = 1 << 17;
const wantedChunks = 32;

/** How B is cut: by shape alone. Null where there is too little of it to need a way of its own. */
export function thinBlocks(batch: number, m: number, n: number, k: number) {
  if (m < 1 || m > 2 || n < 256 || n * k < 2 * chunkWork || k < 32) return null;
  const columnBlocks = Math.ceil(n / maxColumns);
  const columns = 4 * step * Math.ceil(n / columnBlocks / (4 * step));
  const most = Math.min(Math.floor((columns * k) / chunkWork), Math.floor(k / (4 * group)));
  const parts = Math.max(1, Math.min(most, Math.ceil(wantedChunks / (batch * columnBlocks))));
  return { columns, columnBlocks: Math.ceil(n / columns), parts };
}

/** One operand: the address of a batch's first element, and its strides in elements. */
interface Matrix {
  readonly at: (args: Local, coordinates: readonly Local[]) => Code;
  readonly down: number;
  readonly across: number;
}

/** A product of m rows and n columns, whose operands may have changed places, and the domain of its stores. */
interface Product {
  readonly m: number;
  readonly n: number;
  readonly turned: boolean;
  readonly domain: readonly number[];
  readonly a: Matrix;
  readonly b: Matrix;
}

/** The phases of C = A·B with rows of B contiguous; the parts [batch][part][m][columns] lie in shared scratch at `partial`. */
export function thinPhases(
  module: Module,
  kernel: MatmulKernel,
  { m, n, turned, domain, a, b }: Product,
  { columns, columnBlocks, parts }: NonNullable<ReturnType<typeof thinBlocks>>,
  partial: number,
  madd: MultiplyAdd,
) {
  const { batch, k, stores } = kernel;
  const words = argWords(kernel);
  const batches = batch.reduce((x, y) => x * y, 1);
  const row = 4 * columns * columnBlocks;
  const partials = (args: Local): Code => i32.add(i32.load(args, 4 * words.sharedScratch), partial);
  const unpack = (rest: Local, coordinates: readonly Local[]): Code =>
    [...batch.keys()]
      .reverse()
      .map((axis) => [
        set(coordinates[axis] as Local, i32.rem_u(rest, batch[axis] as number)),
        set(rest, i32.div_u(rest, batch[axis] as number)),
      ]);
  const least = (into: Local, value: Arg, most: number): Code => [
    set(into, value),
    when(i32.gt_s(into, most), set(into, most)),
  ];

  const sweep = (): void => {
    const f = module.func(['i32', 'i32', 'i32'], [], 'sweep');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const [rest, part, j0, j1, j, k0, k1, fromA, fromB, c, to] = f.locals('i32', 11) as Local[] as Eleven;
    const coordinates = batch.map(() => f.local('i32'));
    const sums = Array.from({ length: m }, () => f.locals('v128', step));
    const value = f.local('v128');
    const splats = Array.from({ length: group }, () => f.locals('v128', m));
    /** `rows` rows of B along the columns; the first of a part begin the sums. */
    const along = (rows: number, begin: boolean): Code => [
      splats
        .slice(0, rows)
        .map((list, r) =>
          list.map((splat, i) => set(splat, v128.load32_splat(fromA, 4 * (r * a.across + i * a.down)))),
        ),
      set(to, c),
      set(rest, fromB),
      loop(j, j0, j1, 4 * step, [
        sums.map((list, i) => list.map((sum, v) => set(sum, begin ? i32x4.const(0) : v128.load(to, i * row + 16 * v)))),
        Array.from({ length: rows * step }, (_, at) => {
          const [r, v] = [Math.floor(at / step), at % step];
          return [
            set(value, v128.load(rest, 4 * r * b.down + 16 * v)),
            sums.map((list, i) => set(list[v] as Local, madd(splats[r]?.[i] as Local, value, list[v] as Local))),
          ];
        }),
        sums.map((list, i) => list.map((sum, v) => v128.store(to, sum, i * row + 16 * v))),
        set(to, i32.add(to, 16 * step)),
        set(rest, i32.add(rest, 16 * step)),
      ]),
      set(fromA, i32.add(fromA, 4 * rows * a.across)),
      set(fromB, i32.add(fromB, 4 * rows * b.down)),
    ];
    f.emit(
      loop(lo, lo, hi, 1, [
        set(rest, lo),
        set(j0, i32.mul(i32.rem_u(rest, columnBlocks), columns)),
        least(j1, i32.add(j0, columns), n),
        set(rest, i32.div_u(rest, columnBlocks)),
        set(c, i32.add(partials(args), i32.add(i32.mul(rest, m * row), i32.shl(j0, 2)))),
        set(part, i32.rem_u(rest, parts)),
        set(rest, i32.div_u(rest, parts)),
        unpack(rest, coordinates),
        set(k0, splitPoint(part, k, parts)),
        set(k1, splitPoint(i32.add(part, 1), k, parts)),
        set(fromA, i32.add(a.at(args, coordinates), i32.mul(k0, 4 * a.across))),
        set(fromB, i32.add(b.at(args, coordinates), i32.add(i32.mul(k0, 4 * b.down), i32.shl(j0, 2)))),
        along(group, true),
        loop(k0, i32.add(k0, group), i32.sub(k1, group - 1), group, along(group, false)),
        loop(k0, k0, k1, 1, along(1, false)),
      ]),
    );
  };

  const gather = (): void => {
    const f = module.func(['i32', 'i32', 'i32'], [], 'gather');
    const [args, lo, hi] = f.params as [Local, Local, Local];
    const scope: Scope = { module, f, args, kernel };
    const [rest, i, j0, count, first, at, p, j] = f.locals('i32', 8) as Local[] as Eight;
    const coordinates = batch.map(() => f.local('i32'));
    const total = f.local('v128');
    const add = kernel.a.dtype === 'float32' ? f32x4.add : i32x4.add;
    const blocks = Math.ceil(n / storeColumns);
    f.emit(
      loop(lo, lo, hi, 1, [
        set(rest, lo),
        set(j0, i32.mul(i32.rem_u(rest, blocks), storeColumns)),
        least(count, i32.sub(n, j0), storeColumns),
        set(rest, i32.div_u(rest, blocks)),
        set(i, i32.rem_u(rest, m)),
        set(rest, i32.div_u(rest, m)),
        set(
          first,
          i32.add(partials(args), i32.add(i32.mul(rest, parts * m * row), i32.add(i32.mul(i, row), i32.shl(j0, 2)))),
        ),
        unpack(rest, coordinates),
        parts === 1
          ? []
          : loop(j, 0, count, 4, [
              set(at, i32.add(first, i32.shl(j, 2))),
              set(total, v128.load(at)),
              loop(p, 1, parts, 1, [set(at, i32.add(at, m * row)), set(total, add(total, v128.load(at)))]),
              v128.store(i32.add(first, i32.shl(j, 2)), total),
            ]),
        emitStores(scope, stores, {
          domain,
          outer: turned ? coordinates : [...coordinates, i],
          start: j0,
          count,
          acc: [first],
        }),
      ]),
    );
  };

  sweep();
  gather();
  return {
    phases: [
      { name: 'sweep', chunks: batches * parts * columnBlocks },
      { name: 'gather', chunks: batches * m * Math.ceil(n / storeColumns) },
    ],
    bytes: batches * parts * m * row,
  };
}

type Eight = [Local, Local, Local, Local, Local, Local, Local, Local];
type Eleven = [...Eight, Local, Local, Local];
