/**
 * Normalisations. All subtract a mean and divide by a standard deviation over some axes, and differ in which: that is one
 * op, a reduction of two passes (mean, then Σ(x−mean)², for the one-pass formula cancels) that writes its result back.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, add as addExpr, apply, constant, div as divExpr, mul as mulExpr, sub as subExpr } from '../expr';
import { defineMultiOp, type Input, type OpExpr, type Read, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { sizeOf } from '../view';
import { add, addcmul, mul, sub } from './arithmetic';
import { rsqrt } from './math';
import { trailing } from './move';
import { reshape } from './shape';
import { broadcastShapes, number, wantDtype } from './types';

/** `channels`: what is one number a row is a vector [C], for rows that are x's channels; else it keeps `dims` with size 1. */
const rowsOf = <Size>(shape: readonly Size[], dims: readonly number[], channels: boolean): (Size | 1)[] =>
  channels ? [shape[1] as Size] : shape.map((size, axis) => (dims.includes(axis) ? 1 : size));
/** Such numbers beside the elements of their rows. */
const beside = (rows: Input, shape: readonly number[], dims: readonly number[], channels: boolean): Read =>
  read(rows, shape, channels ? [{ type: 'reshape', shape: rowsOf(shape, dims, false) }] : []);

/**
 * [y, mean, variance, scale, shift] with y = (x − mean)/√(variance + eps)·weight + bias; mean and (biased) variance are over `dims`,
 * one number a row; weight and bias too where `channels`, and then y = (x − mean)·scale + shift, by which kernels that want y may
 * compute it from x (no derivative goes through these two); else they broadcast to x. One op rather than a chain: two accurate
 * passes, and its gradient keeps x and the statistics instead of every step between.
 */
export const standardize = /* @__PURE__ */ defineMultiOp({
  name: 'standardize',
  args: (
    x: TensorLike,
    dims: readonly number[],
    eps: number,
    weight: TensorLike | null = null,
    bias: TensorLike | null = null,
    op: string = 'standardize',
    channels: boolean = false,
  ) => {
    const t = toTensor(x, op);
    const affine = [weight, bias].filter((like) => like !== null).map((like) => toTensor(like, op));
    wantDtype(op, 'input', t.dtype, ['float32', 'float16']);
    for (const { shape } of affine)
      if (!channels && broadcastShapes(op, [t.shape, shape]).length !== t.rank)
        throw new ShapeError(`${op}: weight or bias ${showShape(shape)} is larger than input ${showShape(t.shape)}`);
    return [[t, number(eps), ...affine], { dims, weight: weight !== null, bias: bias !== null, channels }];
  },
  shape: ([x], { dims, channels }) => {
    const { shape, dtype } = x as Tensor;
    const rows = { shape: rowsOf(shape, dims, channels), dtype: 'float32' as const };
    return [{ shape, dtype }, rows, rows, rows, rows];
  },
  lower: ([x, eps, ...affine], { dims, weight, bias, channels }) => {
    const { shape } = x as Input;
    const count = countAlong(shape, dims);
    const value = read(x as Input);
    const mean = divExpr<typeof value>(acc(0), count);
    const variance = divExpr<typeof value>(acc(1), count);
    const centred = subExpr(value, mean);
    const deviation = apply('sqrt', [addExpr(variance, read(eps as Input, shape))]);
    const inverse = divExpr<OpExpr>(constant(1), deviation);
    const [gamma, beta] = [weight && 0, bias && (weight ? 1 : 0)].map((place) =>
      place === false ? null : beside(affine[place] as Input, shape, dims, channels),
    ) as [Read | null, Read | null];
    const scaled = mulExpr<OpExpr>(centred, inverse);
    const y = gamma ? mulExpr(scaled, gamma) : scaled;
    const own = (output: number): OpExpr => ofRow(2 + affine.length + output, shape, dims);
    const again = channels ? addExpr(mulExpr(subExpr<OpExpr>(value, own(1)), own(3)), own(4)) : undefined;
    return {
      kind: 'reduce',
      shape,
      axes: dims,
      stages: [
        [{ combine: 'sum', expr: value, dtype: 'float32' }],
        [{ combine: 'sum', expr: mulExpr(centred, centred), dtype: 'float32' }],
      ],
      outs: [
        { per: 'element', expr: beta ? addExpr(y, beta) : y, again },
        { per: 'row', expr: mean },
        { per: 'row', expr: variance },
        { per: 'row', expr: gamma ? mulExpr(inverse, gamma) : inverse },
        { per: 'row', expr: beta ?? constant(0) },
      ],
    };
  },
});

