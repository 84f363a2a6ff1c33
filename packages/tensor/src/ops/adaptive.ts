/**
 * Pooling to a given size, and back. Bin i of n over H elements covers [⌊i·H/n⌋, ⌈(i+1)·H/n⌉): bins overlap where n does not
 * divide H. Where it does, this is pooling with windows; else a reduction over the longest bin, shorter ones masked.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, add, apply, constant, div, index, mul, select, sub } from '../expr';
import { defineMultiOp, defineOp, type Input, type OpExpr, type Read, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { zeros } from './create';
import { averagePool, maxPool } from './pool';
import { scatter } from './scatter';
import { flatten, reshape } from './shape';
import { wantDtype } from './types';
import { perAxis, pooled, type Sizes, type Windows } from './windows';

const int = (value: number): OpExpr => constant(value, 'int32');
/** Bounds of bin i, when `from` elements make `to` bins. */
const startOf = (i: OpExpr, from: number, to: number): OpExpr => apply('div', [mul(i, int(from)), int(to)]);
const endOf = (i: OpExpr, from: number, to: number): OpExpr =>
  apply('div', [add(mul(add(i, int(1)), int(from)), int(to - 1)), int(to)]);
/** Elements in the longest bin. */
const longest = (from: number, to: number): number =>
  Math.max(0, ...Array.from({ length: to }, (_, i) => Math.ceil(((i + 1) * from) / to) - Math.floor((i * from) / to)));

/** The reduction over bins: axes [batch, …to, …longest], and for each spatial axis whether and where the bin has an element. */
function bins(input: Input, to: readonly number[]) {
  const from = input.shape.slice(1);
  const rank = to.length;
  const along = to.map((n, i) => {
    const bin = index(i + 1);
    const place: OpExpr = add(startOf(bin, from[i] as number, n), index(1 + rank + i));
    return { place, inside: apply<Read>('lt', [place, endOf(bin, from[i] as number, n)]) };
  });
  const longests = to.map((n, i) => longest(from[i] as number, n));
  return {
    shape: [input.shape[0] as number, ...to, ...longests],
    axes: to.map((_, i) => 1 + rank + i),
    places: along.map(({ place }) => place),
    inside: along.map(({ inside }) => inside).reduce((a, b) => apply('and', [a, b])),
    longests,
  };
}

/**
 * Each bin of [batch, …from] → [batch, …to]: its mean (`divide: 'bin'`), or the sum of elements each divided by the number
 * of bins … of the other direction (`divide: 'element'`). An element's bins are the bins of the reverse pooling, so the two
 * are each other's transposes: the op and its gradient are one.
 */
export const adaptiveAverage = /* @__PURE__ */ defineOp({
  name: 'adaptiveAvgPool',
  args: (x: TensorLike, size: Shape, divide: 'bin' | 'element') => [[x], { size, divide }],
  shape: ([x], { size }) => ({ shape: [(x as Tensor).shape[0] as number | null, ...size], dtype: (x as Tensor).dtype }),
  lower: ([x], { divide }, [out]) => {
    const input = x as Input;
    const from = input.shape.slice(1);
    const to = (out as { shape: readonly number[] }).shape.slice(1);
    const { shape, axes, places, inside } = bins(input, to);
    const value = readAt(input, [index(0), ...places]);
    const sizeAt = (at: readonly OpExpr[], many: readonly number[], few: readonly number[]): OpExpr =>
      apply(
        'cast',
        [
          at
            .map((i, axis) => {
              const [h, n] = [many[axis] as number, few[axis] as number];
              return sub(endOf(i, h, n), startOf(i, h, n));
            })
            .reduce((a, b) => mul(a, b)),
        ],
        'float32',
      );
    const element = divide === 'element' ? div<Read>(value, sizeAt(places, to, from)) : value;
    const sum: OpExpr = acc(0);
    const binSize = sizeAt(
      to.map((_, i): OpExpr => index(i + 1)),
      from,
      to,
    );
    return {
      kind: 'reduce',
      shape,
      axes,
      stages: [[{ combine: 'sum', expr: select(inside, element, constant(0)), dtype: 'float32' }]],
      outs: [{ per: 'row', expr: divide === 'bin' ? div(sum, binSize) : sum }],
    };
  },
});

