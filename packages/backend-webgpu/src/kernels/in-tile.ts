/** Where in C a workgroup's tile is, and where in the tile a thread's vectors are. */
import type { Block } from '../shader';
import type { Factor, Product } from './product';
import type { Tile } from './tiles';

/** Which tile of which matrix the workgroup makes: in bands of `band` rows of tiles, so that those at work share B. */
export function whereIs(
  block: Block,
  group: string,
  { batch }: Product,
  tilesM: number,
  tilesN: number,
  tile: Pick<Tile, 'm' | 'n'>,
  splits: number,
): void {
  const band = 8;
  const count = tilesM * tilesN;
  const rest = batch * splits === 1 ? '0u' : count === 1 ? group : `${group} / ${count}u`;
  const place = batch * splits === 1 ? group : count === 1 ? '0u' : `${group} % ${count}u`;
  block.line(`let batch = ${batch === 1 ? '0u' : splits > 1 ? `${rest} / ${splits}u` : rest};`);
  if (splits > 1) block.line(`let part = ${batch === 1 ? rest : `${rest} % ${splits}u`};`);
  if (tilesM <= band) {
    block.line(`let firstRow = ${tilesM <= 1 ? '0u' : `${place} % ${tilesM}u * ${tile.m}u`};`);
    block.line(`let firstColumn = ${tilesN <= 1 ? '0u' : `${place} / ${tilesM}u * ${tile.n}u`};`);
    return;
  }
  block.line(
    `let place = ${place};`,
    `let top = place / ${band * tilesN}u * ${band}u;`,
    `let height = min(${band}u, ${tilesM}u - top);`,
    `let firstRow = (top + place % ${band * tilesN}u % height) * ${tile.m}u;`,
    `let firstColumn = place % ${band * tilesN}u / height * ${tile.n}u;`,
  );
}

/** The slabs from `first` to `last` of so many that a workgroup goes through, whose part of k is `part`. */
export function shareOf(block: Block, total: string, splits: number): void {
  if (splits === 1) block.line('let first = 0u;', `let last = ${total};`);
  else {
    block.line(`let share = (${total} + ${splits - 1}u) / ${splits}u;`);
    block.line('let first = part * share;', `let last = min(${total}, first + share);`);
  }
}

/** Positions in the tile of the four rows or columns in a thread's q-th vector: base, and how far apart they are. */
export interface Four {
  base(q: number): string;
  readonly gap: number;
}
export function fours({ along, four }: Factor, lane: string, lanes: number, size: number): Four {
  const from = (scale: number, step: number) => (q: number) =>
    `${scale === 1 ? lane : `${lane} * ${scale}u`}${q ? ` + ${q * step}u` : ''}`;
  if (along === 'k') return { base: from(1, 4 * lanes), gap: lanes };
  return four ? { base: from(4, 4 * lanes), gap: 1 } : { base: from(1, lanes), gap: size / 4 };
}
