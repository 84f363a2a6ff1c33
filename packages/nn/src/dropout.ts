/** Layers that leave things out in training, and nothing otherwise. `p` may change; a compiled step then traces anew. */
import {
  ArgumentError,
  dropout,
  guard,
  mul,
  ones,
  ShapeError,
  showShape,
  type Tensor,
  wantWord,
} from '@tessera/tensor';
import { Module } from './module';
import type { Keeps, Maps, shapes } from './types';

/** What all have: the share that is left out. */
export abstract class Dropping extends Module {
  p: number;
  constructor(p = 0.5) {
    super();
    if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${new.target.name}: p is ${p}, wants 0 ≤ p ≤ 1`);
    this.p = p;
  }
  /** x with one draw for each element of a tensor of this shape, which is broadcast. */
  protected drop(x: Tensor, shape: Tensor['shape']): Tensor {
    const p = guard(() => this.p);
    return this.training && p > 0 ? mul(x, dropout(ones(shape, { dtype: x.dtype }), { p })) : x;
  }
}

/** Training: each element 0 with probability p, else x / (1 − p). Evaluating: x. torch.nn.Dropout (Hinton 2012)
 *  @throws ArgumentError for p outside of [0, 1]. */
export class Dropout extends Dropping {
  declare readonly [shapes]: Keeps;
  forward(x: Tensor): Tensor {
    const p = guard(() => this.p);
    return dropout(x, { p, training: this.training });
  }
}

abstract class MapDropout extends Dropping {
  protected abstract readonly axes: string;
  forward(x: Tensor): Tensor {
    if (x.rank !== this.axes.split(',').length)
      throw new ShapeError(
        `${this.constructor.name}: input ${showShape(x.shape)} has rank ${x.rank}, wants [${this.axes}]; reshape it first`,
      );
    return this.drop(
      x,
      x.shape.map((size, axis) => (axis < 2 ? size : 1)),
    );
  }
}
/** Training: whole channels of x [N,C,L] are 0 with probability p, the others x / (1 − p). torch.nn.Dropout1d (Tompson 2015) */
export class Dropout1d extends MapDropout {
  declare readonly [shapes]: Maps<'Dropout1d', '[N,C,L]', number>;
  protected readonly axes = 'N,C,L';
}
/** As Dropout1d, whole maps of x [N,C,H,W]. torch.nn.Dropout2d */
export class Dropout2d extends MapDropout {
  declare readonly [shapes]: Maps<'Dropout2d', '[N,C,H,W]', number>;
  protected readonly axes = 'N,C,H,W';
}
/** As Dropout1d, whole volumes of x [N,C,D,H,W]. torch.nn.Dropout3d */
export class Dropout3d extends MapDropout {
  declare readonly [shapes]: Maps<'Dropout3d', '[N,C,D,H,W]', number>;
  protected readonly axes = 'N,C,D,H,W';
}

/**
 * Training: x [N,…] is 0 with probability p, else x / (1 − p), drawn for each sample ('row') or once ('batch'); before an
 * addition it leaves out a residual block. torchvision.ops.StochasticDepth (Huang 2016)
 */
export class StochasticDepth extends Dropping {
  declare readonly [shapes]: Keeps;
  readonly mode: 'row' | 'batch';
  constructor(p: number, mode: 'row' | 'batch' = 'row') {
    super(p);
    wantWord('StochasticDepth', 'mode', mode, ['row', 'batch']);
    this.mode = mode;
  }
  forward(x: Tensor): Tensor {
    return this.drop(
      x,
      x.shape.map((size, axis) => (axis === 0 && this.mode === 'row' ? size : 1)),
    );
  }
}
/** StochasticDepth by sample, under timm's name; p is 0 unless told. timm.layers.DropPath */
export class DropPath extends StochasticDepth {
  constructor(p = 0) {
    super(p, 'row');
  }
}
