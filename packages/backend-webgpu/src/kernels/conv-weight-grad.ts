/** The product that the weight gradient of a convolution is: ∂w [o, c·r] = g [o, n·p] · x at the window's places [n·p, c·r]. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { atCoords } from '../place';
import type { Block } from '../shader';
import { Quad, vectorsOf } from '../vector';
import { type ConvPart, ofGroup, perGroup, read, split } from './conv-places';
import { flattened } from './flatten';
import type { Inside } from './product';
import { inside } from './windows';

export function weightGrad(kernel: ConvKernel): ConvPart {
  const { sizes, a, b, stores } = kernel;
  const { n, c, groups, output, kernel: window } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const size = sizeOf(output);
  // g over [n, o, p]: four of p lie together more often than four of a row.
  const flat = flattened([b], [], 2, output.length + 2)?.exprs[0];
  const shape = flat ? [size] : output;
  const g = flat ?? b;
  const ofG = vectorsOf(g, shape.length + 1, kernel);
  const pointwise = taps === 1 && output.length === 1 && sizes.padding[0] === 0 && sizes.stride[0] === 1;
  const ofX = pointwise && output[0] === sizes.input[0] ? vectorsOf(a, 2, kernel) : [];
  const gAt = (block: Block, before: Block, group: string, inner: string, row: string) => {
    const [image, windows] = split(block, inner, shape);
    return [image, ofGroup(before, groups, outs, group, `i32(${row})`), ...windows];
  };
  const xAt = ({ block, before }: Inside, group: string, inner: string, column: string) => {
    const [channel, places] = split(before, column, window);
    const [image, windows] = split(block, inner, output);
    const { coords, valid } = inside(block, sizes, windows, places);
    return { at: [image, ofGroup(before, groups, c / groups, group, channel), ...coords], valid };
  };
  return {
    batch: groups,
    m: outs,
    n: channels * taps,
    k: n * size,
    segments: 1,
    a: {
      along: 'k',
      one: ({ block, before }, group, _, inner, row) => read(block, g, gAt(block, before, group, inner, row)),
      four: ofG.length
        ? ({ block, before }, group, _, inner, row) =>
            new Quad(block, gAt(block, before, group, inner, row), shape.length + 1).value(g, carriedAs(g.dtype))
        : null,
    },
    b: {
      along: 'k',
      one: (at, group, _, inner, column) => {
        const { at: coords, valid } = xAt(at, group, inner, column);
        return read(at.block, a, coords, valid);
      },
      four: ofX.length
        ? (at, group, _, inner, column) =>
            new Quad(at.block, xAt(at, group, inner, column).at, 2).value(a, carriedAs(a.dtype))
        : null,
    },
    vectors: [...ofG, ...ofX],
    store: (block, group, row, column, sum) => {
      const [channel, places] = split(block, column, window);
      const out = ofGroup(block, groups, outs, group, `i32(${row})`);
      block.at(atCoords([out, channel, ...places], () => sum)).store(stores);
    },
  };
}
