/** A small network and its training step, compiled; which gradients come along is the caller's choice. */
import type { valueAndGrad } from '@tessera/autograd';
import { compile, crossEntropy, linear, mul, rand, relu, State, sub, type Tensor } from '@tessera/tensor';

export function trainer(derive: typeof valueAndGrad, rate: number) {
  const parameters = [[16, 2], [16], [3, 16], [3]].map((shape) => new State(rand(shape)));
  const [w1, b1, w2, b2] = parameters as [State, State, State, State];
  return compile((x: Tensor, y: Tensor) => {
    const forward = () => linear(relu(linear(x, w1.read(), b1.read())), w2.read(), b2.read());
    const { value, grads } = derive(() => crossEntropy(forward(), y), parameters);
    for (const [i, parameter] of parameters.entries()) parameter.assign(sub(parameter.read(), mul(grads[i]!, rate)));
    return value;
  });
}
