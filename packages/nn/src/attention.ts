/** Attention of several heads. */
import {
  ArgumentError,
  add,
  dropout,
  guard,
  linear,
  matmul,
  mul,
  narrow,
  permute,
  reshape,
  ShapeError,
  showShape,
  softmax,
  type Tensor,
  transpose,
  uniform,
  where,
  zeros,
} from '@tessera/tensor';
import { Linear } from './linear';
import { countOf, Module, Parameter } from './module';
import { operand, produced } from './precision';
import type { Maps, shapes } from './types';

export interface MultiheadAttentionOptions {
  /** Probability of leaving an attention weight out in training. Default 0. */
  readonly dropout?: number;
  /** Default true. */
  readonly bias?: boolean;
}
export interface AttendOptions {
  /** Added to the scores, or where it is bool, true forbids; broadcast to [N,heads,L,S]. */
  readonly attnMask?: Tensor | null;
}

/**
 * y = W_o·concat over heads of softmax(QKᵀ/√d)·V, Q, K, V = W·query, W·key, W·value, d = embedDim/numHeads.
 * query [N,L,E], key and value [N,S,E] (default: the query) → [N,L,E]: batches come first (PyTorch's batch_first).
 * in_proj_weight [3E,E], in_proj_bias [3E], out_proj: torch.nn.MultiheadAttention (Vaswani 2017)
 * @throws ArgumentError unless the heads divide E; forward: ShapeError where E or sizes disagree.
 */
export class MultiheadAttention<E extends number = number> extends Module<
  [query: Tensor, key?: Tensor, value?: Tensor, options?: AttendOptions],
  Tensor
> {
  declare readonly [shapes]: Maps<'MultiheadAttention', '[…,C]', E>;
  readonly inProjWeight: Parameter;
  readonly inProjBias: Parameter | null;
  readonly outProj: Linear;
  readonly numHeads: number;
  dropout: number;

  constructor(embedDim: E, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super();
    const { dropout: p = 0, bias = true } = options;
    if (!Number.isInteger(embedDim / numHeads) || numHeads < 1)
      throw new ArgumentError(
        `MultiheadAttention: embedDim ${embedDim} does not make ${numHeads} equal heads; wants a divisor of it`,
      );
    const bound = Math.sqrt(6 / (4 * embedDim));
    this.inProjWeight = new Parameter(uniform(-bound, bound, [3 * embedDim, embedDim]));
    this.inProjBias = bias ? new Parameter(zeros([3 * embedDim])) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias });
    // PyTorch's starts at 0, too. Replaced rather than assigned: an assignment is work for the next flush.
    if (bias) Object.assign(this.outProj, { bias: new Parameter(zeros([embedDim])) });
    this.numHeads = numHeads;
    this.dropout = p;
  }

  forward(query: Tensor, key: Tensor = query, value: Tensor = key, { attnMask = null }: AttendOptions = {}): Tensor {
    const e = this.outProj.weight.shape[0] as number;
    for (const [what, x] of Object.entries({ query, key, value }))
      if (x.rank !== 3 || (x.shape[2] !== null && x.shape[2] !== e))
        throw new ShapeError(
          `multiheadAttention: ${what} ${showShape(x.shape)}, wants [N,L,${e}]; move the batch to the front, or make it with another embedDim`,
        );
    const [q, k, v] = [query, key, value].map((x, i) => this.heads(x, i, e)) as [Tensor, Tensor, Tensor];
    const scores = mul(produced(matmul(operand(q), transpose(operand(k)))), 1 / Math.sqrt(e / this.numHeads));
    const masked = attnMask === null ? scores : mask(scores, attnMask);
    const weights = dropout(softmax(masked, -1), { p: guard(() => this.dropout), training: this.training });
    const joined = permute(produced(matmul(operand(weights), operand(v))), [0, 2, 1, 3]);
    return this.outProj.forward(reshape(joined, [...joined.shape.slice(0, 2), e]));
  }
  /** The i-th third of the projection, [N,heads,L,E/heads]. */
  protected heads(x: Tensor, i: number, e: number): Tensor {
    const bias = this.inProjBias && narrow(this.inProjBias, 0, i * e, e);
    const y = produced(linear(operand(x), narrow(operand(this.inProjWeight), 0, i * e, e), bias));
    return permute(reshape(y, [...y.shape.slice(0, 2), this.numHeads, e / this.numHeads]), [0, 2, 1, 3]);
  }
  /** Multiply-adds of the input projections, the scores and what they weigh; outProj counts its own. */
  macs(query: Tensor, key: Tensor = query, value: Tensor = key): number {
    const e = this.outProj.weight.shape[0] as number;
    const scores = countOf(query.shape) * (key.shape[1] ?? 1);
    return e * (countOf(query.shape) + countOf(key.shape) + countOf(value.shape)) + 2 * scores;
  }
}

const mask = (scores: Tensor, attnMask: Tensor): Tensor =>
  attnMask.dtype === 'bool' ? where(attnMask, Number.NEGATIVE_INFINITY, scores) : add(scores, attnMask);
