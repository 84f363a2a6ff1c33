/**
 * Losses over classes: cross entropy and the negative log-likelihood. What runs over the classes of a row is defined for
 * fusion, the rest is composed.
 */
import { ArgumentError, ShapeError } from '../errors';
import {
  acc,
  apply,
  cast,
  constant,
  index,
  sub as minus,
  div as over,
  add as plus,
  select,
  mul as times,
} from '../expr';
import { defineMultiOp, defineOp, type Input, type OpExpr, read, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, mul, neg } from './arithmetic';
import { floating } from './elementwise';
import { type LossOptions, reduceLoss } from './reduce-loss';
import { sum } from './reduction';
import { accumulate, finiteOr0 } from './rows';
import { reshape } from './shape';
import { logSoftmax } from './softmax';
import { isFloat, wantDtype } from './types';

/**
 * Cross entropy with class targets, a row of losses, and what its gradient and its mean need:
 * logits [N,C,…] (or [C]), target int [N,…], weight [C]? → losses [N,…], ln Σ exp(logits) [N,…], weights of the targets [N,…].
 *
 *     loss = (1−ε)·w_t·(lse − x_t) + ε/C·Σ_c w_c·(lse − x_c)        0 where the target is ignoreIndex, NaN where it is no class
 *
 * Defined for fusion: one `reduce` that finds x_t by comparing the class index with the target, so nothing of the logits' size
 * is written; its gradient, softmax − onehot, is one `map`.
 */
export const classLosses = /* @__PURE__ */ defineMultiOp({
  name: 'crossEntropy',
  args: (logits: TensorLike, target: TensorLike, weight: TensorLike | null, ignoreIndex: number, smoothing: number) => [
    weight === null ? [logits, target] : [logits, target, weight],
    { ignoreIndex, smoothing },
  ],
  shape: (inputs) => {
    const [logits, target, weight] = inputs as [Tensor, Tensor, Tensor | undefined];
    checkClasses('crossEntropy', logits, target, weight);
    const row = { shape: target.shape, dtype: floating(logits.dtype) };
    return [row, row, row];
  },
  lower: (inputs, { ignoreIndex, smoothing }) => {
    const [logits, target, weight] = inputs as [Input, Input, Input | undefined];
    const { shape } = logits;
    const axis = shape.length === 1 ? 0 : 1;
    const classes = shape[axis] as number;
    const along = (size: number) => shape.map((_, i) => (i === axis ? size : 1));
    const x = cast(read(logits) as OpExpr, 'float32');
    const rowShape = shape.map((size, i) => (i === axis ? 1 : size));
    const wanted = cast(read(target, shape, [{ type: 'reshape', shape: rowShape }]) as OpExpr, 'int32');
    const w: OpExpr = weight
      ? cast(read(weight, shape, [{ type: 'reshape', shape: along(classes) }]) as OpExpr, 'float32')
      : constant(1);
    const [zero, one, two] = [0, 1, 2].map((value) => constant(value, 'int32')) as [OpExpr, OpExpr, OpExpr];
    const isTarget = apply('eq', [index(axis) as OpExpr, wanted]);
    const ignored = apply('eq', [wanted, constant(ignoreIndex, 'int32')]);
    // everything is counted from the row's largest logit, so that large logits cost no digits
    const largest = finiteOr0(acc(0));
    const depth = minus(x, largest);
    const counted = accumulate('sum', apply('exp', [depth]));
    const atTarget = (value: OpExpr) => accumulate('sum', select(isTarget, value, constant(0)));
    const kind = accumulate('max', select(ignored, two, select(isTarget, one, zero)));
    const smooth = smoothing > 0 ? [accumulate('sum', times(w, depth)), accumulate('sum', w)] : [];
    const [total, depthOfTarget, wt, what] = [acc(1), acc(2), acc(3), acc(4, 'int32')] as const;
    const log = apply('log', [total as OpExpr]);
    const lse = plus(log, largest);
    let loss = times(wt as OpExpr, minus(log, depthOfTarget));
    if (smoothing > 0) {
      const spread = minus(times(acc(6) as OpExpr, log), acc(5));
      loss = plus(times(constant(1 - smoothing), loss), times(constant(smoothing / classes), spread));
    }
    const isIgnored = apply('eq', [what as OpExpr, two]);
    const orNothing = (value: OpExpr) =>
      select(isIgnored, constant(0), select(apply('eq', [what as OpExpr, zero]), constant(Number.NaN), value));
    return {
      kind: 'reduce',
      shape,
      axes: [axis],
      stages: [[accumulate('max', x)], [counted, atTarget(depth), atTarget(w), kind, ...smooth]],
      outs: [orNothing(loss), lse, orNothing(wt)].map((expr) => ({ per: 'row' as const, expr })),
    };
  },
});

