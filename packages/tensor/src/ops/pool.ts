/**
 * Pooling over windows. Max pooling keeps the place of each maximum, which its gradient and unpooling go back to; average
 * pooling is linear, and its two directions are each other's gradients.
 */
import { ArgumentError } from '../errors';
import { acc, add, apply, cast, computeOf, constant, div, index, mul, sub } from '../expr';
import type { PoolSizes } from '../ir';
import { defineMultiOp, defineOp, type Input, type OpExpr, read } from '../op';
import type { Tensor, TensorLike } from '../tensor';
import { orderedIn, wantDtype } from './types';
import { type PoolOptions, pooled, type Sizes, type Windows, windowsOf } from './windows';

const poolSizes = (x: Input, windows: Windows): PoolSizes => ({
  ...(windows as Windows & { input: readonly number[]; output: readonly number[] }),
  batch: x.shape[0] as number,
});

// ---- max ---------------------------------------------------------------------------------------------------------

/** The largest element of each window of x [B, …input] → [B, …output], and its row-major place in the spatial axes (int32):
 *  the first of equals; NaN wins. Padding never does. The op behind maxPool1d … 3d. */
export const maxPool = /* @__PURE__ */ defineMultiOp({
  name: 'maxPool',
  args: (x: TensorLike, windows: Windows) => [[x], windows],
  shape: ([x], { output }) => {
    const shape = [(x as Tensor).shape[0] as number | null, ...output];
    return [
      { shape, dtype: (x as Tensor).dtype },
      { shape, dtype: 'int32' },
    ];
  },
  lower: ([x], windows) => {
    const { dtype } = x as Input;
    const a = cast(read(x as Input) as OpExpr, orderedIn(dtype));
    const outs = [cast(acc(0, a.dtype) as OpExpr, computeOf(dtype)), acc(1, 'int32')];
    return {
      kind: 'pool',
      direction: 'forward',
      combine: 'max',
      sizes: poolSizes(x as Input, windows),
      a,
      b: null,
      outs,
    };
  },
});

/** Each element of g [B, …output] added at its saved place in [B, …input]: the gradient of maxPool. */
export const maxPoolGrad = /* @__PURE__ */ defineOp({
  name: 'maxPoolGrad',
  args: (g: TensorLike, places: TensorLike, windows: Windows) => [[g, places], windows],
  shape: ([g], { input }) => ({
    shape: [(g as Tensor).shape[0] as number | null, ...input],
    dtype: (g as Tensor).dtype,
  }),
  lower: ([g, places], windows) => ({
    kind: 'pool',
    direction: 'backward',
    combine: 'max',
    sizes: poolSizes(g as Input, windows),
    a: read(g as Input),
    b: read(places as Input),
  }),
});

export interface MaxPoolOptions extends PoolOptions {
  /** Distance of the window's taps. Default 1. */
  readonly dilation?: Sizes;
  /** Also give the places of the maxima (int32, row-major in the input's spatial axes). Default false. */
  readonly returnIndices?: boolean;
}
type MaxPooling = {
  (x: TensorLike, kernelSize: Sizes, options: MaxPoolOptions & { readonly returnIndices: true }): [Tensor, Tensor];
  (x: TensorLike, kernelSize: Sizes, options?: MaxPoolOptions & { readonly returnIndices?: false }): Tensor;
};
const maxPooling = (op: string, rank: number): MaxPooling =>
  ((like: TensorLike, kernelSize: Sizes, options: MaxPoolOptions = {}) => {
    const { planes, shape, whole } = pooled(op, rank, like);
    const [values, places] = maxPool(planes, windowsOf(op, shape, rank, kernelSize, options)) as [Tensor, Tensor];
    return options.returnIndices ? [whole(values), whole(places)] : whole(values);
  }) as MaxPooling;

/** The largest of each window. x [N,C,W] or [C,W] → [N,C,⌊(W+2·padding−dilation·(R−1)−1)/stride⌋+1] (ceilMode: ⌈⌉), with
 *  `returnIndices` also the places. torch.nn.functional.max_pool1d. @throws ShapeError where no window fits. */