/** The largest element of each bin of [batch, …from] → [batch, …to], and its row-major place (int32): the first of equals. */
export const adaptiveMax = /* @__PURE__ */ defineMultiOp({
  name: 'adaptiveMaxPool',
  args: (x: TensorLike, size: Shape) => [[x], { size }],
  shape: ([x], { size }) => {
    const shape = [(x as Tensor).shape[0] as number | null, ...size];
    return [
      { shape, dtype: (x as Tensor).dtype },
      { shape, dtype: 'int32' },
    ];
  },
  lower: ([x], _, [out]) => {
    const input = x as Input;
    const from = input.shape.slice(1);
    const to = (out as { shape: readonly number[] }).shape.slice(1);
    const { shape, axes, places, inside, longests } = bins(input, to);
    const expr = select(inside, readAt(input, [index(0), ...places]), constant(Number.NEGATIVE_INFINITY));
    // From the place in the bin to the place in the plane, digit by digit.
    let rest: OpExpr = acc(1, 'int32');
    const digits = [...longests].reverse().map((length) => {
      const digit = apply('mod', [rest, int(length)]);
      rest = apply('div', [rest, int(length)]);
      return digit;
    });
    const place = digits.reverse().reduce<OpExpr>((sum, digit, i) => {
      const at = add(startOf(index(i + 1), from[i] as number, to[i] as number), digit);
      return i === 0 ? at : add(mul(sum, int(from[i] as number)), at);
    }, int(0));
    return {
      kind: 'reduce',
      shape,
      axes,
      stages: [
        [
          { combine: 'max', expr, dtype: 'float32' },
          { combine: 'argmax', expr, dtype: 'float32' },
        ],
      ],
      outs: [
        { per: 'row', expr: acc(0) },
        { per: 'row', expr: place },
      ],
    };
  },
});

/** One size for all axes, or one each; null keeps the input's. */
export type OutputSize = number | readonly (number | null)[];

function binned(op: string, rank: number, like: TensorLike, outputSize: OutputSize) {
  const { planes, shape, whole } = pooled(op, rank, like);
  wantDtype(op, 'input', planes.dtype, ['float32', 'float16']);
  const input = shape.slice(-rank);
  const wanted = typeof outputSize === 'number' ? Array<number>(rank).fill(outputSize) : outputSize;
  if (wanted.length !== rank || wanted.some((size) => size !== null && (!Number.isInteger(size) || size < 1)))
    throw new ArgumentError(
      `${op}: outputSize [${wanted}]; wants ${rank} whole numbers from 1, or null to keep a size`,
    );
  const size = wanted.map((n, i) => n ?? (input[i] as number | null));
  // Equal bins are windows; sizes that are not known yet say nothing, and their shape is the same either way.
  const equal = size.every((n, i) => n !== null && typeof input[i] === 'number' && (input[i] as number) % n === 0);
  const kernel = equal ? size.map((n, i) => (input[i] as number) / (n as number)) : null;
  const windows: Windows | null = kernel && {
    input,
    output: size,
    kernel,
    stride: kernel,
    padding: kernel.map(() => 0),
    dilation: kernel.map(() => 1),
  };
  return { planes, whole, size, windows };
}
function adaptiveAvg(op: string, rank: number, x: TensorLike, outputSize: OutputSize): Tensor {
  const { planes, whole, size, windows } = binned(op, rank, x, outputSize);
  return whole(
    windows
      ? averagePool(planes, { ...windows, direction: 'forward', countIncludePad: true, divisor: null })
      : adaptiveAverage(planes, size, 'bin'),
  );
}
/** Means of bins.  x [N,C,W] or [C,W] → [N,C,outputSize]. torch.nn.functional.adaptive_avg_pool1d. */
export const adaptiveAvgPool1d = (x: TensorLike, outputSize: OutputSize): Tensor =>
  adaptiveAvg('adaptiveAvgPool1d', 1, x, outputSize);
/** As adaptiveAvgPool1d on x [N,C,H,W]. torch.nn.functional.adaptive_avg_pool2d. */
export const adaptiveAvgPool2d = (x: TensorLike, outputSize: OutputSize): Tensor =>
  adaptiveAvg('adaptiveAvgPool2d', 2, x, outputSize);
/** As adaptiveAvgPool1d on x [N,C,D,H,W]. torch.nn.functional.adaptive_avg_pool3d. */
export const adaptiveAvgPool3d = (x: TensorLike, outputSize: OutputSize): Tensor =>
  adaptiveAvg('adaptiveAvgPool3d', 3, x, outputSize);

