/** Rows of a table by their numbers. */
import { stopGradient } from '@tessera/autograd/core';
import { ArgumentError, arange, embedding, eq, normal, type Tensor, unsqueeze, where } from '@tessera/tensor';
import { Module, Parameter } from './module';
import type { Dims, Makes, shapes } from './types';
import { wantCount } from './want-count';

export interface EmbeddingOptions {
  /** A row that stands for nothing: 0 at first, and without a gradient. Negative: from the end. Default: none. */
  readonly paddingIdx?: number | null;
}
/** y = weight[x].  x […] int32 → […,embeddingDim]; weight [numEmbeddings,embeddingDim] ~ N(0, 1). torch.nn.Embedding
 *  @throws ArgumentError for sizes below 1, and a paddingIdx that is no row. */
export class Embedding<Dim extends number = number> extends Module {
  declare readonly [shapes]: Makes<'Embedding', Dims, [...number[], Dim]>;
  readonly weight: Parameter;
  readonly paddingIdx: number | null;
  constructor(numEmbeddings: number, embeddingDim: Dim, { paddingIdx = null }: EmbeddingOptions = {}) {
    super();
    wantCount('Embedding', 'numEmbeddings', numEmbeddings);
    wantCount('Embedding', 'embeddingDim', embeddingDim);
    const padding = paddingIdx !== null && paddingIdx < 0 ? paddingIdx + numEmbeddings : paddingIdx;
    if (padding !== null && !(Number.isInteger(padding) && padding >= 0 && padding < numEmbeddings))
      throw new ArgumentError(`Embedding: paddingIdx is ${paddingIdx}, wants one of ${numEmbeddings} rows`);
    this.paddingIdx = padding;
    const rows = normal(0, 1, [numEmbeddings, embeddingDim]);
    const row = unsqueeze(arange(0, numEmbeddings), 1);
    this.weight = new Parameter(padding === null ? rows : where(eq(row, padding), 0, rows));
  }
  forward(x: Tensor): Tensor {
    const y = embedding(this.weight, x);
    return this.paddingIdx === null ? y : where(eq(unsqueeze(x, -1), this.paddingIdx), stopGradient(y), y);
  }
}
