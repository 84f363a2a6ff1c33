/**
 * Losses of elements, and what all losses share: `reduction` is 'mean' over the elements (the default), 'sum', or 'none' for
 * one loss an element. Input and target broadcast. All are composed but one, which says why.
 */
import { ArgumentError, DTypeError } from '../errors';
import { apply, constant, sub as minus, add as plus, mul as times } from '../expr';
import type { OpExpr } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { logSigmoid } from './activation';
import { abs, add, clamp, div, minimum, mul, neg, square, sub } from './arithmetic';
import { eq, le, lt, where } from './comparison';
import { elementwise } from './elementwise';
import { exp, log } from './math';
import { type LossOptions, type Reduction, reduceLoss } from './reduce-loss';
import { norm, sum } from './reduction';
import { isFloat } from './types';

/** y = (x − t)². F.mse_loss */
export const mseLoss = (x: TensorLike, target: TensorLike, { reduction = 'mean' }: LossOptions = {}): Tensor =>
  reduceLoss('mseLoss', square(sub(x, target)), reduction);

/** y = |x − t|. F.l1_loss */
export const l1Loss = (x: TensorLike, target: TensorLike, { reduction = 'mean' }: LossOptions = {}): Tensor =>
  reduceLoss('l1Loss', abs(sub(x, target)), reduction);

/** y = d²/(2·beta) for d = |x − t| < beta (1), else d − beta/2; beta 0 is l1Loss. F.smooth_l1_loss */
export function smoothL1Loss(
  x: TensorLike,
  target: TensorLike,
  { beta = 1, reduction = 'mean' }: LossOptions & { readonly beta?: number } = {},
): Tensor {
  if (!(beta >= 0)) throw new ArgumentError(`smoothL1Loss: beta is ${beta}, wants a number from 0 on`);
  if (beta === 0) return l1Loss(x, target, { reduction });
  const distance = abs(sub(x, target));
  const losses = where(lt(distance, beta), mul(square(distance), 0.5 / beta), sub(distance, 0.5 * beta));
  return reduceLoss('smoothL1Loss', losses, reduction);
}

/** y = d²/2 for d = |x − t| ≤ delta (1), else delta·(d − delta/2). F.huber_loss */
export function huberLoss(
  x: TensorLike,
  target: TensorLike,
  { delta = 1, reduction = 'mean' }: LossOptions & { readonly delta?: number } = {},
): Tensor {
  if (!(delta > 0)) throw new ArgumentError(`huberLoss: delta is ${delta}, wants a number above 0`);
  const distance = abs(sub(x, target));
  const losses = where(le(distance, delta), mul(square(distance), 0.5), mul(sub(distance, 0.5 * delta), delta));
  return reduceLoss('huberLoss', losses, reduction);
}

export interface BinaryOptions extends LossOptions {
  /** A factor for each loss, broadcast. */
  readonly weight?: TensorLike;
}
const weigh = (losses: Tensor, weight: TensorLike | undefined): Tensor =>
  weight === undefined ? losses : mul(losses, weight);

/**
 * y = −w·(t·ln x + (1−t)·ln(1−x)) of probabilities x, logarithms held at −100. F.binary_cross_entropy.
 * With logits at hand, binaryCrossEntropyWithLogits is exact where this one is not.
 */
export const binaryCrossEntropy = (
  x: TensorLike,
  target: TensorLike,
  { weight, reduction = 'mean' }: BinaryOptions = {},
): Tensor => reduceLoss('binaryCrossEntropy', weigh(binaryLosses(x, target), weight), reduction);

/** −t·ln x − (1−t)·ln(1−x). Defined for its gradient, which stays finite at x = 0 and 1. */
export const binaryLosses = /* @__PURE__ */ elementwise({
  name: 'binaryCrossEntropy',
  args: (x: TensorLike, target: TensorLike) => [[x, target], {}],
  result: (common) => {
    if (isFloat(common)) return common;
    throw new DTypeError(`binaryCrossEntropy: the inputs are ${common}, wants float32 or float16; convert with cast`);
  },
  expr: (inputs) => {
    const [x, t] = inputs as [OpExpr, OpExpr];
    const held = (value: OpExpr) => apply('max', [value, constant(-100)]);
    const yes = times(t, held(apply('log', [x])));
    const no = times(minus(constant(1), t), held(apply('log1p', [apply('neg', [x])])));
    return apply('neg', [plus(yes, no)]);
  },
});

