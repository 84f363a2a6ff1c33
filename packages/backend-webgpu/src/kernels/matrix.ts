/**
 * Products of float16 on tensor cores (`chromium-experimental-subgroup-matrix`), summed in float32: the Product of product.ts,
 * where a subgroup makes a part of the tile as blocks that the hardware multiplies at once.
 *
 *            ┌──────n──────┐     a workgroup makes an m × n tile of C, its subgroups each a part (▒) of it:
 *          k │      B      │     blocks of the hardware's size, whose sums stay in its registers.
 *            ├──────┬──────┤     For each k-slab: stage A and B as float16, barrier, multiply, barrier.
 *    ┌─k─┐   │▒▒▒▒▒▒│      │     Last, block by block: sums to workgroup memory, barrier, and the lanes store them.
 *  m │ A │   ├──────┼──────┤
 *    └───┘   │      │      │     Rows of a slab have eight more elements than they need, which spreads them over the banks.
 *            └──────┴──────┘     `splits` cut the slabs: sums go to scratch, a second dispatch adds them in order and stores.
 */
import type { ConvKernel, Kernel, MatmulKernel } from '@tessera/tensor/backend';
import { all } from '../place';
import { Block, dispatch, type Program, type Target } from '../shader';
import { shareOf, whereIs } from './in-tile';
import { joinParts, partAt } from './matrix-parts';
import { rowsFit, sumsOfBlocks } from './matrix-sums';
import type { Factor, Inside, Product } from './product';

export interface MatrixTile {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** What a subgroup makes of it. */
  readonly part: readonly [m: number, n: number];
}
export interface ByMatrix {
  readonly way: 'matrix';
  readonly tile: MatrixTile;
  /** Into how many parts k is cut. */
  readonly splits: number;
}

export const matrixTiles: readonly MatrixTile[] = [
  { m: 256, n: 128, k: 32, part: [64, 64] },
  { m: 128, n: 128, k: 32, part: [64, 32] },
  { m: 64, n: 128, k: 32, part: [32, 32] },
  { m: 64, n: 64, k: 32, part: [32, 32] },
  { m: 32, n: 64, k: 32, part: [16, 32] },
];
const pad = 8;

const subgroupsOf = ({ m, n, part }: MatrixTile) => (m / part[0]) * (n / part[1]);
/** Bytes of workgroup memory: two slabs of float16, and a block of float32 for each subgroup. */
export const matrixShared = (tile: MatrixTile, block: { m: number; n: number }): number =>
  2 * (tile.k + pad) * (tile.m + tile.n) + 2 * pad * tile.k + 4 * subgroupsOf(tile) * block.m * block.n;

/**
 * Tiles that fit, and parts of k: the widest of which there are enough to fill the device first; none without the hardware, or where
 * an operand is no float16 value, which would lose by it.
 */
export function matrixChoices(
  kernel: ConvKernel | MatmulKernel,
  { batch, m, n, k, segments }: Pick<Product, 'batch' | 'm' | 'n' | 'k' | 'segments'>,
  target: Target,
): ByMatrix[] {
  const block = target.matrix;
  if (!block || !kernel.halves || ('partials' in kernel && !rowsFit(block))) return [];
  const fit = matrixTiles.filter(
    (tile) =>
      tile.part[0] % block.m === 0 &&
      tile.part[1] % block.n === 0 &&
      tile.k % block.k === 0 &&
      subgroupsOf(tile) * block.lanes <= target.threads &&
      matrixShared(tile, block) <= target.shared,
  );
  const choices = fit.flatMap((tile) => {
    const slabs = segments * Math.ceil(k / tile.k);
    const parts = [1, 2, 4, 8, 16, 32].filter(
      (splits) => splits === 1 || (slabs >= 4 * splits && 4 * splits * partOf(tile, { batch, m, n }) <= target.scratch),
    );
    return parts.map((splits): ByMatrix => ({ way: 'matrix', tile, splits }));
  });
  const waste = ({ tile, splits }: ByMatrix) => {
    const count = batch * splits * Math.ceil(m / tile.m) * Math.ceil(n / tile.n);
    const waves = Math.ceil(count / enough);
    const slabs = Math.ceil((segments * Math.ceil(k / tile.k)) / splits);
    // work of all waves, and what each tile moves for it; then parts are written and read
    const work = waves * enough * tile.m * tile.n * (1 + (fixed * (tile.m + tile.n)) / (tile.m * tile.n));
    return work * slabs * tile.k + (splits > 1 ? joined + moved * splits * batch * m * n : 0);
  };
  return choices.sort((one, other) => waste(one) - waste(other));
}
/** Words of scratch of one part: whole tiles. */
const partOf = (tile: MatrixTile, { batch, m, n }: Pick<Product, 'batch' | 'm' | 'n'>): number =>
  batch * Math.ceil(m / tile.m) * tile.m * Math.ceil(n / tile.n) * tile.n;
