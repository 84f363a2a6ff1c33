/** Gradients of tensors made from a value; those made from nothing have none. */
import { full, reshape, sum, type Tensor } from '@tessera/tensor';
import { varies } from './broadcast';
import { defineGradient } from './rules';

export function create(): void {
  /** The value is everywhere: Σ g */
  defineGradient(full, (g, [value]) => {
    const of = value as Tensor;
    return [varies(of) ? reshape(sum(g), of.shape) : null];
  });
}
