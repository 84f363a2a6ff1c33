/**
 * Products of few rows with a large matrix whose columns are contiguous, x·Wᵀ of a linear layer: each result is a dot product along
 * memory. Some rows of W (▒) are read side by side, each from one end to the other, against one or two rows of x:
 *
 *          ┌───────── k ─────────┐          an accumulator of four lanes for each pair of rows, folded at the end.
 *        x │░░░░░░░░░░░          │          More rows of x go over a slab of W while it lies in the first-level cache.
 *          ├─────────────────────┤
 *        W │▒▒▒▒▒▒▒▒▒▒▒          │          64 MiB against 1, 2, 4, 8 rows: 39, 34, 27, 13 GB/s (53 GFLOP/s); packed into
 *          │▒▒▒▒▒▒▒▒▒▒▒          │          panels first, as larger products are, 15, 15, 13, 9. A loop that only reads: 41.
 *          └─────────────────────┘
 */
import type { MatmulKernel } from '@tessera/tensor/backend';
import {
  type Code,
  type Func,
  f32x4,
  i32,
  i32x4,
  type Local,
  loop,
  type Module,
  select,
  set,
  v128,
  when,
} from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { unravel } from './map';
import { gatherPhase, type Partials, type Product, partialBytes } from './partials';
import { fence, type MultiplyAdd } from './tile';

/** Of 16 rows packed panels are as quick. */
const mostRows = 12;
/** Elements of a slab where several passes go over it: 4 rows of W take 8 kB, 8 rows of x 16. */
const slabLength = 512;
const leastK = 16;
/** Multiplications that make a chunk worth its while, chunks to aim at, and the shortest part of a row. */
const chunkWork = 1 << 17;
const wantedChunks = 32;
const partLength = 16 * slabLength;
const unroll = 2;

/** How W is cut: by shape alone. Null where rows are too many or too short. */
export function dotBlocks(batch: number, m: number, n: number, k: number) {
  if (m < 1 || m > mostRows || n < 1 || k < leastK) return null;
  const side = m === 1 ? 8 : 4;
  const worth = side * Math.ceil(chunkWork / (m * k * side));
  const rows = Math.max(side, Math.min(worth, side * Math.ceil(n / wantedChunks / side)));
  const blocks = Math.ceil(n / rows);
  const most = Math.floor(k / partLength);
  const wanted = batch * blocks >= wantedChunks / 4 ? 1 : Math.ceil(wantedChunks / (batch * blocks));
  const length = slabLength * Math.ceil(k / Math.max(1, Math.min(most, wanted)) / slabLength);
  return { side, rows, blocks, length, parts: Math.ceil(k / length) };
}

