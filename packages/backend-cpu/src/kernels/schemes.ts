/**
 * Ways to make the outputs of a tile with fewer multiplications: image and weights are transformed, multiplied place by place, and
 * the products' sums transformed back. All transforms hold four tiles, or four channels, side by side.
 */
import type { ConvKernel, Expr } from '@tessera/tensor/backend';
import { type Code, type Func, get, i32, type Local, type Module, set, v128 } from '../assembler';
import { lineImage, lineOutput, lineWeight } from './lines';
import { isPlain } from './pack';
import type { MultiplyAdd } from './tile';
import { gradientTransform, inputTransform, outputTransform, transformWeight, weightTransform } from './transforms';
import { wholeGradient, wholeImage, wholeOutput, wholeWeight } from './whole';

export interface Scheme {
  /** Products a tile, and into how many parts the taps are taken apart, whose products are added. */
  readonly places: number;
  readonly parts: number;
  readonly taps: number;
  /** Height and width of a tile's outputs, by how much what it reads is larger, and whether its map is padded. */
  readonly tile: Size;
  readonly more: Size;
  readonly padded: boolean;
  /** (x0 … x3, v, pass): patches in planes `width` wide → places, the parts `partBytes` apart. */
  image(module: Module, width: number, placeBytes: number, madd: MultiplyAdd, partBytes: number): Func;
  /** Taps of four channels → places, the parts `partBytes` apart; `put` moves on by `step`. */
  weight(f: Func, put: Local, taps: readonly Local[], to: WeightPlaces, madd: MultiplyAdd): Code;
  /** (m, y0 … y3, pass): sums → outputs. */
  output(module: Module, rowBytes: number, madd: MultiplyAdd): Func;
}
type Size = readonly [height: number, width: number];
export interface WeightPlaces {
  readonly place: number;
  readonly part: number;
  readonly step: number;
}

/** A scheme for the gradient of 3×3 weights, too. */
export interface WeightScheme extends Scheme {
  /** (g0 … g3, u, pass): patches of the gradient → places. */
  gradient(module: Module, width: number, placeBytes: number, madd: MultiplyAdd): Func;
  /** (m, w0 … w3, pass): sums → nine taps of four channels. */
  nines(module: Module, madd: MultiplyAdd): Func;
}

/** Tiles of a map: those that would hang over an edge are moved back over their neighbours. */
export const gridOf = ({ tile }: Scheme, height: number, width: number) => ({
  down: Math.ceil(height / tile[0]),
  across: Math.ceil(width / tile[1]),
});

/** Winograd's F(4×4, 3×3), any map from 4×4 on. */
export const winograd4: WeightScheme = {
  places: 36,
  parts: 1,
  taps: 9,
  tile: [4, 4],
  more: [2, 2],
  padded: true,
  image: (module, width, placeBytes, madd) => inputTransform(module, 6, width, placeBytes, madd),
  gradient: (module, width, placeBytes, madd) => gradientTransform(module, 6, width, placeBytes, madd),
  weight: (f, put, taps, { place, step }, madd) => transformWeight(4, place, step, false, madd)(f, put, taps.map(get)),
  output: (module, rowBytes, madd) => outputTransform(module, 4, rowBytes, madd),
  nines: (module, madd) => weightTransform(module, 6, madd),
};

/** Karatsuba's for a map of 2×2 as a whole. */
export const whole2: WeightScheme = {
  places: 9,
  parts: 1,
  taps: 9,
  tile: [2, 2],
  more: [0, 0],
  padded: false,
  image: (module, width, placeBytes) => wholeImage(module, width, placeBytes),
  gradient: (module, width, placeBytes) => wholeImage(module, width, placeBytes, true),
  weight: (_, put, taps, { place, step }) => [
    wholeWeight(taps, (i, value) => v128.store(put, value, i * place)),
    set(put, i32.add(put, step)),
  ],
  output: (module) => wholeOutput(module),
  nines: (module) => wholeGradient(module),
};

/**
 * Windows of one row or one column, of 3 to 8 taps: three taps by F(4, 3), more in parts of four by F(3, 4), all of six places. Each
 * part is as many channels more, for which the image is read four elements on.
 */
