/** Convolution layers. */
import { ArgumentError, conv2d, type Tensor } from '@tessera/tensor';
import { defaultWeights } from './init';
import { Module, Parameter } from './module';

/** One size for both axes, or [height, width]. */
export type Size2d = number | readonly [height: number, width: number];

export interface Conv2dOptions {
  /** Default 1. */
  readonly stride?: Size2d;
  /** Zeros on each side; 'same' keeps the size (stride 1). Default 0. */
  readonly padding?: Size2d | 'same' | 'valid';
  /** Default 1. */
  readonly dilation?: Size2d;
  /** Channels in this many independent groups. Default 1. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * y = w ⋆ x + b.  x [N,C,H,W] → [N,O,H',W']; weight [O,C/groups,R,S], bias [O], both from U(±1/√(C/groups·R·S)).
 * torch.nn.Conv2d @throws ArgumentError where groups divide the channels not; forward: ShapeError where C disagrees.
 */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;
  readonly options: Required<Omit<Conv2dOptions, 'bias'>>;

  constructor(inChannels: number, outChannels: number, kernelSize: Size2d, options: Conv2dOptions = {}) {
    super();
    const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options;
    const [r, s] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
    for (const [what, size] of Object.entries({ inChannels, outChannels, kernelSize: Math.min(r, s), groups }))
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`Conv2d: ${what} is ${size}, wants an integer of at least 1`);
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new ArgumentError(
        `Conv2d: ${inChannels} in-channels and ${outChannels} out-channels do not make ${groups} groups; wants multiples`,
      );
    const [weight, offset] = defaultWeights([outChannels, inChannels / groups, r, s], bias);
    this.weight = new Parameter(weight);
    this.bias = offset && new Parameter(offset);
    this.options = { stride, padding, dilation, groups };
  }

  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight, { bias: this.bias, ...this.options });
  }
}
