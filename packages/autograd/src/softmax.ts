/** Gradients of softmax and its logarithm, from y alone. */
import { exp, logSoftmax, mul, softmax, sub, sum } from '@tessera/tensor';
import { defineGradient } from './rules';

export function softmaxes(): void {
  /** ∂x = y·(g − Σ g·y) */
  defineGradient(softmax, (g, _, y, { axis }) => [mul(y, sub(g, sum(mul(g, y), axis, { keepdim: true })))]);
  /** ∂x = g − eʸ·Σ g */
  defineGradient(logSoftmax, (g, _, y, { axis }) => [sub(g, mul(exp(y), sum(g, axis, { keepdim: true })))]);
}