/**
 * [∂x, Σh, Σh·x̂, tilt] from h, the cotangent of x̂·`scale`: with x̂ = (x − mean)·r, r = 1/√(variance + eps), and means over `dims`,
 * ∂x = (h − mean(h) − x̂·mean(h·x̂))·r·scale, where `scale` is one number a row, as the statistics and the sums are. One op,
 * for it is what a network's backward pass is mostly made of: two sums in one pass, then ∂x. Where `outer` = r·scale is at hand,
 * ∂x = (h − mean(h))·outer − (x − mean)·tilt, by which kernels that want it may compute it from h and x (no derivative goes
 * through these two).
 */
export const standardizeGrad = /* @__PURE__ */ defineMultiOp({
  name: 'standardizeGrad',
  args: (
    [h, x, mean, variance, eps]: readonly [h: Tensor, x: Tensor, mean: Tensor, variance: Tensor, eps: Tensor],
    [scale, outer]: readonly [scale: Tensor | null, outer: Tensor | null],
    dims: readonly number[],
    channels: boolean,
  ) => [
    [h, x, mean, variance, eps, ...[scale, outer].filter((one) => one !== null)],
    { dims, channels, scaled: scale !== null },
  ],
  shape: ([h, , mean]) => {
    const rows = { shape: (mean as Tensor).shape, dtype: 'float32' as const };
    return [h as Tensor, rows, rows, rows];
  },
  lower: (inputs, { dims, channels, scaled }) => {
    const { shape } = inputs[0] as Input;
    const count = countAlong(shape, dims);
    const [h, x, mean, variance, eps, ...others] = inputs.map((input) =>
      beside(input, shape, dims, channels && input.shape.length === 1),
    ) as [Read, Read, Read, Read, Read, ...Read[]];
    const [scale, outer] = scaled ? others : [null, ...others];
    const inverse = divExpr<OpExpr>(constant(1), apply('sqrt', [addExpr<OpExpr>(variance, eps)]));
    const centred = subExpr<OpExpr>(x, mean);
    const slope = mulExpr<OpExpr>(acc(1), inverse);
    const bend = divExpr<OpExpr>(mulExpr(slope, inverse), count);
    const inner = subExpr(subExpr<OpExpr>(h, divExpr(acc(0), count)), mulExpr(centred, bend));
    const factor = scale ? mulExpr<OpExpr>(inverse, scale) : inverse;
    const own = (output: number): OpExpr => ofRow(inputs.length + output, shape, dims);
    const middle = mulExpr<OpExpr>(own(1), constant(1 / count.value));
    const again =
      channels && outer
        ? subExpr(mulExpr<OpExpr>(subExpr<OpExpr>(h, middle), outer), mulExpr(centred, own(3)))
        : undefined;
    return {
      kind: 'reduce',
      shape,
      axes: dims,
      stages: [
        [
          { combine: 'sum', expr: h, dtype: 'float32' },
          { combine: 'sum', expr: mulExpr<OpExpr>(h, centred), dtype: 'float32' },
        ],
      ],
      outs: [
        { per: 'element', expr: mulExpr(inner, factor), again },
        { per: 'row', expr: acc(0) },
        { per: 'row', expr: slope },
        { per: 'row', expr: mulExpr(bend, factor) },
      ],
    };
  },
});

/** Number `index` of what the op reads where that is an output of its own, a vector of channels, beside the elements of its rows. */
const ofRow = (index: number, shape: readonly number[], dims: readonly number[]): Read =>
  beside({ index, shape: rowsOf(shape, dims, true), dtype: 'float32' }, shape, dims, true);

