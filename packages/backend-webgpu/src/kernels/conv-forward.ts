/** The product that a convolution is: y [o, n·p] = w [o, r·c] · x at the window's places [r·c, n·p]. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { atSums, coordsOf } from '../place';
import type { Block } from '../shader';
import { Quad, vectorStores, vectorsOf } from '../vector';
import {
  type ConvPart,
  groupAt,
  innerOf,
  none,
  type Order,
  ofGroup,
  perGroup,
  placeIn,
  readAt,
  split,
  storesOf,
  termsOf,
} from './conv-places';
import { fromScratch, type Weights, weightsOf } from './conv-weights';
import type { Inside } from './product';
import { insideParts } from './windows';

export function forward(kernel: ConvKernel, order: Order): ConvPart {
  const { sizes, a, stores, partials } = kernel;
  const { n, c, o, groups, output, kernel: window } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const pointwise = taps === 1 && output.length === 1 && sizes.padding[0] === 0 && sizes.stride[0] === 1;
  const vectors = pointwise && output[0] === sizes.input[0] ? vectorsOf(a, 2, kernel) : [];
  const written = vectors.length ? vectorStores(stores, 2, kernel) : null;
  const summed = written ? (partials?.sums ?? []).flatMap((expr) => vectorsOf(expr, 2, kernel)) : [];
  const weights: Weights =
    order === 'taps'
      ? fromScratch(kernel)
      : weightsOf(kernel, 'k', ({ block, before }, group, k, other) => {
          const [channel, places] = split(block, k, window);
          const out = ofGroup(before, groups, outs, group, before.once(`i32(${other})`, 'o'));
          return [
            { block: before, coords: [out, '0i', ...none(window)] },
            { block, coords: ['0i', channel, ...places] },
          ];
        });
  /** Image and window of a column, channel and place of a k-position: what each adds to where x is read. */
  const place = (at: Inside, group: string, segment: string, inner: string, column: string) => {
    const { before } = at;
    const where = placeIn(at, order);
    const [channel, places] = innerOf(at, order, segment, inner, window);
    const [image, windows] = split(before, column, output);
    const { of, valid } = insideParts(
      sizes,
      { block: before, coords: windows },
      { block: where, coords: places },
      where,
    );
    const first = groupAt(before, groups, c / groups, group);
    return { terms: termsOf(at, where, [image, first, channel], of), valid };
  };
  const result = (block: Block, group: string, row: string, column: string) => {
    const [image, windows] = split(block, column, output);
    return [image, ofGroup(block, groups, o / groups, group, `i32(${row})`), ...windows];
  };
  return {
    batch: groups,
    m: outs,
    n: n * sizeOf(output),
    ...(order === 'taps' ? { k: channels, segments: taps } : { k: channels * taps, segments: 1 }),
    a: weights,
    b: {
      along: 'other',
      one: (at, ...position) => {
        const { terms, valid } = place(at, ...position);
        return readAt(at.block, a, atSums(terms), valid);
      },
      four: vectors.length
        ? (at, ...position) =>
            new Quad(at.block, coordsOf(place(at, ...position).terms), 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...vectors, ...weights.vectors, ...(written ?? []), ...summed],
    ...storesOf(kernel, written !== null, result),
  };
}