/**
 * y = −w·(p·t·ln σ(x) + (1−t)·ln(1 − σ(x))) of logits x, p = posWeight (1), without overflow.
 * F.binary_cross_entropy_with_logits
 */
export function binaryCrossEntropyWithLogits(
  x: TensorLike,
  target: TensorLike,
  { weight, posWeight, reduction = 'mean' }: BinaryOptions & { readonly posWeight?: TensorLike } = {},
): Tensor {
  const no = mul(sub(1, target), x);
  const likely = logSigmoid(x);
  const factor = posWeight === undefined ? null : add(mul(sub(posWeight, 1), target), 1);
  const losses = sub(no, factor ? mul(factor, likely) : likely);
  return reduceLoss('binaryCrossEntropyWithLogits', weigh(losses, weight), reduction);
}

/** y = t·(ln t − x) of log-probabilities x, 0 where t is 0; logTarget: t is a logarithm too. 'batchmean' divides the sum by
 *  the first size, which is the Kullback–Leibler divergence. F.kl_div */
export function klDivLoss(
  x: TensorLike,
  target: TensorLike,
  { reduction = 'mean', logTarget = false }: { reduction?: Reduction | 'batchmean'; logTarget?: boolean } = {},
): Tensor {
  const t = toTensor(target, 'klDivLoss');
  const none = eq(t, 0);
  const losses = logTarget ? mul(exp(t), sub(t, x)) : sub(where(none, 0, mul(t, log(where(none, 1, t)))), mul(t, x));
  if (reduction !== 'batchmean') return reduceLoss('klDivLoss', losses, reduction);
  return div(sum(losses), losses.shape[0] ?? 1);
}

/** y = x for t = 1, max(0, margin − x) for t = −1. F.hinge_embedding_loss */
export function hingeEmbeddingLoss(
  x: TensorLike,
  target: TensorLike,
  { margin = 1, reduction = 'mean' }: LossOptions & { readonly margin?: number } = {},
): Tensor {
  const losses = where(eq(target, 1), x, clamp(sub(margin, x), 0));
  return reduceLoss('hingeEmbeddingLoss', losses, reduction);
}

/** y = max(0, −t·(a − b) + margin), t = 1 where a should rank higher, −1 where b should. F.margin_ranking_loss */
export function marginRankingLoss(
  a: TensorLike,
  b: TensorLike,
  target: TensorLike,
  { margin = 0, reduction = 'mean' }: LossOptions & { readonly margin?: number } = {},
): Tensor {
  const losses = clamp(add(mul(neg(target), sub(a, b)), margin), 0);
  return reduceLoss('marginRankingLoss', losses, reduction);
}

/** y = max(0, ‖anchor − positive‖ₚ − ‖anchor − negative‖ₚ + margin) of rows [N,D], differences raised by eps; with swap the
 *  negative's distance is the least of that and ‖positive − negative‖ₚ (Balntas 2016). F.triplet_margin_loss */
export function tripletMarginLoss(
  anchor: TensorLike,
  positive: TensorLike,
  negative: TensorLike,
  {
    margin = 1,
    p = 2,
    eps = 1e-6,
    swap = false,
    reduction = 'mean',
  }: LossOptions & { margin?: number; p?: number; eps?: number; swap?: boolean } = {},
): Tensor {
  const distance = (a: TensorLike, b: TensorLike) => norm(add(sub(a, b), eps), p, -1);
  const far = distance(anchor, negative);
  const apart = swap ? minimum(far, distance(positive, negative)) : far;
  const losses = clamp(add(sub(distance(anchor, positive), apart), margin), 0);
  return reduceLoss('tripletMarginLoss', losses, reduction);
}
