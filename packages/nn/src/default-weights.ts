/** The values that layers are made with. */
import { type Tensor, uniform } from '@tessera/tensor';

/** A layer's weight, and its bias [outputs], both U(±1/√fanIn), as PyTorch makes them: kaiming_uniform_ with a = √5. */
export function defaultWeights(
  shape: readonly number[],
  outputs: number,
  bias: boolean,
): [weight: Tensor, bias: Tensor | null] {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  return [uniform(-bound, bound, shape), bias ? uniform(-bound, bound, [outputs]) : null];
}
