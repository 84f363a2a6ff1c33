/** The product that the weight gradient of a convolution is: ∂w [o, c·r] = g [o, n·p] · x at the window's places [n·p, c·r]. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import { carriedAs } from '../accumulate';
import { atCoords, atSums, coordsOf, type Known } from '../place';
import { Quad, vectorsOf } from '../vector';
import { type ConvPart, none, ofGroup, perGroup, readAt, split } from './conv-places';
import { flattened } from './flatten';
import type { Inside } from './product';
import { insideParts } from './windows';

export function weightGrad(kernel: ConvKernel): ConvPart {
  const { sizes, a, b, stores } = kernel;
  const { n, groups, output, kernel: window } = sizes;
  const { channels, outs, taps } = perGroup(sizes);
  const size = sizeOf(output);
  // g over [n, o, p]: four of p lie together more often than four of a row.
  const flat = flattened([b], [], 2, output.length + 2)?.exprs[0];
  const shape = flat ? [size] : output;
  const g = flat ?? b;
  const ofG = vectorsOf(g, shape.length + 1, kernel);
  const pointwise = taps === 1 && output.length === 1 && sizes.padding[0] === 0 && sizes.stride[0] === 1;
  const ofX = pointwise && output[0] === sizes.input[0] ? vectorsOf(a, 2, kernel) : [];
  const gAt = ({ block, before }: Inside, group: string, inner: string, row: string): Known[] => {
    const [image, windows] = split(block, inner, shape);
    const out = ofGroup(before, groups, outs, group, before.once(`i32(${row})`, 'o'));
    return [
      { block: before, coords: ['0i', out, ...none(shape)] },
      { block, coords: [image, '0i', ...windows] },
    ];
  };
  const xAt = ({ block, before }: Inside, group: string, inner: string, column: string) => {
    const [channel, places] = split(before, column, window);
    const [image, windows] = split(block, inner, output);
    const parts = insideParts(sizes, { block, coords: windows }, { block: before, coords: places }, block);
    const terms: Known[] = [
      { block: before, coords: ['0i', ofGroup(before, groups, channels, group, channel), ...parts.of[1].coords] },
      { block, coords: [image, '0i', ...parts.of[0].coords] },
    ];
    return { terms, valid: parts.valid };
  };
  return {
    batch: groups,
    m: outs,
    n: channels * taps,
    k: n * size,
    segments: 1,
    a: {
      along: 'k',
      one: (at, group, _, inner, row) => readAt(at.block, g, atSums(gAt(at, group, inner, row))),
      four: ofG.length
        ? (at, group, _, inner, row) =>
            new Quad(at.block, coordsOf(gAt(at, group, inner, row)), shape.length + 1).value(g, carriedAs(g.dtype))
        : null,
    },
    b: {
      along: 'k',
      one: (at, group, _, inner, column) => {
        const { terms, valid } = xAt(at, group, inner, column);
        return readAt(at.block, a, atSums(terms), valid);
      },
      four: ofX.length
        ? (at, group, _, inner, column) =>
            new Quad(at.block, coordsOf(xAt(at, group, inner, column).terms), 2).value(a, carriedAs(a.dtype))
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
