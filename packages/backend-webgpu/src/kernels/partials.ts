/**
 * What a convolution by tiles leaves of sums over its channels (`Partials`): a tile's rows are channels, its columns a part of them.
 *
 *        ┌──────n──────┐      a thread adds up what it has of a row, its neighbours in the row join theirs (lanes.ts),
 *      m │▒▒ ▒▒ ▒▒ ▒▒→Σ│      and the first of them stores it: of squares about the mean of the tile's row
 *        └─────────────┘
 */
import type { Partials } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { all } from '../place';
import { Block, type Target } from '../shader';
import { fours } from './in-tile';
import { joinLanes } from './lanes';
import type { Product } from './product';
import { moments, type Running, runningOf } from './running';
import { type Tile, threadsOf } from './tiles';

/** Partials of a product: the blocks in which an element of C, or four columns that follow each other, is computed. */
export interface Left extends Partials {
  element(block: Block, batch: string, row: string, column: string, sum: string): Block;
  readonly four: ((...at: Parameters<Left['element']>) => readonly Block[]) | null;
}

export const runningOfSums = ({ sums, squares }: Partials): Running[] =>
  sums.map((expr, s) =>
    squares ? moments(s, sums.length + s, expr) : runningOf(s, { combine: 'sum', dtype: 'float32', expr }),
  );

/** Bytes of workgroup memory that joining takes at most. */
export const sharedForSums = (partials: Partials | undefined, tile: Tile): number =>
  partials ? 4 * threadsOf(tile) * runningOfSums(partials).flatMap(({ parts }) => parts).length : 0;

/** Declares the function that leaves a row's sums, and gives the line that calls it; all threads must come there. */
export function leaving(
  block: Block,
  of: Product,
  tile: Tile,
  target: Target,
): (row: string, sums: readonly string[]) => string {
  const left = of.left as Left;
  const { m, n } = of;
  const [perM, perN] = tile.perThread;
  const lanes = tile.n / perN;
  const { base, gap } = fours(of.b, 'part', lanes, tile.n);
  const body = new Block(block.shader, block.place);
  const running = runningOfSums(left);
  for (const one of running) one.declare(body);
  const row = m % tile.m ? body.bind(`min(row, ${m - 1}u)`, 'row') : 'row';
  const sums = Array.from({ length: perN / 4 }, (_, j) => `sum${j}`);
  sums.forEach((sum, j) => {
    const from = body.bind(`column + ${base(j)}`, 'from');
    const guarded = n % tile.n > 0;
    const take = (inner: Block, elements: readonly Block[]) => {
      for (const one of running) one.take(elements, one.exprs, '0u');
      return inner.lines;
    };
    if (!guarded || (gap === 1 && left.four)) {
      const inner = body.inside();
      const place = (e: number) => inner.once(e ? `${from} + ${e * gap}u` : from, 'place');
      const elements =
        gap === 1 && left.four
          ? left.four(inner, 'batch', row, from, sum)
          : [0, 1, 2, 3].map((e) => left.element(inner, 'batch', row, place(e), `${sum}.${'xyzw'[e]}`));
      body.line(guarded ? `if (${from} < ${n}u) {` : '{', ...take(inner, elements), '}');
    } else {
      const inner = body.inside();
      const lines = take(inner, [left.element(inner, 'batch', row, 'place', `${sum}[e]`)]);
      body.line('for (var e = 0u; e < 4u; e++) {', `let place = ${from} + e * ${gap}u;`);
      body.line(`if (place < ${n}u) {`, ...lines, '}', '}');
    }
  });
  // those of the row before may still be read
  if (lanes > (target.subgroup ?? 1)) body.line('workgroupBarrier();');
  joinLanes(body, running, { lanes, rows: tile.m / perM, across: false }, target);
  put(body, of, m % tile.m ? [`row < ${m}u`] : []);
  const type = `vec4<${carriedAs(of.dtype)}>`;
  const head = `fn leave(lane: u32, part: u32, batch: u32, row: u32, column: u32, ${sums.map((sum) => `${sum}: ${type}`).join(', ')})`;
  block.shader.declare([`${head} {`, ...body.lines, '}'].join('\n'));
  return (row, values) => `leave(lane, laneColumn, batch, ${row}, firstColumn, ${values.join(', ')});`;
}

/** The first of the lanes that have joined a row's sums stores them, where the row's part is there. */
export function put(body: Block, { left, batch, m, n }: Product, tests: readonly string[]): void {
  const { columns, output, sums, squares } = left as Left;
  const parts = Math.ceil(n / columns);
  const at = body.bind(`(batch * ${m}u + row) * ${parts}u + column / ${columns}u`, 'at');
  const stores = Array.from({ length: sums.length * (squares ? 2 : 1) }, (_, i) => {
    const place = i ? `${at} + ${i * batch * m * parts}u` : at;
    return `out${output}[${place}] = acc${i};`;
  });
  body.line(`if (${all(['part == 0u', ...tests])}) {`, ...stores, '}');
}