export const maxPool1d = /* @__PURE__ */ maxPooling('maxPool1d', 1);
/** As maxPool1d on x [N,C,H,W]. torch.nn.functional.max_pool2d. */
export const maxPool2d = /* @__PURE__ */ maxPooling('maxPool2d', 2);
/** As maxPool1d on x [N,C,D,H,W]. torch.nn.functional.max_pool3d. */
export const maxPool3d = /* @__PURE__ */ maxPooling('maxPool3d', 3);

// ---- average -----------------------------------------------------------------------------------------------------

type AverageAttributes = Windows & {
  readonly direction: 'forward' | 'backward';
  readonly countIncludePad: boolean;
  readonly divisor: number | null;
};
/** Means of windows, and the transpose of that map. One op, so that the division by the window's size is part of its kernel. */
export const averagePool = /* @__PURE__ */ defineOp({
  name: 'avgPool',
  args: (x: TensorLike, attributes: AverageAttributes) => [[x], attributes],
  shape: ([x], { direction, input, output }) => ({
    shape: [(x as Tensor).shape[0] as number | null, ...(direction === 'forward' ? output : input)],
    dtype: (x as Tensor).dtype,
  }),
  lower: ([x], attributes) => {
    const { direction } = attributes;
    const sizes = poolSizes(x as Input, attributes);
    const count = cast(windowSize(sizes, attributes), 'float32');
    const a = read(x as Input);
    const pool = { kind: 'pool', direction, combine: 'sum', sizes, b: null } as const;
    return direction === 'forward' ? { ...pool, a, outs: [div(acc(0), count)] } : { ...pool, a: div(a, count) };
  },
});
/** How many elements the window at the domain's coordinates is divided by (int32). Beyond the padding none is counted. */
function windowSize(sizes: PoolSizes, { countIncludePad, divisor }: AverageAttributes): OpExpr {
  if (divisor !== null) return constant(divisor);
  return sizes.kernel
    .map((taps, i): OpExpr => {
      const [input, output] = [sizes.input[i] as number, sizes.output[i] as number];
      const [stride, padding] = [sizes.stride[i] as number, sizes.padding[i] as number];
      const [lo, hi] = countIncludePad ? [-padding, input + padding] : [0, input];
      if (-padding >= lo && (output - 1) * stride - padding + taps <= hi) return constant(taps, 'int32');
      const start: OpExpr = sub(mul(index(i + 1), constant(stride, 'int32')), constant(padding, 'int32'));
      const end = apply('min', [add(start, constant(taps, 'int32')), constant(hi, 'int32')]);
      return sub(end, apply('max', [start, constant(lo, 'int32')]));
    })
    .reduce((a, b) => mul(a, b));
}

export interface AvgPoolOptions extends PoolOptions {
  /** Count padding zeros as elements of the window. Default true. */
  readonly countIncludePad?: boolean;
  /** Divide by this instead of the window's size. */
  readonly divisorOverride?: number;
}
function avgPool(op: string, rank: number, like: TensorLike, kernelSize: Sizes, options: AvgPoolOptions): Tensor {
  const { planes, shape, whole } = pooled(op, rank, like);
  wantDtype(op, 'input', planes.dtype, ['float32', 'float16']);
  const { countIncludePad = true, divisorOverride: divisor = null } = options;
  if (divisor === 0) throw new ArgumentError(`${op}: divisorOverride 0; wants another number, or none`);
  const windows = windowsOf(op, shape, rank, kernelSize, options);
  return whole(averagePool(planes, { ...windows, direction: 'forward', countIncludePad, divisor }));
}
/** The mean of each window. x [N,C,W] or [C,W] → [N,C,⌊(W+2·padding−R)/stride⌋+1] (ceilMode: ⌈⌉).
 *  torch.nn.functional.avg_pool1d. @throws ShapeError where no window fits. */
export const avgPool1d = (x: TensorLike, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor =>
  avgPool('avgPool1d', 1, x, kernelSize, options);
/** As avgPool1d on x [N,C,H,W]. torch.nn.functional.avg_pool2d. */
export const avgPool2d = (x: TensorLike, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor =>
  avgPool('avgPool2d', 2, x, kernelSize, options);
/** As avgPool1d on x [N,C,D,H,W]. torch.nn.functional.avg_pool3d. */
export const avgPool3d = (x: TensorLike, kernelSize: Sizes, options: AvgPoolOptions = {}): Tensor =>
  avgPool('avgPool3d', 3, x, kernelSize, options);
