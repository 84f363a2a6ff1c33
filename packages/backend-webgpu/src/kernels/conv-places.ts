/** From positions in a convolution's matrices to coordinates of its tensors. */
import { type ConvKernel, type ConvSizes, type Expr, sizeOf } from '@tessera/tensor/backend';
import { toCarried } from '../accumulate';
import { atCoords, type Known, type Place, unravel } from '../place';
import type { Block } from '../shader';
import { Quad } from '../vector';
import type { Inside, Product } from './product';
import type { Parts } from './windows';

/** How k runs over channels and places of the window. */
export type Order = 'taps' | 'flat';
/** What a direction of convolution says of its product. */
export type ConvPart = Pick<Product, 'batch' | 'm' | 'n' | 'k' | 'segments' | 'a' | 'b' | 'store'> & Partial<Product>;

/** What is known of a product's groups. */
export const perGroup = ({ c, o, groups, kernel }: ConvSizes) => ({
  channels: c / groups,
  outs: o / groups,
  taps: sizeOf(kernel),
});
/** The first channel of a group. */
export const groupAt = (block: Block, groups: number, each: number, group: string): string =>
  groups === 1 ? '0i' : block.once(`i32(${group}) * ${each}i`, 'c');
export const ofGroup = (block: Block, groups: number, each: number, group: string, one: string): string =>
  groups === 1 ? one : block.once(`i32(${group}) * ${each}i + ${one}`, 'c');

/** How an element of a map is stored that lies at `at`, or four that follow each other along the first place, and what is left of its sums. */
export function storesOf(
  { stores, partials }: ConvKernel,
  vectors: boolean,
  at: (block: Block, batch: string, row: string, column: string) => string[],
): Pick<Product, 'store' | 'store4' | 'left'> {
  const half = stores[partials?.half ?? -1]?.expr;
  const rounded = (block: Block) => block.once(`f32(f16(${block.value(half as Expr)}))`, 'half');
  const element = (block: Block, batch: string, row: string, column: string, sum: string) => {
    const made: Block = block.at(atCoords(at(block, batch, row, column), (index) => (index ? rounded(made) : sum)));
    return made;
  };
  const four = (block: Block, batch: string, row: string, column: string, sum: string) => {
    const made: Quad = new Quad(block, at(block, batch, row, column), 2, (part, index) =>
      index ? rounded(made.four[part] as Block) : `${sum}.${'xyzw'[part]}`,
    );
    return made;
  };
  return {
    store: (...where) => element(...where).store(stores),
    store4: vectors ? (...where) => four(...where).store(stores) : null,
    left: partials ? { ...partials, element, four: vectors ? (...where) => four(...where).four : null } : null,
  };
}

/** A position (u32) over [outer, ...shape]: the outer coordinate, and those of the shape (i32). */
export function split(block: Block, position: string, shape: readonly number[]): [outer: string, coords: string[]] {
  const size = sizeOf(shape);
  if (size <= 1) return [block.once(`i32(${position})`, 'u'), shape.map(() => '0i')];
  const rest = block.once(`${position} % ${size}u`, 'p');
  return [
    block.once(`i32(${position} / ${size}u)`, 'u'),
    shape.map((_, axis) => block.once(unravel(rest, shape, axis), 'q')),
  ];
}

const guarded = (value: string, { dtype }: Expr, valid: string | null) =>
  valid ? `select(${dtype === 'float32' ? '0.0f' : '0i'}, ${value}, ${valid})` : value;
export const readAt = (block: Block, expr: Expr, place: Place, valid: string | null = null): string =>
  guarded(toCarried(block.at(place).value(expr), expr.dtype), expr, valid);
export const read = (block: Block, expr: Expr, coords: readonly string[], valid: string | null = null): string =>
  readAt(block, expr, atCoords(coords), valid);
export const none = (shape: readonly unknown[]): string[] => shape.map(() => '0i');

/** Where the place of the window is known. */
export const placeIn = ({ block, slab }: Inside, order: Order): Block => (order === 'taps' ? slab : block);

/**
 * What each part of a k-position adds to where a map is read: image and first channel of the group are known before the loop, the
 * channel in it, and the window's two parts where each of them is.
 */
export const termsOf = (
  { block, before }: Inside,
  where: Block,
  [image, group, channel]: readonly [string, string, string],
  of: Parts['of'],
): Known[] => [
  { block: before, coords: [image, group, ...of[0].coords] },
  { block: where, coords: ['0i', '0i', ...of[1].coords] },
  { block, coords: ['0i', channel, ...none(of[0].coords)] },
];

/** Channel and place of the window that a k-position is. */
export function innerOf(
  { block, slab }: Inside,
  order: Order,
  segment: string,
  inner: string,
  window: readonly number[],
): [string, string[]] {
  if (order === 'flat') return split(block, inner, window);
  return [block.once(`i32(${inner})`, 'u'), window.map((_, axis) => slab.once(unravel(segment, window, axis), 'r'))];
}
