/** Gradients of matrix products. */
import { matrixProduct, permute, type Tensor, transpose } from '@tessera/tensor';
import { sumTo } from './broadcast';
import { defineGradient } from './rules';

export function linalg(): void {
  /**
   * ∂a = g·bᵀ, ∂b = aᵀ·g, each summed over the axes it was broadcast along. Of an operand that is a transpose they are made as (b·gᵀ)ᵀ
   * and (gᵀ·a)ᵀ, so that what was transposed, W in x·Wᵀ, has a gradient that lies in memory as it does: an update is then part of
   * the kernel that makes it.
   */
  defineGradient(matrixProduct, (g, inputs) => {
    const [a, b] = inputs as [Tensor, Tensor];
    const da = isTransposed(a) ? transpose(matrixProduct(b, transpose(g))) : matrixProduct(g, transpose(b));
    const db = isTransposed(b) ? transpose(matrixProduct(transpose(g), a)) : matrixProduct(transpose(a), g);
    return [sumTo(da, a.shape), sumTo(db, b.shape)];
  });
}

/** Was it made by exchanging the last two axes of another tensor? */
function isTransposed({ node }: Tensor): boolean {
  if ((node.op as unknown) !== permute) return false;
  const axes = node.attributes['axes'] as readonly number[];
  return axes.at(-1) === axes.length - 2 && axes.at(-2) === axes.length - 1;
}
