/** Layers without parameters that only change a shape. */
import { flatten, type Tensor } from '@tessera/tensor';
import { Module } from './module';
import type { Dims, Makes, shapes } from './types';

type AxisRange = [startDim?: number, endDim?: number];
/** Axes startDim … endDim as one. x [N,C,H,W] → [N,C·H·W]. torch.nn.Flatten */
export class Flatten<Axes extends AxisRange = AxisRange> extends Module {
  declare readonly [shapes]: Makes<'Flatten', Dims, Axes extends [] | [1] | [1, -1] ? [number, number] : Dims>;
  readonly startDim: number;
  readonly endDim: number;
  constructor(...axes: Axes) {
    super();
    const [startDim = 1, endDim = -1] = axes;
    this.startDim = startDim;
    this.endDim = endDim;
  }
  forward(x: Tensor): Tensor {
    return flatten(x, this.startDim, this.endDim);
  }
}
