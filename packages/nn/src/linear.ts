/** The fully connected layer. */
import { linear, type Tensor } from '@tessera/tensor';
import { defaultWeights } from './default-weights';
import { countOf, Module, Parameter } from './module';
import { operand, produced } from './precision';
import type { Maps, shapes } from './types';
import { wantCount } from './want-count';

export interface LinearOptions {
  /** Default true. */
  readonly bias?: boolean;
}

/**
 * y = x·wᵀ + b.  x [...,inFeatures] → [...,outFeatures]; weight [outFeatures,inFeatures], bias [outFeatures], both from
 * U(±1/√inFeatures). torch.nn.Linear @throws forward: ShapeError where the last axis is not inFeatures.
 */
export class Linear<In extends number = number, Out extends number = number> extends Module {
  declare readonly [shapes]: Maps<'Linear', '[…,C]', In, Out>;
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(inFeatures: In, outFeatures: Out, { bias = true }: LinearOptions = {}) {
    super();
    wantCount('Linear', 'inFeatures', inFeatures, 0);
    wantCount('Linear', 'outFeatures', outFeatures, 0);
    const [weight, offset] = defaultWeights([outFeatures, inFeatures], outFeatures, bias);
    this.weight = new Parameter(weight);
    this.bias = offset && new Parameter(offset);
  }

  forward(x: Tensor): Tensor {
    return produced(linear(operand(x), operand(this.weight), this.bias));
  }
  /** Multiply-adds that make y, a batch of unknown size counting one sample. */
  macs(_x: Tensor, y: Tensor): number {
    return countOf(y.shape) * (this.weight.shape[1] as number);
  }
}