/** How many elements a row along these axes has. */
const countAlong = (shape: readonly number[], dims: readonly number[]) =>
  constant(Math.max(1, sizeOf(dims.map((axis) => shape[axis] as number))));

export interface BatchNormOptions {
  /** [C]; needed unless `training`. */
  readonly runningMean?: TensorLike | null;
  readonly runningVar?: TensorLike | null;
  /** γ and β, [C]. Default: none. */
  readonly weight?: TensorLike | null;
  readonly bias?: TensorLike | null;
  /** Normalise with the batch's own statistics. Default false. */
  readonly training?: boolean;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

/** y = γ·(x − μ)/√(σ² + eps) + β per channel.  x [N,C,…] → the same. In training μ and σ² (biased) are the batch's, else the
 *  running ones; running statistics are not touched here (see batchNormTraining). torch.nn.functional.batch_norm.
 *  @throws ShapeError where C disagrees or a channel has one value in training, ArgumentError without running statistics. */
export function batchNorm(x: TensorLike, options: BatchNormOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5, runningMean, runningVar } = options;
  if (options.training) return batchNormTraining(x, options)[0];
  if (runningMean == null || runningVar == null)
    throw new ArgumentError('batchNorm: no runningMean and runningVar; hand both in, or set training: true');
  const t = toTensor(x, 'batchNorm');
  const along = channels('batchNorm', t);
  const scale = rsqrt(add(along(runningVar, 'runningVar'), eps));
  const y = mul(
    sub(t, along(runningMean, 'runningMean')),
    weight === null ? scale : mul(scale, along(weight, 'weight')),
  );
  return bias === null ? y : add(y, along(bias, 'bias'));
}

/** batchNorm with the batch's statistics → [y, mean [C], variance [C] (biased)]: what a layer needs to keep running ones. */
export function batchNormTraining(
  x: TensorLike,
  { weight = null, bias = null, eps = 1e-5 }: Pick<BatchNormOptions, 'weight' | 'bias' | 'eps'> = {},
): [y: Tensor, mean: Tensor, variance: Tensor] {
  const t = toTensor(x, 'batchNorm');
  const vector = vectors('batchNorm', t);
  if (countOf(t.shape, (axis) => axis !== 1) === 1)
    throw new ShapeError(
      `batchNorm: input ${showShape(t.shape)} has one value a channel, whose variance is 0; train with larger batches`,
    );
  const dims = t.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
  return standardize(
    t,
    dims,
    eps,
    weight === null ? null : vector(weight, 'weight'),
    bias === null ? null : vector(bias, 'bias'),
    'batchNorm',
    true,
  ).slice(0, 3) as [Tensor, Tensor, Tensor];
}

/** What the running statistics become after a batch: (1 − momentum)·running + momentum·batch, the variance made unbiased by
 *  m/(m−1) with m = `count` values a channel. `momentum` may be a tensor (cumulative averages). */
export function runningStatistics(
  running: readonly [mean: TensorLike, variance: TensorLike],
  batch: readonly [mean: TensorLike, variance: TensorLike],
  count: number,
  momentum: TensorLike = 0.1,
): [mean: Tensor, variance: Tensor] {
  const towards = (from: TensorLike, to: TensorLike) => addcmul(from, momentum, sub(to, from));
  return [towards(running[0], batch[0]), towards(running[1], mul(batch[1], count / (count - 1)))];
}

