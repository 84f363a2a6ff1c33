/** The end of a product by tiles: a thread stores its sums; where k was cut, the parts of each are added in their order before. */
import type { Kernel } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { Block, type Dispatch, dispatch, type Target } from '../shader';
import { fours, whereIs } from './in-tile';
import { leaving } from './partials';
import type { Product } from './product';
import { type Dealt, placeOfPart, sharesOf } from './stream-k';
import { type Tile, type Tiled, threadsOf } from './tiles';

/** The function that a thread calls with each of its vectors of C: four columns, `gap` apart. */
export function finish(block: Block, of: Product, tile: Tile): void {
  const body = new Block(block.shader, block.place);
  const { m, n } = of;
  const { gap } = fours(of.b, 'laneColumn', tile.n / tile.perThread[1], tile.n);
  const [ragM, ragN] = [m % tile.m > 0, n % tile.n > 0];
  if (of.store4 && gap === 1) {
    const guards = [...(ragM ? [`row >= ${m}u`] : []), ...(ragN ? [`column >= ${n}u`] : [])];
    if (guards.length) body.line(`if (${guards.join(' || ')}) { return; }`);
    of.store4(body, 'batch', 'row', 'column', 'sum');
  } else {
    if (ragM) body.line(`if (row >= ${m}u) { return; }`);
    body.line('for (var e = 0u; e < 4u; e++) {', `let place = column + e * ${gap}u;`);
    if (ragN) body.line(`if (place >= ${n}u) { break; }`);
    const inner = body.inside();
    of.store(inner, 'batch', 'row', 'place', 'sum[e]');
    body.line(...inner.lines, '}');
  }
  const sum = `vec4<${carriedAs(of.dtype)}>`;
  block.shader.declare([`fn finish(batch: u32, row: u32, column: u32, sum: ${sum}) {`, ...body.lines, '}'].join('\n'));
}

/** Adds the parts of each sum in their order: a workgroup takes a row of vectors of a tile, as the threads had them. */
export function join(
  kernel: Kernel,
  target: Target,
  of: Product,
  { tile, splits }: Tiled,
  deal: Dealt | null,
  header: readonly string[],
): Dispatch {
  const [perM, perN] = tile.perThread;
  const [lanesM, lanesN] = [tile.m / perM, tile.n / perN];
  const threads = threadsOf(tile);
  const [tilesM, tilesN] = [Math.ceil(of.m / tile.m), Math.ceil(of.n / tile.n)];
  const options = {
    header: [...header, `the ${deal ? '' : `${splits} `}parts of each sum added in order, and stored`],
    threads,
    groups: of.batch * tilesM * tilesN * perM,
    scratch: true,
    vectors: new Set(of.vectors).add('scratch'),
  };
  const type = carriedAs(of.dtype);
  return dispatch(kernel, target, options, (block) => {
    finish(block, of, tile);
    block.line(`let i = group % ${perM}u;`, `let made = group / ${perM}u;`);
    // one that a group has alone is stored
    if (deal) block.line(...sharesOf(deal), 'if (firstPart == lastPart) { return; }');
    whereIs(block, 'made', of, tilesM, tilesN, tile, 1);
    block.line(`let laneRow = lane / ${lanesN}u;`, `let laneColumn = lane % ${lanesN}u;`);
    const rows = fours(of.a, 'laneRow', lanesM, tile.m);
    const columns = fours(of.b, 'laneColumn', lanesN, tile.n);
    const stepOfFour = of.a.along === 'k' ? 4 * lanesM : of.a.four ? 4 * lanesM : lanesM;
    block.line(`let row = firstRow + ${rows.base(0)} + i / 4u * ${stepOfFour}u + i % 4u * ${rows.gap}u;`);
    if (!deal) block.line(`let part0 = batch * ${splits}u * ${tilesM * tilesN}u + made % ${tilesM * tilesN}u;`);
    const place = deal ? placeOfPart : `part0 + part * ${tilesM * tilesN}u`;
    for (let j = 0; j < perN / 4; j++) {
      const vector = `(${place}) * ${(perM * perN * threads) / 4}u + (i * ${perN / 4}u + ${j}u) * ${threads}u + lane`;
      const from = (of.first?.words ?? 0) / 4;
      block.line(
        `var sum${j} = vec4<${type}>();`,
        deal
          ? 'for (var part = firstPart; part <= lastPart; part++) {'
          : `for (var part = 0u; part < ${splits}u; part++) {`,
        `sum${j} += bitcast<vec4<${type}>>(scratch[${from ? `${from}u + ` : ''}${vector}]);`,
        '}',
      );
    }
    const sums = Array.from({ length: perN / 4 }, (_, j) => `sum${j}`);
    if (of.left) block.line(leaving(block, of, tile, target)('row', sums));
    block.line(...sums.map((sum, j) => `finish(batch, row, firstColumn + ${columns.base(j)}, ${sum});`));
  });
}
