/**
 * Sums of rows (`Partials`) of a product on tensor cores: a subgroup leaves those of its own part of the tile, block by block as the
 * blocks come through workgroup memory. Its lanes lie along the rows of a block:
 *
 *     block 0      block 1           lanes  0 1   each takes a part of a row, goes on with the same row of the next block,
 *     ┌──0 │ 1──┐  ┌──0 │ 1──┐              2 3   and with the last the lanes of a row join
 *     ├──2 │ 3──┤  ├──2 │ 3──┤
 */
import { Block, type MatrixBlock, type Target } from '../shader';
import { joinLanes } from './lanes';
import type { MatrixTile } from './matrix';
import { type Left, put, runningOfSums } from './partials';
import type { Product } from './product';

/** Has a subgroup lanes for all rows of a block, as many for each? */
export const rowsFit = ({ m, n, lanes }: MatrixBlock): boolean => lanes % m === 0 && n % (lanes / m) === 0;

/** Declares what takes a block and what leaves the sums behind the last of a row of blocks, and gives the lines that call it. */
export function sumsOfBlocks(main: Block, of: Product, tile: MatrixTile, block: MatrixBlock, target: Target) {
  const { shader } = main;
  const left = of.left as Left;
  const running = runningOfSums(left);
  const parts = running.flatMap((one) => one.parts);
  shader.declare(parts.map(({ name, type }) => `var<private> ${name}: ${type};`).join('\n'));

  const perRow = block.lanes / block.m;
  const each = block.n / perRow;
  const isRagged = of.m % tile.m > 0;
  const opened = () => {
    const body = new Block(shader, main.place);
    body.line(`let part = lane % ${perRow}u;`, `let own = lane % ${block.lanes}u / ${perRow}u;`);
    return body;
  };
  const at = 'lane: u32, batch: u32, firstRow: u32, column: u32';

  const taking = opened();
  taking.line(`let row = ${isRagged ? `min(firstRow + own, ${of.m - 1}u)` : 'firstRow + own'};`);
  const isGuarded = of.n % tile.n > 0;
  const wide = each % 4 === 0 && (left.four || !isGuarded) ? 4 : 1;
  const first = `lane / ${block.lanes}u * ${block.m * block.n}u + own * ${block.n}u + part * ${each}u`;
  taking.line(`for (var e = 0u; e < ${each}u; e += ${wide}u) {`, `let place = column + part * ${each}u + e;`);
  if (isGuarded) taking.line(`if (place >= ${of.n}u) { break; }`);
  const inner = taking.inside();
  const from = inner.once(`${first} + e`, 'from');
  const sums = Array.from({ length: wide }, (_, i) => `blocks[${from}${i ? ` + ${i}u` : ''}]`);
  const elements =
    wide === 4 && left.four
      ? left.four(inner, 'batch', 'row', 'place', inner.once(`vec4<f32>(${sums.join(', ')})`, 'sum'))
      : sums.map((sum, i) =>
          left.element(inner, 'batch', 'row', inner.once(i ? `place + ${i}u` : 'place'), inner.once(sum, 'sum')),
        );
  for (const one of running) one.take(elements, one.exprs, '0u');
  taking.line(...inner.lines, '}');
  shader.declare([`fn take(${at}) {`, ...taking.lines, '}'].join('\n'));

  const leaving = opened();
  leaving.line('let row = firstRow + own;');
  joinLanes(leaving, running, { lanes: perRow, rows: block.m, across: false }, target);
  put(leaving, of, [...(isRagged ? [`row < ${of.m}u`] : []), ...(isGuarded ? [`column < ${of.n}u`] : [])]);
  leaving.line(...parts.map(({ name, type }) => `${name} = ${type}();`));
  shader.declare([`fn leave(${at}) {`, ...leaving.lines, '}'].join('\n'));
  return { take: (place: string) => `take(lane, ${place});`, leave: (place: string) => `leave(lane, ${place});` };
}
