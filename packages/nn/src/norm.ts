/** Batch normalisation. */
import {
  add,
  batchNorm,
  batchNormTraining,
  cast,
  div,
  guard,
  isMeta,
  mul,
  ones,
  reshape,
  rsqrt,
  runningStatistics,
  ShapeError,
  showShape,
  sub,
  type Tensor,
  tensor,
  zeros,
} from '@tessera/tensor';
import { Buffer, Module, Parameter } from './module';
import type { Maps, shapes } from './types';
import { wantCount } from './want-count';

export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Share of the new batch in the running statistics; null: their plain average so far. Default 0.1. */
  readonly momentum?: number | null;
  /** Learn γ and β. Default true. */
  readonly affine?: boolean;
  /** Keep running statistics and use them when evaluating. Default true. */
  readonly trackRunningStats?: boolean;
}

/** What BatchNorm and InstanceNorm have in common: numbers per channel, and running statistics where they are kept.
 *  torch.nn.modules.batchnorm._NormBase */
export abstract class RunningNorm<C extends number> extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Buffer | null;
  readonly runningVar: Buffer | null;
  readonly numBatchesTracked: Buffer | null;
  readonly eps: number;
  /** It may change; a compiled step then traces anew. */
  momentum: number | null;

  constructor(numFeatures: C, { eps, momentum, affine, trackRunningStats }: Required<BatchNormOptions>) {
    super();
    wantCount(new.target.name, 'numFeatures', numFeatures);
    this.weight = affine ? new Parameter(ones([numFeatures])) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null;
    this.runningMean = trackRunningStats ? new Buffer(zeros([numFeatures])) : null;
    this.runningVar = trackRunningStats ? new Buffer(ones([numFeatures])) : null;
    this.numBatchesTracked = trackRunningStats
      ? new Buffer(tensor(0, { dtype: 'int32' }), { storedAs: 'int64' })
      : null;
    this.eps = eps;
    this.momentum = momentum;
  }

  /** Running statistics as they were when it was made. torch.nn.modules.batchnorm._NormBase.reset_running_stats */
  resetRunningStats(): void {
    this.runningMean?.assign(zeros(this.runningMean.shape));
    this.runningVar?.assign(ones(this.runningVar.shape));
    this.numBatchesTracked?.assign(tensor(0, { dtype: 'int32' }));
  }

  /** Normalises x, whose rank is right: evaluating with the running statistics, where they are kept. */
  protected normalize(x: Tensor): Tensor {
    const { weight, bias, eps, runningMean, runningVar } = this;
    if (this.training || !runningMean || !runningVar) return this.normalizeByOwn(x);
    return batchNorm(x, { weight, bias, eps, runningMean, runningVar });
  }
  /** Normalises x with its own statistics, and remembers them while training. */
  protected abstract normalizeByOwn(x: Tensor): Tensor;

  /** The statistics to update; null where none are kept, or where x is a shape alone, with nothing to remember. */
  protected kept(x: Tensor): { readonly mean: Buffer; readonly variance: Buffer; readonly batches: Buffer } | null {
    const { runningMean: mean, runningVar: variance, numBatchesTracked: batches } = this;
    if (!this.training || !mean || !variance || !batches || isMeta(x)) return null;
    return { mean, variance, batches };
  }
}

/** torch.nn.modules.batchnorm._BatchNorm */
export abstract class BatchNorm<C extends number> extends RunningNorm<C> {
  constructor(numFeatures: C, options: BatchNormOptions = {}) {
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
    super(numFeatures, { eps, momentum, affine, trackRunningStats });
  }

  protected normalizeByOwn(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    const [y, mean, variance] = batchNormTraining(x, { weight, bias, eps });
    const running = this.kept(x);
    if (running) {
      const batches = add(running.batches, 1);
      const momentum = guard(() => this.momentum) ?? div(1, cast(batches, 'float32'));
      const count = x.size / (x.shape[1] as number);
      const next = runningStatistics([running.mean, running.variance], [mean, variance], count, momentum);
      running.mean.assign(next[0]);
      running.variance.assign(next[1]);
      running.batches.assign(batches);
    }
    return y;
  }
}

