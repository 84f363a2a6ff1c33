/** The gradient of sorting: back to where each value was. */
import { scatter, sortFirst, type Tensor, zeros } from '@tessera/tensor';
import { defineGradient } from './rules';

export function sorting(): void {
  /** g scattered by the saved indices; what was cut off has 0. */
  defineGradient(sortFirst, ([g], inputs, [, indices], { axis }) => {
    const [x] = inputs as [Tensor];
    return [g ? scatter(zeros(x.shape, { dtype: g.dtype }), axis, indices as Tensor, g) : null];
  });
}
