/** Parts of a product on tensor cores whose k was cut: where they lie in scratch, and the dispatch that adds them and stores. */
import type { Kernel } from '@tessera/tensor/backend';
import { type Dispatch, dispatch, type Target } from '../shader';
import type { ByMatrix, MatrixTile } from './matrix';
import { leaving } from './partials';
import type { Product } from './product';
import type { Tile } from './tiles';

/** The vector of a part, by tile and matrix, that begins at a row and column: matrices of whole tiles lie behind each other. */
export function partAt(of: Product, tile: MatrixTile, matrix: string, row: string, column: string): string {
  const [rows, columns] = [Math.ceil(of.m / tile.m) * tile.m, Math.ceil(of.n / tile.n) * tile.n];
  const from = (of.first?.words ?? 0) / 4;
  return `scratch[${from ? `${from}u + ` : ''}((${matrix}) * ${rows}u + ${row}) * ${columns / 4}u + ${column} / 4u]`;
}

/** Adds the parts of each sum in their order: a thread four columns, neighbours as many as leave sums of a row together. */
export function joinParts(
  kernel: Kernel,
  target: Target,
  of: Product,
  { tile, splits }: ByMatrix,
  header: readonly string[],
): Dispatch {
  const threads = 64;
  const columns = of.left?.columns ?? 4;
  const lanes = columns / 4;
  const across = Math.ceil(of.n / columns);
  const count = of.batch * of.m * across;
  const options = {
    header: [...header, 'the parts of each sum added in order, and stored'],
    threads,
    groups: Math.ceil((count * lanes) / threads),
    scratch: true,
    vectors: new Set(of.vectors).add('scratch'),
  };
  return dispatch(kernel, target, options, (block) => {
    const own = block.once(`group * ${threads / lanes}u + lane${lanes > 1 ? ` / ${lanes}u` : ''}`, 'i');
    // beyond the last, where sums join: that one again
    const i = of.left ? block.once(`min(${own}, ${count - 1}u)`, 'i') : own;
    if (!of.left && count % threads) block.line(`if (${i} >= ${count}u) { return; }`);
    block.line(
      `let firstColumn = ${i} % ${across}u * ${columns}u;`,
      `let laneColumn = ${lanes > 1 ? `lane % ${lanes}u` : '0u'};`,
      'let column = firstColumn + laneColumn * 4u;',
      `let row = ${i} / ${across}u % ${of.m}u;`,
      `let batch = ${i} / ${across * of.m}u;`,
      'var sum = vec4<f32>();',
      `for (var part = 0u; part < ${splits}u; part++) {`,
      `sum += bitcast<vec4<f32>>(${partAt(of, tile, `part * ${of.batch}u + batch`, 'row', 'column')});`,
      '}',
    );
    if (of.left) {
      // four columns that follow each other
      const four = { ...of, b: { ...of.b, along: 'other', four: of.b.one } } as const;
      const rows: Tile = { m: threads / lanes, n: columns, k: 1, perThread: [1, 4], staging: 'once' };
      block.line(leaving(block, four, rows, target)('row', ['sum']));
      if (of.n % columns) block.line(`if (column >= ${of.n}u) { return; }`);
    }
    if (of.store4) {
      of.store4(block, 'batch', 'row', 'column', 'sum');
      return;
    }
    const bound = of.n % 4 ? ` && column + e < ${of.n}u` : '';
    block.line(`for (var e = 0u; e < 4u${bound}; e++) {`, 'let place = column + e;');
    const inner = block.inside();
    of.store(inner, 'batch', 'row', 'place', 'sum[e]');
    block.line(...inner.lines, '}');
  });
}
