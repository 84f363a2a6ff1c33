/**
 * Stream-K (Osama et al., PPoPP 2023): the slabs of all tiles in a row, dealt to so many workgroups in equal shares, as many as the device
 * holds at once, however many tiles there are.
 *
 *     ├─── tile 0 ────┼─── tile 1 ────┼─── tile 2 ────┤   slabs of k
 *     └─ group 0 ─┘└─ group 1 ─┘└─ group 2 ─┘└─ group 3 ─┘
 *
 * A tile that one group has alone is stored by it. Of others each group leaves its sums in scratch, which has two places a group: the second
 * for the tile that it begins, the first for the one that was begun before it. Another dispatch adds them in the order of the groups.
 */
import type { Product } from './product';
import type { Tile } from './tiles';

export interface Dealt {
  /** Slabs of a tile, and of a share; workgroups. */
  readonly slabs: number;
  readonly share: number;
  readonly groups: number;
}

export function dealt({ batch, m, n, k, segments }: Product, tile: Tile, shares: number): Dealt {
  const slabs = segments * Math.ceil(k / tile.k);
  const total = batch * Math.ceil(m / tile.m) * Math.ceil(n / tile.n) * slabs;
  const share = Math.ceil(total / shares);
  return { slabs, share, groups: Math.ceil(total / share) };
}

/** A group's loop over the tiles of its share: `made` is the tile, whose slabs from `first` to `last` are the group's. */
export const overShare = ({ slabs, share }: Dealt, tiles: number): string[] => [
  `let end = min(${tiles * slabs}u, (group + 1u) * ${share}u);`,
  `for (var at = group * ${share}u; at < end;) {`,
  `let made = at / ${slabs}u;`,
  `let first = at % ${slabs}u;`,
  `let last = min(${slabs}u, first + end - at);`,
];
/** The group's place in scratch for the tile it is at. */
export const placeOfShare = 'group * 2u + select(0u, 1u, first == 0u)';

/** The groups that have a part of a tile, from `firstPart` up to `lastPart`, and the place of that of `part`. */
export const sharesOf = ({ slabs, share }: Dealt): string[] => [
  `let firstPart = made * ${slabs}u / ${share}u;`,
  `let lastPart = ((made + 1u) * ${slabs}u - 1u) / ${share}u;`,
];
export const placeOfPart = 'part * 2u + select(0u, 1u, part == firstPart)';
