/**
 * The product of matrices that matmul and the three convolutions are: C[b] = A[b] · B[b], A m × k, B k × n. What A, B and
 * the stores are, the caller says; the tile is data.
 *
 *            ┌───n───┐      a workgroup makes one m × n tile (▒) of C,
 *          k │   B   │      a thread makes perThread of it, held in registers:
 *            ├───────┤      its rows and columns are threads apart, so that lanes read neighbours.
 *    ┌─k─┐   │▒▒▒▒▒▒▒│      For each k-slab: stage A and B in workgroup memory, barrier, multiply, barrier.
 *  m │ A │   │▒▒▒▒▒▒▒│      Edges are guarded where a size is no multiple of the tile.
 *    └───┘   └───────┘
 */
import type { Compute, Kernel } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { type Block, dispatch, type Program, type Target } from '../shader';

export interface Tile {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly perThread: readonly [m: number, n: number];
}

/** Widest first. */
export const tiles: readonly Tile[] = [
  { m: 64, n: 64, k: 16, perThread: [4, 4] },
  { m: 32, n: 32, k: 16, perThread: [4, 2] },
  { m: 16, n: 16, k: 16, perThread: [2, 2] },
];

/** Which operand axis neighbouring lanes go along when they stage a slab. */
export type Along = 'k' | 'other';

export interface Product {
  readonly title: string;
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Compute;
  readonly along: { readonly a: Along; readonly b: Along };
  /** The element of A or B at these positions (u32), inside its matrix. */
  a(block: Block, batch: string, row: string, inner: string): string;
  b(block: Block, batch: string, inner: string, column: string): string;
  /** Writes what is stored of one element of C. */
  store(block: Block, batch: string, row: string, column: string, sum: string): void;
}

/** The widest tile of which there are enough to fill a device, or that is not mostly beside the matrix. */
export function chooseTile({ batch, m, n }: Pick<Product, 'batch' | 'm' | 'n'>): Tile {
  const enough = 64;
  const found = tiles.find((tile) => {
    const count = batch * Math.ceil(m / tile.m) * Math.ceil(n / tile.n);
    return m * 2 > tile.m && n * 2 > tile.n && count >= enough;
  });
  return found ?? (tiles[tiles.length - 1] as Tile);
}

export function product(kernel: Kernel, target: Target, of: Product, tile: Tile = chooseTile(of)): Program {
  const { batch, m, n, k } = of;
  const [perM, perN] = tile.perThread;
  const [lanesM, lanesN] = [tile.m / perM, tile.n / perN];
  const threads = lanesM * lanesN;
  const [tilesM, tilesN] = [Math.ceil(m / tile.m), Math.ceil(n / tile.n)];
  const type = carriedAs(of.dtype);
  const header = [
    of.title,
    `${batch} × (${m} × ${k}) · (${k} × ${n}), tile ${tile.m} × ${tile.n} × ${tile.k}, ${perM} × ${perN} a thread, ${threads} threads`,
  ];
  const options = { header, threads, groups: batch * tilesM * tilesN };
  const main = dispatch(kernel, target, options, (block) => {
    block.shader.declare(`var<workgroup> slabA: array<${type}, ${tile.k * tile.m}>; // [k][m]`);
    block.shader.declare(`var<workgroup> slabB: array<${type}, ${tile.k * tile.n}>; // [k][n]`);
    block.line(
      `let batch = ${tilesM * tilesN === 1 ? 'group' : batch === 1 ? '0u' : `group / ${tilesM * tilesN}u`};`,
      `let firstRow = ${tilesM === 1 ? '0u' : `group / ${tilesN}u % ${tilesM}u * ${tile.m}u`};`,
      `let firstColumn = ${tilesN === 1 ? '0u' : `group % ${tilesN}u * ${tile.n}u`};`,
      `let laneRow = lane / ${lanesN}u;`,
      `let laneColumn = lane % ${lanesN}u;`,
      `var sums: array<${type}, ${perM * perN}>;`,
      '',
      `for (var slab = 0u; slab < ${k}u; slab += ${tile.k}u) {`,
    );
    stage(block, 'A', tile.m, of.along.a, tile, threads, type, (inside, inner, row) => {
      const guards = [...(m % tile.m ? [`${row} < ${m}u`] : []), ...(k % tile.k ? [`${inner} < ${k}u`] : [])];
      return [guards, of.a(inside, 'batch', row, inner)];
    });
    stage(block, 'B', tile.n, of.along.b, tile, threads, type, (inside, inner, column) => {
      const guards = [...(n % tile.n ? [`${column} < ${n}u`] : []), ...(k % tile.k ? [`${inner} < ${k}u`] : [])];
      return [guards, of.b(inside, 'batch', inner, column)];
    });
    const each = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i));
    block.line(
      'workgroupBarrier();',
      `for (var k = 0u; k < ${tile.k}u; k++) {`,
      ...each(perM, (i) => `let a${i} = slabA[k * ${tile.m}u + laneRow + ${i * lanesM}u];`),
      ...each(perN, (j) => `let b${j} = slabB[k * ${tile.n}u + laneColumn + ${j * lanesN}u];`),
      ...each(perM * perN, (ij) => `sums[${ij}] += a${Math.floor(ij / perN)} * b${ij % perN};`),
      '}',
      'workgroupBarrier();',
      '}',
      '',
      `for (var e = 0u; e < ${perM * perN}u; e++) {`,
      `let row = firstRow + laneRow + e / ${perN}u * ${lanesM}u;`,
      `let column = firstColumn + laneColumn + e % ${perN}u * ${lanesN}u;`,
    );
    const guards = [...(m % tile.m ? [`row >= ${m}u`] : []), ...(n % tile.n ? [`column >= ${n}u`] : [])];
    if (guards.length) block.line(`if (${guards.join(' || ')}) { continue; }`);
    of.store(block, 'batch', 'row', 'column', 'sums[e]');
    block.line('}');
  });
  return { dispatches: [main], scratch: 0 };
}

/** Stages one slab: lanes go along k or along the other axis, whichever lies together in memory. */
function stage(
  block: Block,
  name: 'A' | 'B',
  size: number,
  along: Along,
  tile: Tile,
  threads: number,
  type: string,
  element: (inside: Block, inner: string, other: string) => [guards: string[], value: string],
): void {
  const [inner, other] = along === 'k' ? [`e % ${tile.k}u`, `e / ${tile.k}u`] : [`e / ${size}u`, `e % ${size}u`];
  const first = name === 'A' ? 'firstRow' : 'firstColumn';
  block.line(
    `for (var e = lane; e < ${tile.k * size}u; e += ${threads}u) {`,
    `let inner${name} = slab + ${inner};`,
    `let other${name} = ${first} + ${other};`,
  );
  const [guards, value] = element(block, `inner${name}`, `other${name}`);
  const guarded = guards.length ? `select(${type}(0), ${value}, ${guards.join(' && ')})` : value;
  block.line(`slab${name}[${along === 'k' ? `(${inner}) * ${size}u + ${other}` : 'e'}] = ${guarded};`, '}');
}
