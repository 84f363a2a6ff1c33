/** Layers that change the size of maps, or keep it where their inside does not. */
import {
  cat,
  type InterpolateOptions,
  interpolate,
  maxPool2d,
  maxUnpool2d,
  meta,
  pad,
  pixelShuffle,
  type Shape,
  slice,
  type Tensor,
} from '@tessera/tensor';
import { Module } from './module';
import { checkRank } from './norm';
import type { Maps, ShapesOf, shapes } from './types';
import { wantCount } from './want-count';

/** x [N,C,…] resized to `size` or by `scaleFactor`. torch.nn.Upsample @throws forward: as tensor's interpolate. */
export class Upsample extends Module {
  declare readonly [shapes]: Maps<'Upsample', '[N,C,…]', number>;
  readonly options: InterpolateOptions;
  constructor(options: InterpolateOptions) {
    super();
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }
}

/** y[n,c,h·r+i,w·r+j] = x[n,c·r²+i·r+j,h,w].  x [N,C·r²,H,W] → [N,C,H·r,W·r]. torch.nn.PixelShuffle (Shi 2016)
 *  @throws forward: ShapeError unless r² divides the channels. */
export class PixelShuffle extends Module {
  declare readonly [shapes]: Maps<'PixelShuffle', '[N,C,H,W]', number, number>;
  readonly upscaleFactor: number;
  constructor(upscaleFactor: number) {
    super();
    wantCount('PixelShuffle', 'upscaleFactor', upscaleFactor);
    this.upscaleFactor = upscaleFactor;
  }
  forward(x: Tensor): Tensor {
    return pixelShuffle(x, this.upscaleFactor);
  }
}

/** y with other spatial sizes, where they are not known: of a shape alone, no more can be said. */
const sized = (y: Tensor, sizes: Shape): Tensor => meta([...y.shape.slice(0, 2), ...sizes], y.dtype);

/** y = sub(x) resized to x's [H,W]. torchmore's layers.KeepSize */
export class KeepSize<Sub extends Module = Module> extends Module {
  declare readonly [shapes]: ShapesOf<Sub>;
  readonly sub: Sub;
  readonly mode: NonNullable<InterpolateOptions['mode']>;
  constructor(sub: Sub, { mode = 'bilinear' }: Pick<InterpolateOptions, 'mode'> = {}) {
    super();
    this.sub = sub;
    this.mode = mode;
  }
  forward(x: Tensor): Tensor {
    const y = this.sub.forward(x);
    const size = x.shape.slice(2);
    return size.includes(null) ? sized(y, size) : interpolate(y, { size: size as number[], mode: this.mode });
  }
}

export interface PoolUnpoolOptions {
  /** Side of the windows. Default 2. */
  readonly kernelSize?: number;
  /** Runs on x itself; its result is joined along the channels. Default: none. */
  readonly across?: Module | null;
}
/**
 * y = unpool(sub(pool(x))): a max pool, whose places each result goes back to, zeros between; with `across`, cat(y, across(x)).
 * x [N,C,H,W], sub keeps the shape. torchmore's layers.SimplePooling2d and AcrossPooling2d
 * @throws forward: ShapeError where sub changes the shape, or across the size.
 */
export class PoolUnpool extends Module {
  declare readonly [shapes]: Maps<'PoolUnpool', '[N,C,H,W]', number, number>;
  readonly sub: Module;
  readonly across: Module | null;
  readonly kernelSize: number;
  constructor(sub: Module, { kernelSize = 2, across = null }: PoolUnpoolOptions = {}) {
    super();
    this.sub = sub;
    this.across = across;
    this.kernelSize = kernelSize;
  }
  forward(x: Tensor): Tensor {
    const [pooled, places] = maxPool2d(x, this.kernelSize, { ceilMode: true, returnIndices: true });
    const small = this.sub.forward(pooled);
    const size = x.shape.slice(2);
    const y = size.includes(null)
      ? sized(small, size)
      : maxUnpool2d(small, places, this.kernelSize, { outputSize: size as number[] });
    return this.across ? cat([y, this.across.forward(x)], 1) : y;
  }
}

/**
 * y = sub(x padded with zeros, right and below, to multiples of `multiple`), cropped to x's size again; without sub the padded x.
 * x [N,C,H,W]. torchmore's layers.ModPad and ModPadded @throws ArgumentError for a multiple below 1; forward: ShapeError
 * for another rank.
 */
export class PadToMultiple extends Module {
  declare readonly [shapes]: Maps<'PadToMultiple', '[N,C,H,W]', number, number>;
  readonly multiple: number;
  readonly sub: Module | null;
  constructor(multiple = 8, sub: Module | null = null) {
    super();
    wantCount('PadToMultiple', 'multiple', multiple);
    this.multiple = multiple;
    this.sub = sub;
  }
  forward(x: Tensor): Tensor {
    checkRank('padToMultiple', x, 4, '[N,C,H,W]');
    const { multiple, sub } = this;
    const [h, w] = x.shape.slice(2) as [number | null, number | null];
    const whole = (size: number) => Math.ceil(size / multiple) * multiple;
    if (h === null || w === null) {
      const padded = sized(
        x,
        [h, w].map((size) => size && whole(size)),
      );
      return sub ? sized(sub.forward(padded), [h, w]) : padded;
    }
    const padded = pad(x, [0, whole(w) - w, 0, whole(h) - h]);
    return sub ? slice(sub.forward(padded), [null, null, [0, h], [0, w]]) : padded;
  }
}
