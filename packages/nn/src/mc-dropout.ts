/** How sure a model is, by its dropout. */
import { ArgumentError, mean, stack, std, type Tensor } from '@tessera/tensor';
import { MultiheadAttention } from './attention';
import { Dropping } from './dropout';
import { inMode } from './mode';
import type { Module } from './module';
import { wantCount } from './want-count';

export interface McDropoutOptions {
  /** Forwards, each with draws of its own. Default 50. */
  readonly samples?: number;
}

/**
 * Mean and standard deviation (of n − 1) of a model's outputs for x over `samples` forwards in which dropout draws, while all
 * else evaluates: batch norm has its running statistics. x [N,…] → two of the output's shape; where std is large the model
 * does not know. (Gal and Ghahramani 2016, arXiv:1506.02142)
 * @throws ArgumentError for less than two samples, and for a model without a layer that drops.
 */
export function mcDropout(
  model: Module<[x: Tensor], Tensor>,
  x: Tensor,
  { samples = 50 }: McDropoutOptions = {},
): { readonly mean: Tensor; readonly std: Tensor } {
  wantCount('mcDropout', 'samples', samples, 2);
  const dropping = model
    .namedModules()
    .flatMap(([, module]) => (module instanceof Dropping || module instanceof MultiheadAttention ? [module] : []));
  if (!dropping.length)
    throw new ArgumentError(
      'mcDropout: the model has no dropout layer, so all samples would be alike; train it with one',
    );
  const draw = () => stack(Array.from({ length: samples }, () => model.forward(x)));
  const drawing = dropping.reduce((f, layer) => () => inMode(layer, true, f), draw);
  const outputs = inMode(model, false, drawing);
  return { mean: mean(outputs, 0), std: std(outputs, 0) };
}