/**
 * y = γ·(x − μ)/√(σ² + eps) + β per channel.  x [N,C] or [N,C,L] → the same; all fields [C]. Training: μ and σ² (biased) of the
 * batch, and running ← (1 − momentum)·running + momentum·batch, with the unbiased variance. Evaluating: the running ones.
 * torch.nn.BatchNorm1d (Ioffe and Szegedy 2015) @throws ShapeError for another rank, another C, one value a channel.
 */
export class BatchNorm1d<C extends number = number> extends BatchNorm<C> {
  declare readonly [shapes]: Maps<'BatchNorm1d', '[N,C] or [N,C,L]', C>;
  forward(x: Tensor): Tensor {
    if (x.rank !== 2) checkRank('batchNorm1d', x, 3, '[N,C] or [N,C,L]');
    return this.normalize(x);
  }
}
/** As BatchNorm1d on x [N,C,H,W]. torch.nn.BatchNorm2d */
export class BatchNorm2d<C extends number = number> extends BatchNorm<C> {
  declare readonly [shapes]: Maps<'BatchNorm2d', '[N,C,H,W]', C>;
  forward(x: Tensor): Tensor {
    checkRank('batchNorm2d', x, 4, '[N,C,H,W]');
    return this.normalize(x);
  }
}
/** As BatchNorm1d on x [N,C,D,H,W]. torch.nn.BatchNorm3d */
export class BatchNorm3d<C extends number = number> extends BatchNorm<C> {
  declare readonly [shapes]: Maps<'BatchNorm3d', '[N,C,D,H,W]', C>;
  forward(x: Tensor): Tensor {
    checkRank('batchNorm3d', x, 5, '[N,C,D,H,W]');
    return this.normalize(x);
  }
}

/**
 * y = x·s + (b − mean·s), s = w/√(var + eps): batch normalisation whose numbers are all buffers [C], in both modes.
 * x [N,C,H,W]. torchvision.ops.FrozenBatchNorm2d @throws ShapeError for another rank or another C.
 */
export class FrozenBatchNorm2d<C extends number = number> extends Module {
  declare readonly [shapes]: Maps<'FrozenBatchNorm2d', '[N,C,H,W]', C>;
  readonly weight: Buffer;
  readonly bias: Buffer;
  readonly runningMean: Buffer;
  readonly runningVar: Buffer;
  readonly eps: number;

  constructor(numFeatures: C, { eps = 1e-5 }: Pick<BatchNormOptions, 'eps'> = {}) {
    super();
    wantCount('FrozenBatchNorm2d', 'numFeatures', numFeatures);
    this.weight = new Buffer(ones([numFeatures]));
    this.bias = new Buffer(zeros([numFeatures]));
    this.runningMean = new Buffer(zeros([numFeatures]));
    this.runningVar = new Buffer(ones([numFeatures]));
    this.eps = eps;
  }
  /** BatchNorm2d's files load, without their count of batches. */
  override keyFrom(given: string): string | null {
    return given === 'num_batches_tracked' ? null : given;
  }
  forward(x: Tensor): Tensor {
    checkRank('frozenBatchNorm2d', x, 4, '[N,C,H,W]');
    const channels = this.weight.shape[0] as number;
    if (x.shape[1] !== null && x.shape[1] !== channels)
      throw new ShapeError(
        `frozenBatchNorm2d: input ${showShape(x.shape)} has ${x.shape[1]} channels, wants ${channels}; make it with numFeatures ${x.shape[1]}`,
      );
    const scale = mul(this.weight, rsqrt(add(this.runningVar, this.eps)));
    const shift = sub(this.bias, mul(this.runningMean, scale));
    const along = (vector: Tensor) => reshape(vector, [1, channels, 1, 1]);
    return add(mul(x, along(scale)), along(shift));
  }
}

/** @throws ShapeError unless x has this rank. */
export function checkRank(op: string, x: Tensor, rank: number, wanted: string): void {
  if (x.rank !== rank)
    throw new ShapeError(`${op}: input ${showShape(x.shape)} has rank ${x.rank}, wants ${wanted}; reshape it first`);
}
