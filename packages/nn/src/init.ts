/** Initial values. Each is a random op that runs where and when the parameter is first used. */
import { type Tensor, uniform } from '@tessera/tensor';

/**
 * U(−b, b), b = √(6 / ((1 + a²)·fanIn)), fanIn = the inputs that make one output: all of `shape` behind its first axis.
 * a = √5 gives ±1/√fanIn, the default of PyTorch's convolutions and linear layers. torch.nn.init.kaiming_uniform_ (He 2015)
 */
export function kaimingUniform(shape: readonly number[], { a = 0 }: { readonly a?: number } = {}): Tensor {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  return symmetric(shape, Math.sqrt(6 / ((1 + a * a) * fanIn)));
}

/** A layer's weight [O, …] and bias [O], both U(±1/√fanIn), as PyTorch makes them. */
export function defaultWeights(shape: readonly number[], bias: boolean): [weight: Tensor, bias: Tensor | null] {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  const weight = kaimingUniform(shape, { a: Math.sqrt(5) });
  return [weight, bias ? symmetric(shape.slice(0, 1), fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0) : null];
}

const symmetric = (shape: readonly number[], bound: number): Tensor => uniform(-bound, bound, shape);
