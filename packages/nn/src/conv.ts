/** Convolution layers and their transposes. Sizes are one number for all axes, or one each: [height, width]. */
import {
  ArgumentError,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  pad,
  type Sizes,
  type Tensor,
} from '@tessera/tensor';
import { defaultWeights } from './default-weights';
import { countOf, Module, Parameter } from './module';
import { operand, produced } from './precision';
import type { Maps, shapes } from './types';
import { wantCount } from './want-count';

/** One size for both axes, or [height, width]. */
export type Size2d = number | readonly [height: number, width: number];

export interface ConvOptions<Size = Sizes> {
  /** Default 1. */
  readonly stride?: Size;
  /** Places added on each side; 'same' keeps the size (stride 1). Default 0. */
  readonly padding?: Size | 'same' | 'valid';
  /** What stands in the padding. Default 'zeros'. */
  readonly paddingMode?: 'zeros' | 'reflect' | 'replicate' | 'circular';
  /** Default 1. */
  readonly dilation?: Size;
  /** Channels in this many independent groups. Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
}
export type Conv2dOptions = ConvOptions<Size2d>;

abstract class Conv extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly options: Required<Omit<ConvOptions, 'bias'>>;

  constructor(rank: number, inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvOptions) {
    super();
    const { stride = 1, padding = 0, paddingMode = 'zeros', dilation = 1, groups = 1, bias = true } = options;
    const window = windowOf(new.target.name, rank, kernelSize);
    checkChannels(new.target.name, { inChannels, outChannels, kernelSize: Math.min(...window), groups });
    const [weight, offset] = defaultWeights([outChannels, inChannels / groups, ...window], outChannels, bias);
    this.weight = new Parameter(weight);
    this.bias = offset && new Parameter(offset);
    this.options = { stride, padding, paddingMode, dilation, groups };
  }

  protected abstract convolve(x: Tensor, options: object): Tensor;

  forward(x: Tensor): Tensor {
    const { paddingMode, ...options } = this.options;
    const { bias } = this;
    if (paddingMode === 'zeros') return this.convolve(x, { bias, ...options });
    const padded = pad(x, borders(this.weight.shape, this.options), { mode: paddingMode });
    return this.convolve(padded, { bias, ...options, padding: 0 });
  }
  /** Multiply-adds that make y, a batch of unknown size counting one sample. */
  macs(_x: Tensor, y: Tensor): number {
    return (countOf(y.shape) * countOf(this.weight.shape)) / (this.weight.shape[0] as number);
  }
}
/** pad's argument, last axis first: what `padding` puts before and after each axis. */
function borders(weight: readonly (number | null)[], { padding, dilation }: Conv['options']): number[] {
  const window = weight.slice(2) as number[];
  return window
    .map((taps, i): [number, number] => {
      if (padding === 'valid') return [0, 0];
      if (padding !== 'same') return [axisOf(padding, i), axisOf(padding, i)];
      const total = axisOf(dilation, i) * (taps - 1);
      return [Math.floor(total / 2), Math.ceil(total / 2)];
    })
    .reverse()
    .flat();
}
const axisOf = (sizes: Sizes, axis: number): number => (typeof sizes === 'number' ? sizes : (sizes[axis] as number));

/** y = w ⋆ x + b.  x [N,C,L] or [C,L] → [N,O,L']; weight [O,C/groups,R], bias [O], both from U(±1/√(C/groups·R)).
 *  torch.nn.Conv1d @throws ArgumentError where groups divide the channels not; forward: ShapeError where C disagrees. */