/** The phases of C = A·B with rows of A and columns of B contiguous; partial results lie in shared scratch at `at`. */
export function dotPhases(
  module: Module,
  kernel: MatmulKernel,
  product: Product,
  { side, rows, blocks, length, parts }: NonNullable<ReturnType<typeof dotBlocks>>,
  at: number,
  madd: MultiplyAdd,
) {
  const { m, n, turned, domain, a, b } = product;
  const { batch, k, stores } = kernel;
  const words = argWords(kernel);
  const batches = batch.reduce((x, y) => x * y, 1);
  const partials: Partials = { parts, row: 16 * Math.ceil(n / 4) + 64, at };
  // where a chunk's results go: a strip of its own, or its part
  const row = parts > 1 ? partials.row : 4 * rows;
  const accBytes = 16 * side * m;
  const [aRow, bRow] = [4 * a.down, 4 * b.across];
  const add = kernel.a.dtype === 'float32' ? f32x4.add : i32x4.add;
  const pairs = Array.from({ length: Math.ceil(m / 2) }, (_, p) => Math.min(2, m - 2 * p));
  const slab = pairs.length > 1 ? slabLength : length;

  const made = new Map<string, Func>();
  const dot = (many: number, few: number): Func => {
    const key = `${many} ${few}`;
    const known = made.get(key) ?? dotTile(module, many, few, aRow, bRow, madd);
    made.set(key, known);
    return known;
  };

  const f = module.func(['i32', 'i32', 'i32'], [], 'dots');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const [rest, part, j0, j1, j, i] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const [k0, k1, depth, acc, x, w, to] = f.locals('i32', 7) as [Local, Local, Local, Local, Local, Local, Local];
  const coordinates = batch.map(() => f.local('i32'));
  const value = f.local('v128');
  /** `many` rows of W with all of x. */
  const group = (many: number): Code => [
    loop(k0, 0, k1, slab, [
      set(depth, i32.sub(k1, k0)),
      set(depth, select(depth, slab, i32.lt_s(depth, slab))),
      pairs.map((few, p) =>
        dot(many, few).call(
          i32.add(x, i32.add(2 * p * aRow, i32.shl(k0, 2))),
          i32.add(w, i32.shl(k0, 2)),
          i32.add(acc, 32 * many * p),
          depth,
          k0,
        ),
      ),
    ]),
    pairs.map((few, p) =>
      Array.from({ length: many * few }, (_, at) => {
        const [r, q] = [Math.floor(at / few), at % few];
        return [
          set(value, v128.load(acc, 32 * many * p + 16 * at)),
          set(value, add(value, i32x4.shuffle(value, value, [2, 3, 0, 1]))),
          set(value, add(value, i32x4.shuffle(value, value, [1, 0, 3, 2]))),
          v128.store32_lane(to, value, 0, (2 * p + q) * row + 4 * r),
        ];
      }),
    ),
    set(w, i32.add(w, many * bRow)),
    set(to, i32.add(to, 4 * many)),
  ];
  f.emit(
    set(acc, i32.load(args, 4 * words.threadScratch)),
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      set(j0, i32.mul(i32.rem_u(rest, blocks), rows)),
      set(j1, i32.add(j0, rows)),
      set(j1, select(j1, n, i32.lt_s(j1, n))),
      set(rest, i32.div_u(rest, blocks)),
      parts > 1
        ? [
            set(to, i32.add(i32.load(args, 4 * words.sharedScratch), at)),
            set(to, i32.add(to, i32.add(i32.mul(rest, m * row), i32.shl(j0, 2)))),
            set(part, i32.mul(i32.rem_u(rest, parts), length)),
            set(rest, i32.div_u(rest, parts)),
          ]
        : [set(to, i32.add(acc, accBytes)), set(part, 0)],
      set(k1, i32.sub(k, part)),
      set(k1, select(k1, length, i32.lt_s(k1, length))),
      unravel(f, rest, batch, coordinates),
      set(x, i32.add(a.at(args, coordinates), i32.shl(part, 2))),
      set(w, i32.add(b.at(args, coordinates), i32.add(i32.mul(j0, bRow), i32.shl(part, 2)))),
      loop(j, j0, i32.sub(j1, side - 1), side, group(side)),
      loop(j, j, j1, 1, group(1)),
      parts > 1
        ? []
        : [
            set(to, i32.add(acc, accBytes)),
            set(depth, i32.sub(j1, j0)),
            loop(i, 0, m, 1, [
              emitStores(scope, stores, {
                domain,
                outer: turned ? coordinates : [...coordinates, i],
                start: j0,
                count: depth,
                acc: [to],
              }),
              set(to, i32.add(to, row)),
            ]),
          ],
    ]),
  );
  const phase = { name: 'dots', chunks: batches * parts * blocks };
  return {
    phases: parts > 1 ? [phase, gatherPhase(module, kernel, product, partials)] : [phase],
    sharedBytes: parts > 1 ? partialBytes(batches, m, partials) : 0,
    threadBytes: accBytes + (parts > 1 ? 0 : 4 * m * rows) + 64,
  };
}

/** (x, w, acc, k, add): acc[r][q] (+)= the four lanes of w_r · x_q over k elements, for `many` rows of W and `few` of x. */
function dotTile(module: Module, many: number, few: number, xRow: number, wRow: number, madd: MultiplyAdd): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [x, w, to, k, more] = f.params as [Local, Local, Local, Local, Local];
  const acc = Array.from({ length: many }, () => f.locals('v128', few));
  const [xs, ws] = [f.locals('v128', few), f.locals('v128', many)];
  const i = f.local('i32');
  const step = (load: (address: Local, offset: number) => Code, u: number): Code => [
    xs.map((value, q) => set(value, load(x, q * xRow + 16 * u))),
    acc.map((list, r) => [
      set(ws[r] as Local, load(w, r * wRow + 16 * u)),
      list.map((sum, q) => set(sum, madd(xs[q] as Local, ws[r] as Local, sum))),
    ]),
  ];
  const steps = (count: number, bytes: number, load: typeof v128.load = v128.load): Code => [
    Array.from({ length: count }, (_, u) => (u === 0 ? step(load, u) : fence(i, u, step(load, u)))),
    set(x, i32.add(x, count * bytes)),
    set(w, i32.add(w, count * bytes)),
  ];
  const places = (make: (sum: Local, offset: number) => Code): Code =>
    acc.map((list, r) => list.map((sum, q) => make(sum, 16 * (few * r + q))));
  f.emit(
    when(
      more,
      places((sum, offset) => set(sum, v128.load(to, offset))),
      places((sum) => set(sum, i32x4.const(0))),
    ),
    loop(i, 0, i32.and(k, -4 * unroll), 4 * unroll, steps(unroll, 16)),
    loop(i, i, i32.and(k, -4), 4, steps(1, 16)),
    loop(i, i, k, 1, steps(1, 4, v128.load32_zero)),
    places((sum, offset) => v128.store(to, sum, offset)),
  );
  return f;
}
