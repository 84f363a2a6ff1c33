/** What a reduction reads, for choices by bytes. */
import type { Expr, ReduceKernel } from '@tessera/tensor/backend';
import { bind } from '../pages';
import type { Target } from '../shader';
import { bytesOf } from '../stored';
import { loadsOf } from '../vector';
import { planOf } from './reduce';
import { type ByRows, reduceChoices, reductionOf } from './reduction';

/** Bytes that a reduction reads: of each pass over its rows what that loads, and once what it loads by the row. */
export function bytesRead(kernel: ReduceKernel, target: Target): number {
  const bound = bind(kernel, target.room);
  const [choice] = reduceChoices(bound, target) as [ByRows];
  const { passes } = planOf(reductionOf(bound), choice);
  const inputsOf = (exprs: readonly Expr[]) => new Set(loadsOf(exprs).map(({ input }) => input));
  const loads = passes.flatMap(({ exprs, keeps }) => [...inputsOf([...exprs, ...keeps.values()])]);
  const once = kernel.inputs.flatMap((_, input) => (loads.includes(input) ? [] : input));
  return [...loads, ...once].reduce((sum, input) => {
    const { dtype, size } = kernel.inputs[input] as ReduceKernel['inputs'][number];
    return sum + size * bytesOf[dtype];
  }, 0);
}
