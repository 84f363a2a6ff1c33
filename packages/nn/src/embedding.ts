/** Rows of a table by their numbers. */
import { embedding, normal, type Tensor } from '@tessera/tensor';
import { Module, Parameter } from './module';
import { checkFeatures } from './norm';
import type { Dims, Makes, shapes } from './types';

/** y = weight[x].  x […] int32 → […,embeddingDim]; weight [numEmbeddings,embeddingDim] ~ N(0, 1). torch.nn.Embedding
 *  @throws ArgumentError for sizes below 1. */
export class Embedding<Dim extends number = number> extends Module {
  declare readonly [shapes]: Makes<'Embedding', Dims, [...number[], Dim]>;
  readonly weight: Parameter;
  constructor(numEmbeddings: number, embeddingDim: Dim) {
    super();
    checkFeatures('Embedding', numEmbeddings, 'numEmbeddings');
    checkFeatures('Embedding', embeddingDim, 'embeddingDim');
    this.weight = new Parameter(normal(0, 1, [numEmbeddings, embeddingDim]));
  }
  forward(x: Tensor): Tensor {
    return embedding(this.weight, x);
  }
}