export function line(taps: number, down: boolean): Scheme {
  const made = taps === 3 ? 4 : 3;
  const each = taps === 3 ? 3 : 4;
  const parts = Math.ceil(taps / each);
  const along = (size: number, across: number): Size => (down ? [size, across] : [across, size]);
  return {
    places: 6,
    parts,
    taps,
    tile: along(made, 1),
    more: along(parts * each - 1, 0),
    padded: true,
    image: (module, width, placeBytes, madd, partBytes) =>
      lineImage(module, { parts, down, width, placeBytes, partBytes }, madd),
    weight: (f, put, all, to, madd) => lineWeight(f, put, all, { each, parts, ...to }, madd),
    output: (module, rowBytes, madd) => lineOutput(module, { made, down, rowBytes }, madd),
  };
}

/** Most tiles of all images at which transforming the weights where they are used is faster. */
const mostTiles = 64;
/** Most bytes of the transformed operands of a weight's gradient, which is faster so whatever the number of tiles. */
const mostBytes = 32 << 20;
/** Fewest tiles that it sums: a tap of one product alone would carry the rounding of sixteen others. */
const leastSummed = 4;
/** Fewest channels that pay for the transforms. */
const leastChannels = 32;

/** The scheme for a gradient of weights whose transformed operands are not too large; null where there is none. */
export function weightScheme(kernel: ConvKernel): WeightScheme | null {
  const { n, c, o, output } = kernel.sizes;
  const scheme = isSimple(kernel) ? square(kernel, output) : null;
  if (!scheme) return null;
  const tiles = tilesOf(scheme, n, output);
  return tiles < leastSummed || 4 * tiles * scheme.places * (c + o) > mostBytes ? null : scheme;
}

/** The scheme for a convolution, or its input's gradient, of few tiles and many weights, or of lines; null where there is none. */
export function fewScheme(kernel: ConvKernel): Scheme | null {
  const { kernel: window, n, c, o, input, output } = kernel.sizes;
  const made = kernel.direction === 'inputGrad' ? input : output;
  if (n === 0 || !isSimple(kernel) || !hasTaps(kernel, kernel.b)) return null;
  const scheme = square(kernel, made);
  if (scheme) return tilesOf(scheme, n, made) <= mostTiles ? scheme : null;
  const taps = Math.max(...window);
  if (Math.min(...window) !== 1 || taps < 3 || taps > 8) return null;
  const lines = line(taps, window[1] === 1);
  const fits = made.every((size, axis) => size >= (lines.tile[axis] as number));
  const bytes = 4 * tilesOf(lines, n, made) * lines.places * lines.parts * Math.max(c, o);
  return fits && bytes <= mostBytes ? lines : null;
}

function isSimple({ a, b, sizes }: ConvKernel): boolean {
  const { kernel: window, stride, dilation, padding, groups, c, o } = sizes;
  if (a.dtype !== 'float32' || b.dtype !== 'float32' || window.length !== 2) return false;
  if ([...stride, ...dilation].some((s) => s !== 1) || padding.some((p, axis) => p >= (window[axis] as number)))
    return false;
  return [c / groups, o / groups].every((many) => many >= leastChannels && many % 4 === 0);
}
function square(
  { sizes: { kernel: window, input, padding } }: ConvKernel,
  made: readonly number[],
): WeightScheme | null {
  const every = (list: readonly number[], value: number) => list.every((x) => x === value);
  if (!every(window, 3)) return null;
  if (every(input, 2) && every(padding, 1)) return whole2;
  return made.some((size) => size < 4) ? null : winograd4;
}
function tilesOf(scheme: Scheme, n: number, made: readonly number[]): number {
  const { down, across } = gridOf(scheme, made[0] as number, made[1] as number);
  return n * down * across;
}

/** Do the taps of a weight follow one another, and those of its channels? */
function hasTaps(kernel: ConvKernel, weight: Expr): boolean {
  if (!isPlain(kernel, weight)) return false;
  const { shape, strides } = weight.view;
  let next = 1;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== next) return false;
    next *= shape[axis] as number;
  }
  return true;
}
