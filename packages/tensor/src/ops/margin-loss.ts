/** The hinge loss over classes, composed. Of pairs and triples: hingeEmbeddingLoss, marginRankingLoss, tripletMarginLoss. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, clamp, mul, pow, sub } from './arithmetic';
import { where } from './comparison';
import { gather, oneHot, takeRows } from './indexing';
import { cast } from './math';
import { type LossOptions, reduceLoss } from './reduce-loss';
import { mean } from './reduction';
import { unsqueeze } from './shape';

export interface MultiMarginOptions extends LossOptions {
  /** The power of each margin missed, 1 or 2. Default 1. */
  readonly p?: 1 | 2;
  readonly margin?: number;
  /** A factor for each class [C], by the target. */
  readonly weight?: TensorLike;
}
/**
 * y = w_t/C·Σ_{j≠t} max(0, margin − x_t + x_j)ᵖ.  x [N,C], target int32 [N] → [N], or their mean. F.multi_margin_loss (Crammer and
 * Singer 2001). @throws ShapeError unless x has two axes and as many rows as the target.
 */
export function multiMarginLoss(
  x: TensorLike,
  target: TensorLike,
  { p = 1, margin = 1, weight, reduction = 'mean' }: MultiMarginOptions = {},
): Tensor {
  const [scores, t] = [toTensor(x, 'multiMarginLoss'), toTensor(target, 'multiMarginLoss')];
  const [rows, classes] = scores.shape;
  if (scores.rank !== 2 || t.rank !== 1 || ![rows, null].includes(t.shape[0] ?? rows) || classes == null)
    throw new ShapeError(
      `multiMarginLoss: x ${showShape(scores.shape)}, target ${showShape(t.shape)}; wants [N,C] and [N]`,
    );
  if (p !== 1 && p !== 2) throw new ArgumentError(`multiMarginLoss: p is ${p}, wants 1 or 2`);
  const missed = clamp(add(sub(scores, gather(scores, 1, unsqueeze(t, 1))), margin), 0);
  const others = where(cast(oneHot(t, classes), 'bool'), 0, p === 2 ? pow(missed, 2) : missed);
  const losses = mean(others, 1);
  return reduceLoss('multiMarginLoss', weight === undefined ? losses : mul(losses, takeRows(weight, 0, t)), reduction);
}
