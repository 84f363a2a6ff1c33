/** The product that a convolution is: y [o, n·p] = w [o, r·c] · x at the window's places [r·c, n·p]. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { atCoords } from '../place';
import type { Block } from '../shader';
import { Quad, vectorStores, vectorsOf } from '../vector';
import { type ConvPart, innerOf, type Order, ofGroup, perGroup, read, split } from './conv-places';
import { fromScratch, type Weights, weightsOf } from './conv-weights';
import type { Inside } from './product';
import { inside } from './windows';

export function forward(kernel: ConvKernel, order: Order): ConvPart {
  const { sizes, a, stores } = kernel;
  const { n, c, o, groups, output, kernel: window } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const pointwise = taps === 1 && output.length === 1 && sizes.padding[0] === 0 && sizes.stride[0] === 1;
  const vectors = pointwise && output[0] === sizes.input[0] ? vectorsOf(a, 2, kernel) : [];
  const written = vectors.length ? vectorStores(stores, 2, kernel) : null;
  const weights: Weights =
    order === 'taps'
      ? fromScratch(kernel)
      : weightsOf(kernel, 'k', (block, group, k, other) => {
          const [channel, places] = split(block, k, window);
          return [ofGroup(block, groups, o / groups, group, `i32(${other})`), channel, ...places];
        });
  const place = ({ block, before }: Inside, group: string, segment: string, inner: string, column: string) => {
    const [channel, places] = innerOf(block, order, segment, inner, window);
    const [image, windows] = split(before, column, output);
    const { coords, valid } = inside(block, sizes, windows, places);
    const test = valid && block.once(valid, 'has');
    return { at: [image, ofGroup(block, groups, c / groups, group, channel), ...coords], valid: test };
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
        const { at: coords, valid } = place(at, ...position);
        return read(at.block, a, coords, valid);
      },
      four: vectors.length
        ? (at, ...position) => new Quad(at.block, place(at, ...position).at, 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...vectors, ...weights.vectors, ...(written ?? [])],
    store: (block, group, row, column, sum) =>
      block.at(atCoords(result(block, group, row, column), () => sum)).store(stores),
    store4:
      written &&
      ((block, group, row, column, sum) =>
        new Quad(block, result(block, group, row, column), 2, (part) => `${sum}.${'xyzw'[part]}`).store(stores)),
  };
}
