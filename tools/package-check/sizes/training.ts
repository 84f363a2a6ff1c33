/** Training with the gradients that this network needs, picked by family. */
import { activation, arithmetic, classLoss, install, linalg, shape, valueAndGrad } from '@tessera/autograd/core';
import { trainer } from './network.ts';

export function start() {
  install([arithmetic, linalg, shape, activation, classLoss]);
  return trainer(valueAndGrad, 0.1);
}
