/** Gradients of choosing by a condition; comparisons and logic have none. */
import { type Tensor, where } from '@tessera/tensor';
import { sumTo, varies } from './broadcast';
import { defineGradient } from './rules';

export function comparison(): void {
  defineGradient(where, (g, inputs) => {
    const [condition, a, b] = inputs as [Tensor, Tensor, Tensor];
    return [
      null,
      varies(a) ? sumTo(where(condition, g, 0), a.shape) : null,
      varies(b) ? sumTo(where(condition, 0, g), b.shape) : null,
    ];
  });
}
