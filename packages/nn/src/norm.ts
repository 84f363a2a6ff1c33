/** Normalisation layers. */
import {
  add,
  batchNorm,
  batchNormTraining,
  cast,
  div,
  ones,
  runningStatistics,
  ShapeError,
  type Tensor,
  tensor,
  zeros,
} from '@tessera/tensor';
import { Buffer, Module, Parameter } from './module';

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

/**
 * y = γ·(x − μ)/√(σ² + eps) + β per channel.  x [N,C,H,W] → the same; all fields [C]. Training: μ and σ² (biased) of the batch,
 * and running ← (1 − momentum)·running + momentum·batch, with the unbiased variance. Evaluating: the running ones.
 * torch.nn.BatchNorm2d (Ioffe and Szegedy 2015) @throws ShapeError for another rank, another C, one value a channel.
 */
export class BatchNorm2d extends Module {
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Buffer | null;
  readonly runningVar: Buffer | null;
  readonly numBatchesTracked: Buffer | null;
  readonly eps: number;
  readonly momentum: number | null;

  constructor(numFeatures: number, options: BatchNormOptions = {}) {
    super();
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
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

  forward(x: Tensor): Tensor {
    const { weight, bias, eps, runningMean, runningVar } = this;
    if (x.rank !== 4)
      throw new ShapeError(`batchNorm2d: input [${x.shape}] has rank ${x.rank}, wants [N,C,H,W]; reshape it first`);
    if (!this.training && runningMean && runningVar)
      return batchNorm(x, { weight, bias, eps, runningMean, runningVar });
    const [y, mean, variance] = batchNormTraining(x, { weight, bias, eps });
    if (this.training) this.#track(x, mean, variance);
    return y;
  }

  #track(x: Tensor, mean: Tensor, variance: Tensor): void {
    const { runningMean, runningVar, numBatchesTracked } = this;
    if (!runningMean || !runningVar || !numBatchesTracked || x.shape.includes(null)) return;
    const batches = add(numBatchesTracked, 1);
    const momentum = this.momentum ?? div(1, cast(batches, 'float32'));
    const count = x.size / (x.shape[1] as number);
    const [nextMean, nextVar] = runningStatistics([runningMean, runningVar], [mean, variance], count, momentum);
    runningMean.assign(nextMean);
    runningVar.assign(nextVar);
    numBatchesTracked.assign(batches);
  }
}
