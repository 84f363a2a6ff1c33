/** Gradients of matrix products. */
import { matrixProduct, type Tensor, transpose } from '@tessera/tensor';
import { sumTo } from './broadcast';
import { defineGradient } from './rules';

export function linalg(): void {
  /** ∂a = g·bᵀ, ∂b = aᵀ·g, each summed over the axes it was broadcast along. */
  defineGradient(matrixProduct, (g, inputs) => {
    const [a, b] = inputs as [Tensor, Tensor];
    return [sumTo(matrixProduct(g, transpose(b)), a.shape), sumTo(matrixProduct(transpose(a), g), b.shape)];
  });
}
