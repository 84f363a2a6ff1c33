/** Normalisations within one sample: the same in training and evaluating, unless running statistics are asked for. */
import {
  ArgumentError,
  groupNorm,
  guard,
  instanceNorm,
  layerNorm,
  lerp,
  mean as meanOf,
  ones,
  rmsNorm,
  type Tensor,
  variance as varianceOf,
  zeros,
} from '@tessera/tensor';
import { Module, Parameter } from './module';
import { checkRank, RunningNorm } from './norm';
import type { Maps, shapes } from './types';
import { wantCount } from './want-count';

export interface NormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Learn γ and β. Default true. */
  readonly affine?: boolean;
}

/** y = γ·(x − μ)/√(σ² + eps) + β, μ and σ² over a group of C/numGroups channels.  x [N,C,…] → the same; weight, bias [C].
 *  torch.nn.GroupNorm (Wu 2018) @throws ArgumentError unless the groups are equal; forward: ShapeError for another C. */
export class GroupNorm<C extends number = number> extends Module {
  declare readonly [shapes]: Maps<'GroupNorm', '[N,C,…]', C>;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly numGroups: number;
  readonly eps: number;
  constructor(numGroups: number, numChannels: C, { eps = 1e-5, affine = true }: NormOptions = {}) {
    super();
    wantCount('GroupNorm', 'numChannels', numChannels);
    wantCount('GroupNorm', 'numGroups', numGroups);
    if (numChannels % numGroups !== 0)
      throw new ArgumentError(
        `GroupNorm: ${numChannels} channels do not make ${numGroups} equal groups; wants a divisor`,
      );
    this.weight = affine ? new Parameter(ones([numChannels])) : null;
    this.bias = affine ? new Parameter(zeros([numChannels])) : null;
    this.numGroups = numGroups;
    this.eps = eps;
  }
  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return groupNorm(x, this.numGroups, { weight, bias, eps });
  }
}

export interface LayerNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Learn weight and bias. Default true. */
  readonly elementwiseAffine?: boolean;
  /** Learn a bias. Default true. */
  readonly bias?: boolean;
}
type Last<Shape> = Shape extends readonly [...unknown[], infer C extends number]
  ? C
  : Shape extends number
    ? Shape
    : number;
/** y = weight·(x − μ)/√(σ² + eps) + bias, μ and σ² over the last axes, which are `normalizedShape`, as are weight and bias.
 *  torch.nn.LayerNorm (Ba 2016) @throws forward: ShapeError where x does not end in that shape. */
export class LayerNorm<const Shape extends number | readonly number[] = number | readonly number[]> extends Module {
  declare readonly [shapes]: Maps<'LayerNorm', '[…,C]', Last<Shape>>;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  constructor(normalizedShape: Shape, options: LayerNormOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    this.normalizedShape = [normalizedShape].flat();
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null;
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(this.normalizedShape)) : null;
    this.eps = eps;
  }
  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return layerNorm(x, this.normalizedShape, { weight, bias, eps });
  }
}

/** y = x/√(mean(x²) + eps)·weight over the last axes, which are `normalizedShape`. torch.nn.RMSNorm (Zhang 2019) */
export class RMSNorm<const Shape extends number | readonly number[] = number | readonly number[]> extends Module {
  declare readonly [shapes]: Maps<'RMSNorm', '[…,C]', Last<Shape>>;
  readonly weight: Parameter | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number;
  constructor(
    normalizedShape: Shape,
    { eps = 2 ** -23, elementwiseAffine = true }: Omit<LayerNormOptions, 'bias'> = {},
  ) {
    super();
    this.normalizedShape = [normalizedShape].flat();
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null;
    this.eps = eps;
  }
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.normalizedShape, { weight: this.weight, eps: this.eps });
  }
}

export interface InstanceNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of the new batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
  /** Learn γ and β. Default false. */
  readonly affine?: boolean;
  /** Keep running statistics and use them when evaluating. Default false. */
  readonly trackRunningStats?: boolean;
}
abstract class InstanceNorm<C extends number> extends RunningNorm<C> {
  declare momentum: number;

  constructor(numFeatures: C, options: InstanceNormOptions = {}) {
    const { eps = 1e-5, momentum = 0.1, affine = false, trackRunningStats = false } = options;
    super(numFeatures, { eps, momentum, affine, trackRunningStats });
  }

  protected normalizeByOwn(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    const y = instanceNorm(x, { weight, bias, eps });
    const running = this.kept(x);
    if (running) {
      const momentum = guard(() => this.momentum);
      const places = x.shape.map((_, axis) => axis).slice(2);
      // PyTorch's: the samples' means, and their unbiased variances, averaged over the batch; batches are not counted.
      running.mean.assign(lerp(running.mean, meanOf(x, [0, ...places]), momentum));
      running.variance.assign(lerp(running.variance, meanOf(varianceOf(x, places), 0), momentum));
    }
    return y;
  }
}
/** y = γ·(x − μ)/√(σ² + eps) + β, μ and σ² of each channel of each sample.  x [N,C,L] → the same.
 *  torch.nn.InstanceNorm1d (Ulyanov 2016) @throws forward: ShapeError for another rank, another C, one place a channel. */
export class InstanceNorm1d<C extends number = number> extends InstanceNorm<C> {
  declare readonly [shapes]: Maps<'InstanceNorm1d', '[N,C,L]', C>;
  forward(x: Tensor): Tensor {
    checkRank('instanceNorm1d', x, 3, '[N,C,L]');
    return this.normalize(x);
  }
}
/** As InstanceNorm1d on x [N,C,H,W]. torch.nn.InstanceNorm2d */
export class InstanceNorm2d<C extends number = number> extends InstanceNorm<C> {
  declare readonly [shapes]: Maps<'InstanceNorm2d', '[N,C,H,W]', C>;
  forward(x: Tensor): Tensor {
    checkRank('instanceNorm2d', x, 4, '[N,C,H,W]');
    return this.normalize(x);
  }
}
/** As InstanceNorm1d on x [N,C,D,H,W]. torch.nn.InstanceNorm3d */
export class InstanceNorm3d<C extends number = number> extends InstanceNorm<C> {
  declare readonly [shapes]: Maps<'InstanceNorm3d', '[N,C,D,H,W]', C>;
  forward(x: Tensor): Tensor {
    checkRank('instanceNorm3d', x, 5, '[N,C,D,H,W]');
    return this.normalize(x);
  }
}
