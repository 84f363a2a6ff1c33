/** Metrics: functions of a batch's output and target that give its mean on the device, []. */
import { any, argmax, cast, eq, mean, ShapeError, type Tensor, topk, unsqueeze } from '@tessera/tensor';
import { wantCount } from './want-count';

/** A mean over the batch, []; what `fit` and `evaluate` weigh by the batch's size and add up on the device. */
export type Metric<Output = Tensor, Target = Tensor> = (output: Output, target: Target) => Tensor;

/** Share of samples whose highest score is the target's.  output [N,C,…], target [N,…] int32 → []. */
export function accuracy(output: Tensor, target: Tensor): Tensor {
  return mean(cast(eq(argmax(output, 1), sameRank('accuracy', output, target)), 'float32'));
}

/** Share of samples whose target is among the k highest scores: `{ top5: topKAccuracy(5) }`.  output [N,C,…], target [N,…] int32 → [].
 *  @throws ArgumentError unless k is a whole number from 1. */
export function topKAccuracy(k: number): Metric {
  wantCount('topKAccuracy', 'k', k);
  return (output, target) => {
    const [, places] = topk(output, k, { dim: 1 });
    return mean(cast(any(eq(places, unsqueeze(sameRank('topKAccuracy', output, target), 1)), 1), 'float32'));
  };
}

function sameRank(op: string, output: Tensor, target: Tensor): Tensor {
  if (target.rank !== output.rank - 1)
    throw new ShapeError(
      `${op}: output [${output.shape}] and target [${target.shape}]; wants scores [N,C,…] and classes [N,…]`,
    );
  return target;
}
