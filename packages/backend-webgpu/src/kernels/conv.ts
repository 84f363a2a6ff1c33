/**
 * Convolution and its two gradients as products of matrices that are never written down (implicit GEMM): a position in a
 * matrix is decoded to coordinates when it is staged. A batch is a group of channels.
 *
 *   direction     A (m × k)                        B (k × n)                          C
 *   forward       w   [o, c·r]                     x at the window's places [c·r, n·p]   y  [o, n·p]
 *   inputGrad     w   [c, o·r]                     g of the windows that read [o·r, n·q] ∂x [c, n·q]
 *   weightGrad    g   [o, n·p]                     x at the window's places [n·p, c·r]   ∂w [o, c·r]
 *
 * p runs over output positions, q over input positions, r over places in the window.
 */
import { type ConvKernel, type Expr, sizeOf } from '@tessera/tensor/backend';
import { toCarried } from '../accumulate';
import { atCoords, unravel } from '../place';
import type { Block, Program, Target } from '../shader';
import { type Product, product, type Tile } from './product';
import { inside, windowOf } from './windows';

export function conv(kernel: ConvKernel, target: Target, tile?: Tile): Program {
  const { direction, sizes } = kernel;
  const { n, c, o, groups, input, kernel: window } = sizes;
  const title = `conv ${direction} [${[n, c, ...input]}] ∗ [${[o, c / groups, ...window]}] stride ${sizes.stride} dilation ${sizes.dilation} padding ${sizes.padding} groups ${groups}`;
  return product(kernel, target, { title, batch: groups, dtype: kernel.a.dtype, ...products[direction](kernel) }, tile);
}

type Part = Omit<Product, 'title' | 'batch' | 'dtype'>;

const products: Record<ConvKernel['direction'], (kernel: ConvKernel) => Part> = {
  forward: ({ sizes, a, b, stores }) => {
    const { n, output } = sizes;
    const [channels, outs, taps] = perGroup(sizes);
    return {
      m: outs,
      n: n * sizeOf(output),
      k: channels * taps,
      along: { a: 'k', b: 'other' },
      a: (block, group, row, inner) => weightAt(block, b, sizes, outOf(sizes, group, row), inner),
      b: (block, group, inner, column) => {
        const [channel, places] = split(block, inner, sizes.kernel);
        const [image, windows] = split(block, column, output);
        return inputAt(block, a, sizes, image, channelOf(sizes, group, channel), windows, places);
      },
      store: (block, group, row, column, sum) => {
        const [image, windows] = split(block, column, output);
        const out = block.bind(outOf(sizes, group, row), 'o');
        block.at(atCoords([image, out, ...windows], () => sum)).store(stores);
      },
    };
  },
  inputGrad: ({ sizes, a, b, stores }) => {
    const { n, input } = sizes;
    const [channels, outs, taps] = perGroup(sizes);
    return {
      m: channels,
      n: n * sizeOf(input),
      k: outs * taps,
      along: { a: 'k', b: 'other' },
      a: (block, group, row, inner) => {
        const [out, places] = split(block, inner, sizes.kernel);
        const place = [block.bind(`i32(${group}) * ${outs}i + ${out}`, 'o'), `i32(${row})`, ...places];
        return toCarried(block.at(atCoords(place)).value(b), b.dtype);
      },
      b: (block, group, inner, column) => {
        const [out, places] = split(block, inner, sizes.kernel);
        const [image, elements] = split(block, column, input);
        const { coords, valid } = windowOf(block, sizes, elements, places);
        const place = [image, block.bind(`i32(${group}) * ${outs}i + ${out}`, 'o'), ...coords];
        return guarded(toCarried(block.at(atCoords(place)).value(a), a.dtype), a, valid);
      },
      store: (block, group, row, column, sum) => {
        const [image, elements] = split(block, column, input);
        const channel = block.bind(channelOf(sizes, group, `i32(${row})`), 'c');
        block.at(atCoords([image, channel, ...elements], () => sum)).store(stores);
      },
    };
  },
  weightGrad: ({ sizes, a, b, stores }) => {
    const { n, output } = sizes;
    const [channels, outs, taps] = perGroup(sizes);
    return {
      m: outs,
      n: channels * taps,
      k: n * sizeOf(output),
      along: { a: 'k', b: 'k' },
      a: (block, group, row, inner) => {
        const [image, windows] = split(block, inner, output);
        const place = [image, block.bind(outOf(sizes, group, row), 'o'), ...windows];
        return toCarried(block.at(atCoords(place)).value(b), b.dtype);
      },
      b: (block, group, inner, column) => {
        const [channel, places] = split(block, column, sizes.kernel);
        const [image, windows] = split(block, inner, output);
        return inputAt(block, a, sizes, image, channelOf(sizes, group, channel), windows, places);
      },
      store: (block, group, row, column, sum) => {
        const [channel, places] = split(block, column, sizes.kernel);
        const out = block.bind(outOf(sizes, group, row), 'o');
        block.at(atCoords([out, channel, ...places], () => sum)).store(stores);
      },
    };
  },
};

const perGroup = ({ c, o, groups, kernel }: ConvKernel['sizes']): [channels: number, outs: number, taps: number] => [
  c / groups,
  o / groups,
  sizeOf(kernel),
];
const outOf = ({ o, groups }: ConvKernel['sizes'], group: string, row: string) =>
  groups === 1 ? `i32(${row})` : `i32(${group}) * ${o / groups}i + i32(${row})`;
const channelOf = ({ c, groups }: ConvKernel['sizes'], group: string, channel: string) =>
  groups === 1 ? channel : `i32(${group}) * ${c / groups}i + ${channel}`;

/** A position over [outer, ...shape]: the outer coordinate, and those of the shape. */
function split(block: Block, position: string, shape: readonly number[]): [outer: string, coords: string[]] {
  const size = sizeOf(shape);
  const outer = block.bind(size <= 1 ? `i32(${position})` : `i32(${position} / ${size}u)`, 'u');
  if (size <= 1) return [outer, shape.map(() => '0i')];
  const rest = block.bind(`${position} % ${size}u`, 'p');
  return [outer, shape.map((_, axis) => block.bind(unravel(rest, shape, axis), 'q'))];
}

function weightAt(block: Block, weight: Expr, { kernel }: ConvKernel['sizes'], out: string, inner: string): string {
  const [channel, places] = split(block, inner, kernel);
  const place = [block.bind(out, 'o'), channel, ...places];
  return toCarried(block.at(atCoords(place)).value(weight), weight.dtype);
}

/** x where place `places` of window `windows` reads, 0 outside. */
function inputAt(
  block: Block,
  x: Expr,
  sizes: ConvKernel['sizes'],
  image: string,
  channel: string,
  windows: readonly string[],
  places: readonly string[],
): string {
  const { coords, valid } = inside(block, sizes, windows, places);
  const place = [image, block.bind(channel, 'c'), ...coords];
  return guarded(toCarried(block.at(atCoords(place)).value(x), x.dtype), x, valid);
}

const guarded = (value: string, { dtype }: Expr, valid: string | null) =>
  valid ? `select(${dtype === 'float32' ? '0.0f' : '0i'}, ${value}, ${valid})` : value;
