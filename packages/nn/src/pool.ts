/** Pooling layers. x is [N,C,…spatial] or, without a batch, [C,…spatial]; sizes are one number for all axes or one each. */
import {
  type AvgPoolOptions,
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type OutputSize,
  type Sizes,
  type Tensor,
} from '@tessera/tensor';
import { Module } from './module';
import type { Maps, shapes } from './types';

export interface MaxPoolOptions {
  /** Default: the kernel's size. */
  readonly stride?: Sizes;
  /** Places on each side that never win, at most half a window. Default 0. */
  readonly padding?: Sizes;
  /** Default 1. */
  readonly dilation?: Sizes;
  /** Let the last window hang over the edge. Default false. */
  readonly ceilMode?: boolean;
}
abstract class MaxPool extends Module {
  readonly kernelSize: Sizes;
  readonly options: MaxPoolOptions;
  constructor(kernelSize: Sizes, options: MaxPoolOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
}
/** The largest of each window.  x [N,C,W] → [N,C,⌊(W + 2·padding − dilation·(R−1) − 1)/stride⌋ + 1]; ceilMode: ⌈⌉.
 *  torch.nn.MaxPool1d @throws forward: ShapeError where no window fits, ArgumentError for padding above half a window. */
export class MaxPool1d extends MaxPool {
  declare readonly [shapes]: Maps<'MaxPool1d', '[N,C,L]', number, 'same', '[C,L]'>;
  forward(x: Tensor): Tensor {
    return maxPool1d(x, this.kernelSize, this.options);
  }
}
/** As MaxPool1d on x [N,C,H,W]. torch.nn.MaxPool2d */
export class MaxPool2d extends MaxPool {
  declare readonly [shapes]: Maps<'MaxPool2d', '[N,C,H,W]', number, 'same', '[C,H,W]'>;
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.kernelSize, this.options);
  }
}
/** As MaxPool1d on x [N,C,D,H,W]. torch.nn.MaxPool3d */
export class MaxPool3d extends MaxPool {
  declare readonly [shapes]: Maps<'MaxPool3d', '[N,C,D,H,W]', number, 'same', '[C,D,H,W]'>;
  forward(x: Tensor): Tensor {
    return maxPool3d(x, this.kernelSize, this.options);
  }
}

abstract class AvgPool extends Module {
  readonly kernelSize: Sizes;
  readonly options: AvgPoolOptions;
  constructor(kernelSize: Sizes, options: AvgPoolOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
}
/** The mean of each window, padding counted unless `countIncludePad: false`.  x [N,C,W] → [N,C,⌊(W + 2·padding − R)/stride⌋ + 1].
 *  torch.nn.AvgPool1d @throws forward: ShapeError where no window fits. */
export class AvgPool1d extends AvgPool {
  declare readonly [shapes]: Maps<'AvgPool1d', '[N,C,L]', number, 'same', '[C,L]'>;
  forward(x: Tensor): Tensor {
    return avgPool1d(x, this.kernelSize, this.options);
  }
}
/** As AvgPool1d on x [N,C,H,W]. torch.nn.AvgPool2d */
export class AvgPool2d extends AvgPool {
  declare readonly [shapes]: Maps<'AvgPool2d', '[N,C,H,W]', number, 'same', '[C,H,W]'>;
  forward(x: Tensor): Tensor {
    return avgPool2d(x, this.kernelSize, this.options);
  }
}
/** As AvgPool1d on x [N,C,D,H,W]. torch.nn.AvgPool3d */
export class AvgPool3d extends AvgPool {
  declare readonly [shapes]: Maps<'AvgPool3d', '[N,C,D,H,W]', number, 'same', '[C,D,H,W]'>;
  forward(x: Tensor): Tensor {
    return avgPool3d(x, this.kernelSize, this.options);
  }
}

abstract class AdaptivePool extends Module {
  readonly outputSize: OutputSize;
  constructor(outputSize: OutputSize) {
    super();
    this.outputSize = outputSize;
  }
}
/** The mean of each of `outputSize` bins, of which i covers [⌊i·W/n⌋, ⌈(i+1)·W/n⌉); null keeps an axis.
 *  x [N,C,W] → [N,C,outputSize]. torch.nn.AdaptiveAvgPool1d @throws forward: ArgumentError for sizes below 1. */
export class AdaptiveAvgPool1d extends AdaptivePool {
  declare readonly [shapes]: Maps<'AdaptiveAvgPool1d', '[N,C,L]', number, 'same', '[C,L]'>;
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool1d(x, this.outputSize);
  }
}
/** As AdaptiveAvgPool1d on x [N,C,H,W]. torch.nn.AdaptiveAvgPool2d */
export class AdaptiveAvgPool2d extends AdaptivePool {
  declare readonly [shapes]: Maps<'AdaptiveAvgPool2d', '[N,C,H,W]', number, 'same', '[C,H,W]'>;
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }
}
/** As AdaptiveAvgPool1d on x [N,C,D,H,W]. torch.nn.AdaptiveAvgPool3d */
export class AdaptiveAvgPool3d extends AdaptivePool {
  declare readonly [shapes]: Maps<'AdaptiveAvgPool3d', '[N,C,D,H,W]', number, 'same', '[C,D,H,W]'>;
  forward(x: Tensor): Tensor {
    return adaptiveAvgPool3d(x, this.outputSize);
  }
}
/** The largest of each bin, bins as AdaptiveAvgPool1d's.  x [N,C,W] → [N,C,outputSize]. torch.nn.AdaptiveMaxPool1d */
export class AdaptiveMaxPool1d extends AdaptivePool {
  declare readonly [shapes]: Maps<'AdaptiveMaxPool1d', '[N,C,L]', number, 'same', '[C,L]'>;
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool1d(x, this.outputSize);
  }
}
/** As AdaptiveMaxPool1d on x [N,C,H,W]. torch.nn.AdaptiveMaxPool2d */
export class AdaptiveMaxPool2d extends AdaptivePool {
  declare readonly [shapes]: Maps<'AdaptiveMaxPool2d', '[N,C,H,W]', number, 'same', '[C,H,W]'>;
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.outputSize);
  }
}
/** As AdaptiveMaxPool1d on x [N,C,D,H,W]. torch.nn.AdaptiveMaxPool3d */
export class AdaptiveMaxPool3d extends AdaptivePool {
  declare readonly [shapes]: Maps<'AdaptiveMaxPool3d', '[N,C,D,H,W]', number, 'same', '[C,D,H,W]'>;
  forward(x: Tensor): Tensor {
    return adaptiveMaxPool3d(x, this.outputSize);
  }
}
