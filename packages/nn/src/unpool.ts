/** The way back from max pooling, and pooling by windows that are drawn. */
import {
  ArgumentError,
  add,
  amax,
  arange,
  cast,
  expand,
  floor,
  gather,
  ge,
  isMeta,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
  meta,
  mul,
  rand,
  reshape,
  ShapeError,
  type Sizes,
  sub,
  type Tensor,
  type UnpoolOptions,
  unsqueeze,
  where,
} from '@tessera/tensor';
import { Module } from './module';
import { checkRank } from './norm';
import type { Maps, shapes } from './types';

abstract class MaxUnpool extends Module<[x: Tensor, indices: Tensor, outputSize?: readonly number[]]> {
  readonly kernelSize: Sizes;
  readonly options: Omit<UnpoolOptions, 'outputSize'>;
  constructor(kernelSize: Sizes, options: Omit<UnpoolOptions, 'outputSize'> = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
  protected settings(outputSize: readonly number[] | undefined): UnpoolOptions {
    return outputSize ? { ...this.options, outputSize } : this.options;
  }
}
/** Zeros, with each element of x at the place that `maxPool1d(…, { returnIndices: true })` saved for it.
 *  x and indices [N,C,L] → [N,C,(L−1)·stride−2·padding+kernelSize]. torch.nn.MaxUnpool1d @throws forward: ShapeError. */
export class MaxUnpool1d extends MaxUnpool {
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool1d(x, indices, this.kernelSize, this.settings(outputSize));
  }
}
/** As MaxUnpool1d on x [N,C,H,W]. torch.nn.MaxUnpool2d */
export class MaxUnpool2d extends MaxUnpool {
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool2d(x, indices, this.kernelSize, this.settings(outputSize));
  }
}
/** As MaxUnpool1d on x [N,C,D,H,W]. torch.nn.MaxUnpool3d */
export class MaxUnpool3d extends MaxUnpool {
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    return maxUnpool3d(x, indices, this.kernelSize, this.settings(outputSize));
  }
}

export type FractionalOptions =
  /** [height, width] of the result. */
  | { readonly outputSize: number | readonly [height: number, width: number] }
  /** Its share of x's height and width, each between 0 and 1. */
  | { readonly outputRatio: number | readonly [height: number, width: number] };
/**
 * The largest of each window, whose distances are drawn: with α = (H − k)/(h − 1) and u from U(0, 1) for each map, window i
 * begins at ⌊(i + u)·α⌋ − ⌊u·α⌋, the last one at H − k. In training and evaluating alike.  x [N,C,H,W] → [N,C,h,w].
 * torch.nn.FractionalMaxPool2d (Graham 2014) @throws forward: ShapeError where windows do not fit.
 */
export class FractionalMaxPool2d extends Module {
  declare readonly [shapes]: Maps<'FractionalMaxPool2d', '[N,C,H,W]', number>;
  readonly kernelSize: readonly [number, number];
  readonly options: FractionalOptions;
  constructor(kernelSize: number | readonly [height: number, width: number], options: FractionalOptions) {
    super();
    this.kernelSize = both(kernelSize);
    this.options = options;
    const [what, sizes] =
      'outputRatio' in options
        ? (['outputRatio', both(options.outputRatio)] as const)
        : (['outputSize', both(options.outputSize)] as const);
    const fits = (size: number) =>
      what === 'outputRatio' ? size > 0 && size < 1 : Number.isInteger(size) && size >= 1;
    if (!sizes.every(fits) || !this.kernelSize.every((size) => Number.isInteger(size) && size >= 1))
      throw new ArgumentError(
        `FractionalMaxPool2d: kernelSize [${this.kernelSize}], ${what} [${sizes}]; wants whole sizes from 1, ratios between 0 and 1`,
      );
  }
  forward(x: Tensor): Tensor {
    checkRank('fractionalMaxPool2d', x, 4, '[N,C,H,W]');
    const [n, c, ...from] = x.shape as [number, number, number, number]; // null in a meta tensor only
    const [h, w] = from.map((own, i) => this.sizeOf(own, i)) as [number, number];
    if (isMeta(x)) return meta([n, c, h, w], x.dtype);
    const [k, l] = this.kernelSize;
    const [height, width] = from as [number, number];
    const rows = windows([n, c], height, h, k);
    const tall = gather(x, 2, expand(unsqueeze(rows, 3), [n, c, h * k, width]));
    const columns = windows([n, c], width, w, l);
    const taps = gather(tall, 3, expand(unsqueeze(columns, 2), [n, c, h * k, w * l]));
    return amax(reshape(taps, [n, c, h, k, w, l]), [3, 5]);
  }
  protected sizeOf(own: number | null, axis: number): number | null {
    const { options } = this;
    if (own === null) return 'outputSize' in options ? (both(options.outputSize)[axis] as number) : null;
    const size =
      'outputSize' in options
        ? (both(options.outputSize)[axis] as number)
        : Math.floor(own * (both(options.outputRatio)[axis] as number));
    const taps = this.kernelSize[axis] as number;
    if (size < 1 || size + taps - 1 > own)
      throw new ShapeError(`fractionalMaxPool2d: ${size} windows of ${taps} do not fit in ${own}; ask for fewer`);
    return size;
  }
}

const both = (size: number | readonly [number, number]): readonly [number, number] =>
  typeof size === 'number' ? [size, size] : size;

/** Places of all taps of `count` windows in an axis of `size`, int32 [N,C,count·taps], another draw for each map. */
function windows([n, c]: readonly [number, number], size: number, count: number, taps: number): Tensor {
  const u = rand([n, c, 1]);
  const alpha = count > 1 ? (size - taps) / (count - 1) : 0;
  const i = arange(0, count, 1, { dtype: 'float32' });
  const drawn = sub(floor(mul(add(i, u), alpha)), floor(mul(u, alpha)));
  const starts = cast(where(ge(i, count - 1), size - taps, drawn), 'int32');
  return reshape(add(unsqueeze(starts, 3), arange(0, taps, 1, { dtype: 'int32' })), [n, c, count * taps]);
}
