/**
 * The register tile that matmul and convolution share: 4 rows of A by 2 vectors (8 columns) of B.
 *
 *               ┌ b₀ ┬ b₁ ┐         each step k: load b₀ b₁, then for each row i: splat aᵢ,
 *          a₀ → │ c₀₀│ c₀₁│         cᵢⱼ += aᵢ · bⱼ. 8 accumulators, 6 loads: 14 of the 15 vector registers
 *          a₁ → │ c₁₀│ c₁₁│         that V8 has to give, and one for the product where there is no fused
 *          a₂ → │ c₂₀│ c₂₁│         multiply-add.
 *          a₃ → │ c₃₀│ c₃₁│
 *
 * V8 moves all loads of a basic block to its top, so two steps in one block spill. A branch that is never taken between the
 * steps (`fence`) keeps them apart: unrolled by 4, 44 against 25 GFLOP/s (53 against 27 fused) on one core of Zen 4.
 */
import type { Compute } from '@tessera/tensor/backend';
import {
  type Arg,
  block,
  brIf,
  type Code,
  type Func,
  f32x4,
  i32,
  i32x4,
  type Local,
  loop,
  type Module,
  set,
  v128,
  when,
} from '../assembler';

export const tileRows = 4 as const;
export const tileVectors: number = 2;
export const tileColumns = 8 as const;

/** c + a·b in four lanes. */
export type MultiplyAdd = (a: Arg, b: Arg, c: Arg) => Code;
export const multiplyAdd = (dtype: Compute, relaxed: boolean): MultiplyAdd => {
  if (dtype !== 'float32') return (a, b, c) => i32x4.add(c, i32x4.mul(a, b));
  return relaxed ? f32x4.relaxed_madd : (a, b, c) => f32x4.add(c, f32x4.mul(a, b));
};

/** Code in a basic block of its own: `positive` is a local that is never below 0 and no constant to V8 (a parameter), `n` differs between neighbours. */
export const fence = (positive: Local, n: number, ...body: Code[]): Code =>
  block(brIf(0, i32.lt_s(positive, -1 - n)), ...body);

/** Where a tile finds its operands, in bytes. */
export interface TileStrides {
  /** From one row of A to the next, and from one k to the next. */
  readonly aRow: number;
  readonly aStep: number;
  /** From one k of B to the next. */
  readonly bStep: number;
  /** From one row of C to the next. */
  readonly cRow: number;
}

/** The steps of a tile whose loads are given; `fenceOn` separates them, `from` numbers the first fence. */
export function tileSteps(
  steps: number,
  acc: readonly (readonly Local[])[],
  scratch: { readonly a: readonly Local[]; readonly b: readonly Local[] },
  madd: MultiplyAdd,
  loadA: (row: number, step: number) => Code,
  loadB: (vector: number, step: number) => Code,
  fenceOn: Local,
  from = 0,
): Code {
  const code: Code[] = [];
  for (let step = 0; step < steps; step++) {
    const body: Code[] = scratch.b.map((b, j) => set(b, loadB(j, step)));
    acc.forEach((row, i) => {
      const a = scratch.a[i] as Local;
      body.push(set(a, loadA(i, step)));
      body.push(...row.map((c, j) => set(c, madd(a, scratch.b[j] as Local, c))));
    });
    code.push(step === 0 ? body : fence(fenceOn, from + step, ...body));
  }
  return code;
}

/** (a, b, c, k, add): C = A·B, or C += A·B where `add` is not 0, for a tile of `rows` × 4·`vectors` and k steps. */
export function matmulTile(
  module: Module,
  { rows, vectors }: { readonly rows: number; readonly vectors: number },
  strides: TileStrides,
  madd: MultiplyAdd,
  unroll = 4,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
  const [a, b, c, k, add] = f.params as [Local, Local, Local, Local, Local];
  const acc = accumulators(f, rows, vectors);
  const scratch = { a: f.locals('v128', rows), b: f.locals('v128', vectors) };
  const i = f.local('i32');
  const { aRow, aStep, bStep, cRow } = strides;
  const steps = (count: number): Code => [
    tileSteps(
      count,
      acc,
      scratch,
      madd,
      (row, step) => v128.load32_splat(a, row * aRow + step * aStep),
      (vector, step) => v128.load(b, step * bStep + 16 * vector),
      i,
    ),
    set(a, i32.add(a, count * aStep)),
    set(b, i32.add(b, count * bStep)),
  ];
  f.emit(
    when(add, loadTile(acc, c, cRow)),
    loop(i, 0, i32.and(k, -unroll), unroll, steps(unroll)),
    loop(i, 0, i32.and(k, unroll - 1), 1, steps(1)),
    storeTile(acc, c, cRow),
  );
  return f;
}

export const accumulators = (f: Func, rows: number, vectors = tileVectors): Local[][] =>
  Array.from({ length: rows }, () => f.locals('v128', vectors));
export const loadTile = (acc: readonly (readonly Local[])[], c: Local, cRow: number): Code =>
  acc.flatMap((row, i) => row.map((value, j) => set(value, v128.load(c, i * cRow + 16 * j))));
export const storeTile = (acc: readonly (readonly Local[])[], c: Local, cRow: number): Code =>
  acc.flatMap((row, i) => row.map((value, j) => v128.store(c, value, i * cRow + 16 * j)));

/** Where products of transformed tiles find their operands, in bytes. */
export interface ProductStrides {
  /** From one place to the next. */
  readonly placeU: number;
  readonly placeV: number;
  /** U's four rows, and steps, from one to the next; by default they lie [step][4]. */
  readonly rowU?: number;
  readonly stepU?: number;
  /** Vectors of V a step, 2 by default; M has room for two in any case. */
  readonly vectors?: number;
  /** M += U·V in place of M = U·V. */
  readonly add: boolean;
}

/** (u, v, m, count): for each of the tile's places M = U·V, 4 × 8 sums of `count` products. */
export function tileProducts(
  module: Module,
  places: number,
  { placeU, placeV, rowU = 4, stepU = 4 * tileRows, vectors = tileVectors, add }: ProductStrides,
  madd: MultiplyAdd,
): Func {
  const f = module.func(['i32', 'i32', 'i32', 'i32']);
  const [u, v, m, count] = f.params as [Local, Local, Local, Local];
  const acc = accumulators(f, tileRows, vectors);
  const scratch = { a: f.locals('v128', tileRows), b: f.locals('v128', vectors) };
  const stepV = 16 * vectors;
  const [place, i] = f.locals('i32', 2) as [Local, Local];
  const steps = (many: number): Code => [
    tileSteps(
      many,
      acc,
      scratch,
      madd,
      (row, step) => v128.load32_splat(u, stepU * step + rowU * row),
      (vector, step) => v128.load(v, stepV * step + 16 * vector),
      count,
    ),
    set(u, i32.add(u, stepU * many)),
    set(v, i32.add(v, stepV * many)),
  ];
  f.emit(
    loop(place, 0, places, 1, [
      add ? loadTile(acc, m, 32) : acc.flat().map((value) => set(value, f32x4.const(0))),
      loop(i, 0, i32.and(count, -4), 4, steps(4)),
      loop(i, 0, i32.and(count, 3), 1, steps(1)),
      storeTile(acc, m, 32),
      set(u, i32.add(u, i32.sub(placeU, i32.mul(count, stepU)))),
      set(v, i32.add(v, i32.sub(placeV, i32.mul(count, stepV)))),
      set(m, i32.add(m, 128)),
    ]),
  );
  return f;
}
