/**
 * Ways to make the outputs of a tile with fewer multiplications: image and weights are transformed, multiplied place by place, and
 * the products' sums transformed back. All transforms hold four tiles, or four channels, side by side.
 */
import type { ConvKernel, Expr } from '@tessera/tensor/backend';
import { type Code, type Func, get, i32, type Local, type Module, set, v128 } from '../assembler';
import { isPlain } from './pack';
import type { MultiplyAdd } from './tile';
import { gradientTransform, inputTransform, outputTransform, transformWeight, weightTransform } from './transforms';
import { wholeGradient, wholeImage, wholeOutput, wholeWeight } from './whole';

export interface Scheme {
  /** Products a tile. */
  readonly places: number;
  /** Height and width of a tile's outputs, and by how much what it reads is larger. */
  readonly made: number;
  readonly more: 0 | 2;
  /** (x0 … x3, v, pass): patches in planes `width` wide → places. */
  image(module: Module, width: number, placeBytes: number, madd: MultiplyAdd): Func;
  /** The same of the gradient that makes weights. */
  gradient(module: Module, width: number, placeBytes: number, madd: MultiplyAdd): Func;
  /** Taps of four channels → places; `put` moves on by `step`. */
  weight(f: Func, put: Local, taps: readonly Local[], placeBytes: number, step: number, madd: MultiplyAdd): Code;
  /** (m, y0 … y3, pass): sums → outputs. */
  output(module: Module, rowBytes: number, madd: MultiplyAdd): Func;
  /** (m, w0 … w3, pass): sums → nine taps of four channels. */
  taps(module: Module, madd: MultiplyAdd): Func;
}

/** Tiles of a map: those that would hang over an edge are moved back over their neighbours. */
export const gridOf = ({ made }: Scheme, height: number, width: number) => ({
  down: Math.ceil(height / made),
  across: Math.ceil(width / made),
});

/** Winograd's F(4×4, 3×3), any map from 4×4 on. */
export const winograd4: Scheme = {
  places: 36,
  made: 4,
  more: 2,
  image: (module, width, placeBytes, madd) => inputTransform(module, 6, width, placeBytes, madd),
  gradient: (module, width, placeBytes, madd) => gradientTransform(module, 6, width, placeBytes, madd),
  weight: (f, put, taps, placeBytes, step, madd) =>
    transformWeight(4, placeBytes, step, false, madd)(f, put, taps.map(get)),
  output: (module, rowBytes, madd) => outputTransform(module, 4, rowBytes, madd),
  taps: (module, madd) => weightTransform(module, 6, madd),
};

/** Karatsuba's for a map of 2×2 as a whole. */
export const whole2: Scheme = {
  places: 9,
  made: 2,
  more: 0,
  image: (module, width, placeBytes) => wholeImage(module, width, placeBytes),
  gradient: (module, width, placeBytes) => wholeImage(module, width, placeBytes, true),
  weight: (_, put, taps, placeBytes, step) => [
    wholeWeight(taps, (place, value) => v128.store(put, value, place * placeBytes)),
    set(put, i32.add(put, step)),
  ],
  output: (module) => wholeOutput(module),
  taps: (module) => wholeGradient(module),
};

/** Most tiles of all images at which transforming the weights where they are used is faster. */
const mostTiles = 64;
/** Most bytes of the transformed operands of a weight's gradient, which is faster so whatever the number of tiles. */
const mostBytes = 32 << 20;
/** Fewest tiles that it sums: a tap of one product alone would carry the rounding of sixteen others. */
const leastSummed = 4;
/** Fewest channels that pay for the transforms. */
const leastChannels = 32;

/** The scheme for a convolution of few tiles and many weights; null where it is none. */
export function fewScheme(kernel: ConvKernel): Scheme | null {
  const { kernel: window, stride, dilation, n, groups, c, o, input, output, padding } = kernel.sizes;
  const { direction } = kernel;
  if (kernel.a.dtype !== 'float32' || kernel.b.dtype !== 'float32') return null;
  if (window.length !== 2 || window.some((r) => r !== 3) || [...stride, ...dilation].some((s) => s !== 1)) return null;
  if ([c / groups, o / groups].some((many) => many < leastChannels || many % 4 !== 0)) return null;
  const every = (list: readonly number[], value: number) => list.every((x) => x === value);
  const [height, width] = (direction === 'inputGrad' ? input : output) as [number, number];
  const scheme = every(input, 2) && every(padding, 1) ? whole2 : height < 4 || width < 4 ? null : winograd4;
  if (!scheme) return null;
  const { down, across } = gridOf(scheme, height, width);
  const tiles = n * down * across;
  if (direction !== 'weightGrad') return tiles > 0 && tiles <= mostTiles && hasNines(kernel, kernel.b) ? scheme : null;
  return tiles < leastSummed || 4 * tiles * scheme.places * (c + o) > mostBytes ? null : scheme;
}

/** Do the taps of a weight follow one another, and those of its channels? */
function hasNines(kernel: ConvKernel, weight: Expr): boolean {
  if (!isPlain(kernel, weight)) return false;
  const [, channel, row, column] = weight.view.strides;
  return channel === 9 && row === 3 && column === 1;
}
