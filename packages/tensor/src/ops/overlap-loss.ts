/** Losses for few positives among many: focal and Dice. Composed. */

import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { sigmoid } from './activation';
import { add, div, mul, pow, square, sub } from './arithmetic';
import { binaryCrossEntropyWithLogits } from './loss';
import { type LossOptions, reduceLoss } from './reduce-loss';
import { sum } from './reduction';
import { broadcastShapes } from './types';

export interface FocalOptions extends LossOptions {
  /** Weight of the positives, 1 − alpha that of the negatives; null: both 1. Default 0.25. */
  readonly alpha?: number | null;
  /** How fast the loss of what is known fades. Default 2. */
  readonly gamma?: number;
}
/**
 * y = −αₜ·(1 − pₜ)^γ·ln pₜ of logits x, pₜ = σ(x) where the target is 1, else 1 − σ(x). One loss an element unless told.
 * torchvision.ops.sigmoid_focal_loss (Lin 2017). @throws ArgumentError for alpha outside of [0, 1].
 */
export function sigmoidFocalLoss(
  x: TensorLike,
  target: TensorLike,
  { alpha = 0.25, gamma = 2, reduction = 'none' }: FocalOptions = {},
): Tensor {
  if (alpha !== null && !(alpha >= 0 && alpha <= 1))
    throw new ArgumentError(`sigmoidFocalLoss: alpha is ${alpha}, wants a number from 0 to 1, or null`);
  const t = toTensor(target, 'sigmoidFocalLoss');
  const no = sub(1, t);
  const p = sigmoid(x);
  const missed = add(mul(sub(1, p), t), mul(p, no)); // 1 − pₜ
  const losses = mul(binaryCrossEntropyWithLogits(x, t, { reduction: 'none' }), pow(missed, gamma));
  const weighted = alpha === null ? losses : mul(losses, add(mul(t, alpha), mul(no, 1 - alpha)));
  return reduceLoss('sigmoidFocalLoss', weighted, reduction);
}

export interface DiceOptions extends LossOptions {
  /** Added above and below the line, so that an empty map found empty has no loss. Default 1e-5. */
  readonly smooth?: number;
  /** Squares in the denominator (Milletari 2016). Default false. */
  readonly squared?: boolean;
}
/**
 * y = 1 − (2·Σ p·t + smooth)/(Σ p + Σ t + smooth), sums over the spatial axes of probabilities p [N,C,…] and target of that
 * shape → [N,C], reduced by their mean unless told. MONAI's DiceLoss; PyTorch has none. @throws ShapeError without spatial axes.
 */
export function diceLoss(
  probabilities: TensorLike,
  target: TensorLike,
  { smooth = 1e-5, squared = false, reduction = 'mean' }: DiceOptions = {},
): Tensor {
  const [p, t] = [toTensor(probabilities, 'diceLoss'), toTensor(target, 'diceLoss')];
  const { length } = broadcastShapes('diceLoss', [p.shape, t.shape]);
  if (length < 3 || p.rank !== t.rank)
    throw new ShapeError(`diceLoss: shapes ${showShape(p.shape)} and ${showShape(t.shape)}; wants both [N,C,…]`);
  const axes = Array.from({ length: length - 2 }, (_, i) => i + 2);
  const amount = (map: Tensor) => sum(squared ? square(map) : map, axes);
  const overlap = add(mul(sum(mul(p, t), axes), 2), smooth);
  const losses = sub(1, div(overlap, add(add(amount(p), amount(t)), smooth)));
  return reduceLoss('diceLoss', losses, reduction);
}
