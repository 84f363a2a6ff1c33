/** The option that every loss has: `reduction` is 'mean' over the elements, 'sum', or 'none' for one loss an element. */
import { ArgumentError } from '../errors';
import type { Tensor } from '../tensor';
import { mean, sum } from './reduction';

export type Reduction = 'none' | 'mean' | 'sum';
export interface LossOptions {
  readonly reduction?: Reduction;
}

/** The losses of elements, reduced. @throws ArgumentError for another word. */
export function reduceLoss(op: string, losses: Tensor, reduction: Reduction): Tensor {
  switch (reduction) {
    case 'none':
      return losses;
    case 'sum':
      return sum(losses);
    case 'mean':
      return mean(losses);
    default:
      throw new ArgumentError(`${op}: reduction is '${reduction satisfies never}', wants 'mean', 'sum' or 'none'`);
  }
}