/** A per-channel vector [C] as [1,C,1,…] beside t. */
function channels(op: string, t: Tensor): (vector: TensorLike, what: string) => Tensor {
  const checked = vectors(op, t);
  return (vector, what) => {
    const v = checked(vector, what);
    return reshape(v, [1, v.shape[0] as number | null, ...t.shape.slice(2).map(() => 1)]);
  };
}
/** A per-channel vector [C] for t, checked. */
function vectors(op: string, t: Tensor): (vector: TensorLike, what: string) => Tensor {
  if (t.rank < 2) throw new ShapeError(`${op}: input ${showShape(t.shape)}; wants [N,C,…]`);
  return (vector, what) => {
    const v = toTensor(vector, op);
    const [size, own] = [t.shape[1] as number | null, v.shape[0] ?? null];
    if (v.rank !== 1 || (size !== null && own !== null && own !== size))
      throw new ShapeError(
        `${op}: ${what} ${showShape(v.shape)} for input ${showShape(t.shape)}; wants [${size ?? 'C'}]`,
      );
    return v;
  };
}
const countOf = (shape: Shape, counts: (axis: number) => boolean): number | null =>
  shape.reduce(
    (all: number | null, size, axis) => (!counts(axis) ? all : all === null || size === null ? null : all * size),
    1,
  );

interface AffineOptions {
  readonly weight?: TensorLike | null;
  readonly bias?: TensorLike | null;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

/** y = (x − μ)/√(σ² + eps)·weight + bias, μ and σ² over the last axes, which are `normalizedShape`, as are weight and bias.
 *  torch.nn.functional.layer_norm. @throws ShapeError where x does not end in that shape. */
export function layerNorm(x: TensorLike, normalizedShape: readonly number[], options: AffineOptions = {}): Tensor {
  const t = toTensor(x, 'layerNorm');
  const dims = trailing('layerNorm', t, normalizedShape);
  return standardize(
    t,
    dims,
    options.eps ?? 1e-5,
    options.weight ?? null,
    options.bias ?? null,
    'layerNorm',
  )[0] as Tensor;
}

/** Mean and variance over groups of C/numGroups channels and all places of a sample.  x [N,C,…], weight and bias [C].
 *  torch.nn.functional.group_norm. @throws ShapeError unless C is a multiple of numGroups, and where one sample has one value a group. */
export function groupNorm(x: TensorLike, numGroups: number, options: AffineOptions = {}): Tensor {
  const t = toTensor(x, 'groupNorm');
  const along = channels('groupNorm', t);
  const c = t.shape[1] as number | null;
  if (numGroups < 1 || (c !== null && c % numGroups !== 0))
    throw new ShapeError(`groupNorm: ${c} channels of ${showShape(t.shape)} do not make ${numGroups} equal groups`);
  const each = c === null ? null : c / numGroups;
  const places = countOf(t.shape, (axis) => axis > 1);
  if (each === 1 && places === 1 && t.shape[0] === 1)
    throw new ShapeError(
      `groupNorm: input ${showShape(t.shape)} has one value a group, whose variance is 0; take fewer than ${numGroups} groups`,
    );
  const vector = (v: TensorLike | null | undefined, what: string) =>
    v == null ? null : reshape(along(v, what), [1, numGroups, each, 1]);
  const grouped = reshape(t, [t.shape[0] as number | null, numGroups, each, places]);
  const [y] = standardize(
    grouped,
    [2, 3],
    options.eps ?? 1e-5,
    vector(options.weight, 'weight'),
    vector(options.bias, 'bias'),
    'groupNorm',
  );
  return reshape(y as Tensor, t.shape);
}

/** Mean and variance over the places of each channel of each sample.  x [N,C,…], weight and bias [C].
 *  torch.nn.functional.instance_norm with use_input_stats. */
export function instanceNorm(x: TensorLike, options: AffineOptions = {}): Tensor {
  const t = toTensor(x, 'instanceNorm');
  const along = channels('instanceNorm', t);
  const { weight, bias, eps = 1e-5 } = options;
  const dims = t.shape.map((_, axis) => axis).slice(2);
  if (countOf(t.shape, (axis) => axis > 1) === 1)
    throw new ShapeError(`instanceNorm: input ${showShape(t.shape)} has one place a channel, whose variance is 0`);
  const [y] = standardize(
    t,
    dims,
    eps,
    weight == null ? null : along(weight, 'weight'),
    bias == null ? null : along(bias, 'bias'),
    'instanceNorm',
  );
  return y as Tensor;
}
