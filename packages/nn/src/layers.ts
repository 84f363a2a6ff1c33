/** Layers without parameters that only change a shape. */
import { flatten, type Tensor } from '@tessera/tensor';
import { Module } from './module';

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