/** [N,C,…] and [N,…], or [C] and []. @throws ShapeError, DTypeError naming both. */
function checkClasses(op: string, logits: Tensor, target: Tensor, weight: Tensor | undefined): void {
  wantDtype(op, 'target', target.dtype, ['int32', 'uint8']);
  if (!isFloat(logits.dtype)) wantDtype(op, 'the input', logits.dtype, ['float32', 'float16']);
  const axis = logits.rank === 1 ? 0 : 1;
  const wanted: Shape = logits.shape.filter((_, i) => i !== axis);
  const fits = (size: number | null, own: number | null | undefined) => size === null || own === null || size === own;
  if (logits.rank === 0 || wanted.length !== target.rank || !wanted.every((size, i) => fits(size, target.shape[i])))
    throw new ShapeError(
      `${op}: input ${showShape(logits.shape)} wants a target of class numbers ${showShape(wanted)}, saw ${showShape(target.shape)}; the classes lie along dim ${axis}`,
    );
  const classes = logits.shape[axis] ?? null;
  if (weight && (weight.rank !== 1 || !fits(classes, weight.shape[0])))
    throw new ShapeError(`${op}: weight has shape ${showShape(weight.shape)}, wants one number a class, [${classes}]`);
}

/**
 * Σ losses / Σ weights, and Σ weights, of all elements: the mean of losses that are weighted already.
 * Defined for fusion: both sums in one pass.
 */
export const weightedMean = /* @__PURE__ */ defineMultiOp({
  name: 'weightedMean',
  args: (losses: TensorLike, weights: TensorLike) => [[losses, weights], {}],
  shape: ([losses]) => {
    const { dtype } = losses as Tensor;
    return [
      { shape: [], dtype },
      { shape: [], dtype },
    ];
  },
  lower: (inputs) => {
    const [losses, weights] = inputs as [Input, Input];
    const shape = losses.shape.length === 0 ? [1] : losses.shape;
    return {
      kind: 'reduce',
      shape,
      axes: shape.map((_, axis) => axis),
      stages: [[accumulate('sum', read(losses, shape)), accumulate('sum', read(weights, shape))]],
      outs: [
        { per: 'row', expr: over(acc(0) as OpExpr, acc(1)) },
        { per: 'row', expr: acc(1) },
      ],
    };
  },
});

export interface CrossEntropyOptions extends LossOptions {
  /** A factor for each class [C]. */
  readonly weight?: TensorLike;
  /** Class targets of this number count nothing (−100). */
  readonly ignoreIndex?: number;
  /** Part ε of the target that is spread evenly over all classes (0). */
  readonly labelSmoothing?: number;
}
/**
 * −Σ_c w_c·t_c·ln softmax(logits)_c, the mean weighted by the targets' weights. F.cross_entropy.
 * logits [N,C], [N,C,d₁,…] or [C]; target: class numbers [N], [N,d₁,…] or [] (a number that is no class gives NaN), or
 * probabilities of the logits' shape. @throws ShapeError, DTypeError, ArgumentError
 */
export function crossEntropy(
  logits: TensorLike,
  target: TensorLike,
  { weight, ignoreIndex = -100, reduction = 'mean', labelSmoothing = 0 }: CrossEntropyOptions = {},
): Tensor {
  const x = toTensor(logits, 'crossEntropy');
  const t = toTensor(target, 'crossEntropy');
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`crossEntropy: labelSmoothing is ${labelSmoothing}, wants a part between 0 and 1`);
  if (!isFloat(t.dtype)) {
    const [losses, , weights] = classLosses(x, t, weight ?? null, ignoreIndex, labelSmoothing) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    if (reduction === 'mean') return weightedMean(losses, weights)[0] as Tensor;
    return reduceLoss('crossEntropy', losses, reduction);
  }
  if (
    x.rank === 0 ||
    x.rank !== t.rank ||
    !x.shape.every((size, i) => size === null || t.shape[i] === null || size === t.shape[i])
  )
    throw new ShapeError(
      `crossEntropy: a target of probabilities wants the input's shape ${showShape(x.shape)}, saw ${showShape(t.shape)}; class numbers are int32`,
    );
  const axis = x.rank === 1 ? 0 : 1;
  const classes = x.shape[axis] ?? Number.NaN;
  const smooth = labelSmoothing > 0 ? add(mul(t, 1 - labelSmoothing), labelSmoothing / classes) : t;
  const weighted = weight === undefined ? smooth : mul(smooth, perClass('crossEntropy', weight, x));
  const losses = neg(sum(mul(weighted, logSoftmax(x, axis)), axis));
  return reduceLoss('crossEntropy', losses, reduction);
}

