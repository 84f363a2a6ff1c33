/** Layers without parameters. */
import { dropout, flatten, guard, maxPool2d, relu, type Tensor } from '@tessera/tensor';
import type { Size2d } from './conv';
import { Module } from './module';

/** y = max(x, 0), of any shape. torch.nn.ReLU */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return relu(x);
  }
}

export interface MaxPool2dOptions {
  /** Default: the kernel's size. */
  readonly stride?: Size2d;
  /** Places on each side that never win. Default 0. */
  readonly padding?: Size2d;
  /** Default 1. */
  readonly dilation?: Size2d;
  /** Let the last window hang over the edge. Default false. */
  readonly ceilMode?: boolean;
}
/** The largest of each window.  x [N,C,H,W] → [N,C,⌊(H + 2·padding − R)/stride⌋ + 1, …]. torch.nn.MaxPool2d */
export class MaxPool2d extends Module {
  readonly kernelSize: Size2d;
  readonly options: MaxPool2dOptions;
  constructor(kernelSize: Size2d, options: MaxPool2dOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
  }
  forward(x: Tensor): Tensor {
    return maxPool2d(x, this.kernelSize, this.options);
  }
}

/** Axes startDim … endDim as one. x [N,C,H,W] → [N,C·H·W]. torch.nn.Flatten */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;
  constructor(startDim = 1, endDim = -1) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(x: Tensor): Tensor {
    return flatten(x, this.startDim, this.endDim);
  }
}

/** Training: each element 0 with probability p, else x / (1 − p). Evaluating: x. torch.nn.Dropout (Hinton 2012) */
export class Dropout extends Module {
  p: number;
  constructor(p = 0.5) {
    super();
    this.p = p;
  }
  forward(x: Tensor): Tensor {
    const p = guard(() => this.p);
    return dropout(x, { p, training: this.training });
  }
}