export class Conv1d<In extends number = number, Out extends number = number> extends Conv {
  declare readonly [shapes]: Maps<'Conv1d', '[N,C,L]', In, Out, '[C,L]'>;
  constructor(inChannels: In, outChannels: Out, kernelSize: Sizes, options: ConvOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
  protected convolve(x: Tensor, options: object): Tensor {
    return produced(conv1d(operand(x), operand(this.weight), options));
  }
}
/** As Conv1d on x [N,C,H,W] → [N,O,H',W'], weight [O,C/groups,R,S]. torch.nn.Conv2d */
export class Conv2d<In extends number = number, Out extends number = number> extends Conv {
  declare readonly [shapes]: Maps<'Conv2d', '[N,C,H,W]', In, Out, '[C,H,W]'>;
  constructor(inChannels: In, outChannels: Out, kernelSize: Size2d, options: Conv2dOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
  protected convolve(x: Tensor, options: object): Tensor {
    return produced(conv2d(operand(x), operand(this.weight), options));
  }
}
/** As Conv1d on x [N,C,D,H,W], weight [O,C/groups,Q,R,S]. torch.nn.Conv3d */
export class Conv3d<In extends number = number, Out extends number = number> extends Conv {
  declare readonly [shapes]: Maps<'Conv3d', '[N,C,D,H,W]', In, Out, '[C,D,H,W]'>;
  constructor(inChannels: In, outChannels: Out, kernelSize: Sizes, options: ConvOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
  protected convolve(x: Tensor, options: object): Tensor {
    return produced(conv3d(operand(x), operand(this.weight), options));
  }
}

// ---- transposed ----------------------------------------------------------------------------------------------------

export interface ConvTransposeOptions {
  /** Default 1. */
  readonly stride?: Sizes;
  /** What a convolution would have padded, cut off both sides here. Default 0. */
  readonly padding?: Sizes;
  /** Added to one side of the result. Default 0. */
  readonly outputPadding?: Sizes;
  /** Default 1. */
  readonly dilation?: Sizes;
  /** Channels in this many independent groups. Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
}

abstract class ConvTranspose extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly options: Required<Omit<ConvTransposeOptions, 'bias'>>;

  constructor(rank: number, inChannels: number, outChannels: number, kernelSize: Sizes, options: ConvTransposeOptions) {
    super();
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1, bias = true } = options;
    const window = windowOf(new.target.name, rank, kernelSize);
    checkChannels(new.target.name, { inChannels, outChannels, kernelSize: Math.min(...window), groups });
    const [weight, offset] = defaultWeights([inChannels, outChannels / groups, ...window], outChannels, bias);
    this.weight = new Parameter(weight);
    this.bias = offset && new Parameter(offset);
    this.options = { stride, padding, outputPadding, dilation, groups };
  }
  /** Multiply-adds that x enters, a batch of unknown size counting one sample. */
  macs(x: Tensor): number {
    return (countOf(x.shape) * countOf(this.weight.shape)) / (this.weight.shape[0] as number);
  }
}
/** The transpose of Conv1d.  x [N,C,L] → [N,O,(L−1)·stride − 2·padding + dilation·(R−1) + outputPadding + 1];
 *  weight [C,O/groups,R], bias [O], both from U(±1/√(O/groups·R)). torch.nn.ConvTranspose1d
 *  @throws ArgumentError where groups divide the channels not; forward: ShapeError where C disagrees. */
export class ConvTranspose1d<In extends number = number, Out extends number = number> extends ConvTranspose {
  declare readonly [shapes]: Maps<'ConvTranspose1d', '[N,C,L]', In, Out, '[C,L]'>;
  constructor(inChannels: In, outChannels: Out, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    super(1, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return produced(convTranspose1d(operand(x), operand(this.weight), { bias: this.bias, ...this.options }));
  }
}
/** As ConvTranspose1d on x [N,C,H,W], weight [C,O/groups,R,S]. torch.nn.ConvTranspose2d */
export class ConvTranspose2d<In extends number = number, Out extends number = number> extends ConvTranspose {
  declare readonly [shapes]: Maps<'ConvTranspose2d', '[N,C,H,W]', In, Out, '[C,H,W]'>;
  constructor(inChannels: In, outChannels: Out, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    super(2, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return produced(convTranspose2d(operand(x), operand(this.weight), { bias: this.bias, ...this.options }));
  }
}
/** As ConvTranspose1d on x [N,C,D,H,W], weight [C,O/groups,Q,R,S]. torch.nn.ConvTranspose3d */
export class ConvTranspose3d<In extends number = number, Out extends number = number> extends ConvTranspose {
  declare readonly [shapes]: Maps<'ConvTranspose3d', '[N,C,D,H,W]', In, Out, '[C,D,H,W]'>;
  constructor(inChannels: In, outChannels: Out, kernelSize: Sizes, options: ConvTransposeOptions = {}) {
    super(3, inChannels, outChannels, kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    return produced(convTranspose3d(operand(x), operand(this.weight), { bias: this.bias, ...this.options }));
  }
}

// ---- checks --------------------------------------------------------------------------------------------------------

function windowOf(layer: string, rank: number, kernelSize: Sizes): number[] {
  const window = typeof kernelSize === 'number' ? Array<number>(rank).fill(kernelSize) : [...kernelSize];
  if (window.length !== rank)
    throw new ArgumentError(`${layer}: kernelSize [${window}], wants one size or ${rank} of them`);
  return window;
}
function checkChannels(layer: string, sizes: Record<'inChannels' | 'outChannels' | 'kernelSize' | 'groups', number>) {
  for (const [what, size] of Object.entries(sizes)) wantCount(layer, what, size);
  const { inChannels, outChannels, groups } = sizes;
  if (inChannels % groups !== 0 || outChannels % groups !== 0)
    throw new ArgumentError(
      `${layer}: ${inChannels} in-channels and ${outChannels} out-channels do not make ${groups} groups; wants multiples`,
    );
}