export interface AdaptiveMaxOptions {
  /** Also give the places of the maxima (int32, row-major in the input's spatial axes). Default false. */
  readonly returnIndices?: boolean;
}
type AdaptiveMax = {
  (x: TensorLike, outputSize: OutputSize, options: { readonly returnIndices: true }): [Tensor, Tensor];
  (x: TensorLike, outputSize: OutputSize, options?: { readonly returnIndices?: false }): Tensor;
};
const adaptiveMaxPooling = (op: string, rank: number): AdaptiveMax =>
  ((x: TensorLike, outputSize: OutputSize, { returnIndices = false }: AdaptiveMaxOptions = {}) => {
    const { planes, whole, size, windows } = binned(op, rank, x, outputSize);
    const [values, places] = (windows ? maxPool(planes, windows) : adaptiveMax(planes, size)) as [Tensor, Tensor];
    return returnIndices ? [whole(values), whole(places)] : whole(values);
  }) as AdaptiveMax;
/** The largest of each bin.  x [N,C,W] or [C,W] → [N,C,outputSize]. torch.nn.functional.adaptive_max_pool1d. */
export const adaptiveMaxPool1d = /* @__PURE__ */ adaptiveMaxPooling('adaptiveMaxPool1d', 1);
/** As adaptiveMaxPool1d on x [N,C,H,W]. torch.nn.functional.adaptive_max_pool2d. */
export const adaptiveMaxPool2d = /* @__PURE__ */ adaptiveMaxPooling('adaptiveMaxPool2d', 2);
/** As adaptiveMaxPool1d on x [N,C,D,H,W]. torch.nn.functional.adaptive_max_pool3d. */
export const adaptiveMaxPool3d = /* @__PURE__ */ adaptiveMaxPooling('adaptiveMaxPool3d', 3);

// ---- back --------------------------------------------------------------------------------------------------------

export interface UnpoolOptions {
  /** Default: kernelSize. */
  readonly stride?: Sizes;
  /** Default 0. */
  readonly padding?: Sizes;
  /** The size before pooling, its last axes as [H,W]; default: the smallest that pools to this one. */
  readonly outputSize?: readonly number[];
}
type Unpooling = (x: TensorLike, indices: TensorLike, kernelSize: Sizes, options?: UnpoolOptions) => Tensor;
const unpooling =
  (op: string, rank: number): Unpooling =>
  (x, indices, kernelSize, options = {}) => {
    const { stride, padding = 0, outputSize } = options;
    const { planes, shape, whole } = pooled(op, rank, x);
    const places = toTensor(indices, op);
    if (String(places.shape) !== String(shape))
      throw new ShapeError(
        `${op}: x ${showShape(shape)} and indices ${showShape(places.shape)} differ; pass maxPool${rank}d's`,
      );
    const kernel = perAxis(op, 'kernelSize', kernelSize, rank, 1);
    const steps = perAxis(op, 'stride', stride ?? kernel, rank, 1);
    const pads = perAxis(op, 'padding', padding, rank, 0);
    const sizes = kernel.map((taps, i) => {
      const own = shape[shape.length - rank + i] as number | null;
      if (outputSize) return outputSize[outputSize.length - rank + i] as number;
      return own === null ? null : (own - 1) * (steps[i] as number) - 2 * (pads[i] as number) + taps;
    });
    const plane = sizes.reduce((a: number | null, b) => (a === null || b === null ? null : a * b), 1);
    const flat = flatten(planes, 1);
    const empty = zeros([flat.shape[0] as number | null, plane], { dtype: flat.dtype });
    const filled = scatter(empty, 1, reshape(places, flat.shape), flat);
    return whole(reshape(filled, [filled.shape[0] as number | null, ...sizes]));
  };
/** Zeros, with each element of x at the place that maxPool1d saved for it; of two for one place the last counts.
 *  x and indices [N,C,W] or [C,W] → [N,C,(W−1)·stride−2·padding+R]. torch.nn.functional.max_unpool1d.
 *  @throws ShapeError where x and indices differ. */
export const maxUnpool1d: Unpooling = /* @__PURE__ */ unpooling('maxUnpool1d', 1);
/** As maxUnpool1d on x [N,C,H,W] and maxPool2d's indices. torch.nn.functional.max_unpool2d. */
export const maxUnpool2d: Unpooling = /* @__PURE__ */ unpooling('maxUnpool2d', 2);
/** As maxUnpool1d on x [N,C,D,H,W] and maxPool3d's indices. torch.nn.functional.max_unpool3d. */
export const maxUnpool3d: Unpooling = /* @__PURE__ */ unpooling('maxUnpool3d', 3);
