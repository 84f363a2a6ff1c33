/** Training with the gradients that this network needs, picked by family. */
import { activation, arithmetic, install, linalg, loss, reduction, shape, valueAndGrad } from '@tessera/autograd/core';
import { trainer } from './network.ts';

export function start() {
  install([arithmetic, linalg, activation, reduction, shape, loss]);
  return trainer(valueAndGrad, 0.1);
}
