/** Gradients of random ops: only what they scale has one. */
import { dropoutWith, type Tensor } from '@tessera/tensor';
import { defineGradient } from './rules';

export function random(): void {
  /** The same elements dropped: drawn again from the same version of the cell, no mask is kept. */
  defineGradient(dropoutWith, (g, [, p, cell]) => [dropoutWith(g, p as Tensor, cell as Tensor), null, null]);
}