/** weight [C] beside [N,C,…]. */
function perClass(op: string, weight: TensorLike, x: Tensor): Tensor {
  const w = toTensor(weight, op);
  const axis = x.rank === 1 ? 0 : 1;
  const classes = x.shape[axis] ?? null;
  if (w.rank !== 1 || (classes !== null && w.shape[0] !== null && w.shape[0] !== classes))
    throw new ShapeError(`${op}: weight has shape ${showShape(w.shape)}, wants one number a class, [${classes}]`);
  return reshape(
    w,
    x.shape.map((_, i) => (i === axis ? classes : 1)),
  );
}

export type NllOptions = Omit<CrossEntropyOptions, 'labelSmoothing'>;
/**
 * −w_t·x_t of log-probabilities x: what crossEntropy does after logSoftmax. F.nll_loss. x [N,C,…] or [C], target class numbers
 * [N,…] or []; a number that is no class gives NaN. @throws ShapeError, DTypeError
 */
export function nllLoss(
  logProbabilities: TensorLike,
  target: TensorLike,
  { weight, ignoreIndex = -100, reduction = 'mean' }: NllOptions = {},
): Tensor {
  const x = toTensor(logProbabilities, 'nllLoss');
  const t = toTensor(target, 'nllLoss');
  const w = weight === undefined ? undefined : toTensor(weight, 'nllLoss');
  checkClasses('nllLoss', x, t, w);
  const classes = x.shape[x.rank === 1 ? 0 : 1] ?? null;
  const weights = targetWeights(t, w ?? null, ignoreIndex, classes);
  const losses = pickedLosses(x, t, weights);
  if (reduction === 'mean') return weightedMean(losses, weights)[0] as Tensor;
  return reduceLoss('nllLoss', losses, reduction);
}

/** w_t of class numbers t [N,…]: 0 where ignored, NaN where t is no class, 1 without weights. */
export const targetWeights = /* @__PURE__ */ defineOp({
  name: 'targetWeights',
  args: (target: Tensor, weight: Tensor | null, ignoreIndex: number, classes: number | null) => [
    weight === null ? [target] : [target, weight],
    { ignoreIndex, classes },
  ],
  shape: ([target, weight]) => ({ shape: (target as Tensor).shape, dtype: weight?.dtype ?? 'float32' }),
  lower: (inputs, { ignoreIndex, classes }) => {
    const [target, weight] = inputs as [Input, Input | undefined];
    const t = cast(read(target) as OpExpr, 'int32');
    const count = constant(classes ?? Number.NaN, 'int32');
    const inside = apply('and', [apply('ge', [t, constant(0, 'int32')]), apply('lt', [t, count])]);
    const ignored = apply('eq', [t, constant(ignoreIndex, 'int32')]);
    const own: OpExpr = weight ? cast(readAt(weight, [t]) as OpExpr, 'float32') : constant(1);
    return { kind: 'map', outs: [select(ignored, constant(0), select(inside, own, constant(Number.NaN)))] };
  },
  notDifferentiable: 'factors of a loss, no variables',
});

/** −w·x_t, 0 where w is. x [N,C,…], t and w [N,…]. Defined for fusion: a gather of one axis and its sign in one `map`. */
export const pickedLosses = /* @__PURE__ */ defineOp({
  name: 'nllLoss',
  args: (x: Tensor, target: Tensor, weights: Tensor) => [[x, target, weights], {}],
  shape: ([x, target]) => ({ shape: (target as Tensor).shape, dtype: (x as Tensor).dtype }),
  lower: (inputs) => {
    const [x, target, weights] = inputs as [Input, Input, Input];
    const axis = x.shape.length === 1 ? 0 : 1;
    const t = cast(read(target) as OpExpr, 'int32');
    const at = x.shape.map((_, i) => (i === axis ? t : (index(i > axis ? i - 1 : i) as OpExpr)));
    const w = cast(read(weights) as OpExpr, 'float32');
    const loss = apply('neg', [times(w, readAt(x, at))]);
    return { kind: 'map', outs: [select(apply('eq', [w, constant(0)]), constant(0), loss)] };
  },
});