/** Tiles at work at once; multiply-adds that an element of a slab costs, a word of a part, and a dispatch more. */
const enough = 132;
const fixed = 64;
const moved = 64;
const joined = 1.2e8;

export function matrix(kernel: Kernel, target: Target, of: Product, { tile, splits }: ByMatrix): Program {
  const block = target.matrix;
  if (!block) throw new Error('this device multiplies no matrices');
  const { batch, m, n, k, a, b } = of;
  const [tilesM, tilesN] = [Math.ceil(m / tile.m), Math.ceil(n / tile.n)];
  const subgroups = subgroupsOf(tile);
  const threads = subgroups * block.lanes;
  const across = tile.n / tile.part[1];
  const [blocksM, blocksN] = [tile.part[0] / block.m, tile.part[1] / block.n];
  const slabs = Math.ceil(k / tile.k);
  const header = [
    of.title,
    `${batch} × (${m} × ${of.segments * k}) · (${of.segments * k} × ${n}) of float16, tile ${tile.m} × ${tile.n} × ${tile.k}, ${tile.part.join(' × ')} a subgroup in blocks of ${block.m} × ${block.n} × ${block.k}`,
  ];
  const words = of.first?.words ?? 0;
  if (splits > 1) header.push(`k in ${splits} parts`);
  const options = {
    header,
    threads,
    groups: batch * splits * tilesM * tilesN,
    scratch: words > 0 || splits > 1,
    vectors: new Set(of.vectors).add('scratch'),
  };
  const main = dispatch(kernel, target, options, (main) => {
    const { shader } = main;
    shader.direct('enable f16;');
    shader.direct('enable chromium_experimental_subgroup_matrix;');
    // Where a subgroup loads and stores is the same for its lanes, by `lane / lanes`; the compiler can not know.
    shader.direct('diagnostic(off, chromium.subgroup_matrix_uniformity);');
    const left = `subgroup_matrix_left<f16, ${block.k}, ${block.m}>`;
    const right = `subgroup_matrix_right<f16, ${block.n}, ${block.k}>`;
    const result = `subgroup_matrix_result<f32, ${block.n}, ${block.m}>`;
    shader.declare(`var<workgroup> blocks: array<f32, ${subgroups * block.m * block.n}>;`);
    whereIs(main, 'group', of, tilesM, tilesN, tile, splits);
    main.line(
      `let subgroup = lane / ${block.lanes}u;`,
      `let partRow = subgroup / ${across}u * ${tile.part[0]}u;`,
      `let partColumn = subgroup % ${across}u * ${tile.part[1]}u;`,
    );
    const total = of.segmentsOf ? `${of.segmentsOf(main, 'batch')} * ${slabs}u` : `${of.segments * slabs}u`;
    shareOf(main, total, splits);
    const each = <T>(count: number, make: (i: number) => T) => Array.from({ length: count }, (_, i) => make(i));
    for (let i = 0; i < blocksM; i++) main.line(...each(blocksN, (j) => `var c${i}_${j}: ${result};`));
    const inside = main.inside();
    if (of.segments === 1) inside.line(`let start = slab * ${tile.k}u;`);
    else inside.line(`let segment = slab / ${slabs}u;`, `let start = slab % ${slabs}u * ${tile.k}u;`);
    const at = { block: inside, slab: inside, before: main };
    const rowA = stage(at, 'A', a, tile.m, m, of, tile.k, threads);
    const rowB = stage(at, 'B', b, tile.n, n, of, tile.k, threads);
    inside.line('workgroupBarrier();', `for (var k = 0u; k < ${tile.k}u; k += ${block.k}u) {`);
    // An element (other, k) of a slab is at other · row + k where it lies along k, else at k · row + other.
    const load = (type: string, slab: string, along: Factor['along'], row: number, other: string, turned: boolean) => {
      const offset = along === 'k' ? `(${other}) * ${row}u + k` : `k * ${row}u + ${other}`;
      return `subgroupMatrixLoad<${type}>(&slab${slab}, ${offset}, ${turned}, ${row}u)`;
    };
    for (let i = 0; i < blocksM; i++) {
      const other = `partRow + ${i * block.m}u`;
      inside.line(`let a${i} = ${load(left, 'A', a.along, rowA, other, a.along === 'other')};`);
    }
    for (let j = 0; j < blocksN; j++) {
      const other = `partColumn + ${j * block.n}u`;
      inside.line(`let b${j} = ${load(right, 'B', b.along, rowB, other, b.along === 'k')};`);
      inside.line(...each(blocksM, (i) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}_${j});`));
    }
    inside.line('}', 'workgroupBarrier();');
    main.line('', 'for (var slab = first; slab < last; slab++) {', ...inside.lines, '}', '');

    const parts: Pick<Product, 'store' | 'store4'> = {
      store: of.store,
      store4: (at, batch, row, column, sum) =>
        at.line(`${partAt(of, tile, `part * ${of.batch}u + ${batch}`, row, column)} = bitcast<vec4<u32>>(${sum});`),
    };
    // a part is whole tiles, and is guarded nowhere
    const whole = { ...of, ...parts, m: tilesM * tile.m, n: tilesN * tile.n };
    finish(main, splits > 1 ? whole : of, tile, block, splits > 1);
    const sums = of.left && splits === 1 && sumsOfBlocks(main, of, tile, block, target);
    for (let i = 0; i < blocksM; i++) {
      const row = `firstRow + partRow + ${i * block.m}u`;
      for (let j = 0; j < blocksN; j++) {
        const at = `batch, ${row}, firstColumn + partColumn + ${j * block.n}u`;
        main.line(
          `subgroupMatrixStore(&blocks, subgroup * ${block.m * block.n}u, c${i}_${j}, false, ${block.n}u);`,
          'workgroupBarrier();',
          ...(sums ? [sums.take(at)] : []),
          `finish(lane, ${splits > 1 ? 'part, ' : ''}${at});`,
          'workgroupBarrier();',
        );
      }
      if (sums) main.line(sums.leave(`batch, ${row}, firstColumn + partColumn`));
    }
  });
  const before = of.first?.dispatches ?? [];
  if (splits === 1) return { dispatches: [...before, main], scratch: words };
  const last = joinParts(kernel, target, of, { way: 'matrix', tile, splits }, header);
  return { dispatches: [...before, main, last], scratch: words + splits * partOf(tile, of) };
}

/** Stages a slab, four elements a time; the length of its rows. */
function stage(
  { block, before }: Inside,
  name: 'A' | 'B',
  factor: Factor,
  size: number,
  most: number,
  { k, segments }: Product,
  depth: number,
  threads: number,
): number {
  const alongK = factor.along === 'k';
  const row = (alongK ? depth : size) + pad;
  const across = (alongK ? depth : size) / 4;
  const count = (size * depth) / 4;
  before.shader.declare(
    `var<workgroup> slab${name}: array<f16, ${(alongK ? size : depth) * row}>; // ${alongK ? `[${size}][k + ${pad}]` : `[k][${size} + ${pad}]`}`,
  );
  const gap = factor.four || alongK ? 1 : size / 4;
  const first = name === 'A' ? 'firstRow' : 'firstColumn';
  block.line(`for (var e = lane; e < ${count}u; e += ${threads}u) {`);
  const inner = block.inside();
  const x = inner.once(`e % ${across}u`, 'x');
  const y = inner.once(`e / ${across}u`, 'y');
  const from = gap === 1 ? `${x} * 4u` : x;
  const ks = (part: number) => inner.once(alongK ? `start + ${from} + ${part}u` : `start + ${y}`, 'k');
  const others = (part: number) => inner.once(alongK ? `${first} + ${y}` : `${first} + ${from} + ${part * gap}u`, 'o');
  const guard = (part: number) => [
    ...(most % size ? [`${others(part)} < ${most}u`] : []),
    ...(k % depth ? [`${ks(part)} < ${k}u`] : []),
  ];
  const at: Inside = { block: inner, slab: inner, before: inner };
  const segment = segments > 1 ? 'segment' : '0u';
  const guarded = (zero: string, value: string, tests: string[]) =>
    tests.length ? `select(${zero}, ${value}, ${all(tests)})` : value;
  let parts: string[];
  if (factor.four) {
    const value = guarded('vec4<f32>()', factor.four(at, 'batch', segment, ks(0), others(0)), guard(0));
    const vector = inner.once(value, 'q');
    parts = [0, 1, 2, 3].map((part) => `${vector}.${'xyzw'[part]}`);
  } else {
    parts = [0, 1, 2, 3].map((part) =>
      guarded('0.0f', factor.one(at, 'batch', segment, ks(part), others(part)), guard(part)),
    );
  }
  parts.forEach((value, part) => {
    inner.line(`slab${name}[${y} * ${row}u + ${from} + ${part * gap}u] = f16(${value});`);
  });
  block.line(...inner.lines, '}');
  return row;
}

/** The lanes of a subgroup store the block that it has put into workgroup memory: four columns at once where stores are vectors. */
function finish(
  main: Block,
  of: Product,
  tile: MatrixTile,
  block: NonNullable<Target['matrix']>,
  inParts: boolean,
): void {
  const body = new Block(main.shader, main.place);
  const size = block.m * block.n;
  const { store4 } = of;
  const wide = store4 ? 4 : 1;
  const across = block.n / wide;
  body.line(
    `for (var e = lane % ${block.lanes}u; e < ${size / wide}u; e += ${block.lanes}u) {`,
    `let row = firstRow + e / ${across}u;`,
    `let column = firstColumn + e % ${across}u${wide > 1 ? ` * ${wide}u` : ''};`,
  );
  const tests = [...(of.m % tile.m ? [`row < ${of.m}u`] : []), ...(of.n % tile.n ? [`column < ${of.n}u`] : [])];
  if (tests.length) body.line(`if (${all(tests)}) {`);
  const inner = body.inside();
  const from = inner.once(`lane / ${block.lanes}u * ${size}u + e${wide > 1 ? ` * ${wide}u` : ''}`, 'from');
  if (store4) {
    const four = [0, 1, 2, 3].map((part) => `blocks[${from}${part ? ` + ${part}u` : ''}]`);
    store4(inner, 'batch', 'row', 'column', inner.once(`vec4<f32>(${four.join(', ')})`, 'sum'));
  } else of.store(inner, 'batch', 'row', 'column', inner.once(`blocks[${from}]`, 'sum'));
  body.line(...inner.lines, ...(tests.length ? ['}'] : []), '}');
  const of4 = `lane: u32, ${inParts ? 'part: u32, ' : ''}batch: u32, firstRow: u32, firstColumn: u32`;
  main.shader.declare([`fn finish(${of4}) {`, ...body.lines, '}'].join('\n'));
}
