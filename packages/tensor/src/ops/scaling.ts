/** Normalisations that only divide: by a root mean square, by neighbouring channels, by a norm. Composed of other ops. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { abs, add, div, maximum, mul, pow, square } from './arithmetic';
import { rsqrt } from './math';
import { trailing } from './move';
import { averagePool } from './pool';
import { amax, mean as meanOf, sum } from './reduction';
import { flatten, reshape } from './shape';

/** y = x/√(mean(x²) + eps)·weight, the mean over the last axes, which are `normalizedShape`. torch.nn.functional.rms_norm. */
export function rmsNorm(
  x: TensorLike,
  normalizedShape: readonly number[],
  { weight, eps = 2 ** -23 }: { readonly weight?: TensorLike | null; readonly eps?: number } = {},
): Tensor {
  const t = toTensor(x, 'rmsNorm');
  const dims = trailing('rmsNorm', t, normalizedShape);
  const y = mul(t, rsqrt(add(meanOf(square(t), dims, { keepdim: true }), eps)));
  return weight == null ? y : mul(y, weight);
}

export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. AlexNet's: size 5, alpha 5e-4, k 2. */
  readonly k?: number;
}
/** y = x/(k + alpha/size·Σ x²)^beta, the sum over `size` neighbouring channels, ⌊size/2⌋ of them before; the divisor is
 *  `size` at the borders too.  x [N,C,…]. torch.nn.functional.local_response_norm. */
export function localResponseNorm(x: TensorLike, size: number, options: LocalResponseNormOptions = {}): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  const t = toTensor(x, 'localResponseNorm');
  if (t.rank < 3)
    throw new ShapeError(`localResponseNorm: input ${showShape(t.shape)}; wants [N,C,…] with three axes or more`);
  if (size < 1) throw new ArgumentError(`localResponseNorm: size ${size}; wants at least 1`);
  const squares = flatten(square(t), 2);
  const sizes = squares.shape.slice(1);
  const average = averagePool(squares, {
    direction: 'forward',
    input: sizes,
    output: sizes,
    kernel: [size, 1],
    stride: [1, 1],
    padding: [Math.floor(size / 2), 0],
    dilation: [1, 1],
    countIncludePad: true,
    divisor: size,
  });
  return div(t, pow(add(mul(reshape(average, t.shape), alpha), k), beta));
}

/** y = x/max(‖x‖ₚ, eps), the norm along `dim`. torch.nn.functional.normalize. Vectors of zeros stay zeros, with gradient g/eps. */
export function normalize(
  x: TensorLike,
  { p = 2, dim = 1, eps = 1e-12 }: { readonly p?: number; readonly dim?: number; readonly eps?: number } = {},
): Tensor {
  const t = toTensor(x, 'normalize');
  if (p === Number.POSITIVE_INFINITY) return div(t, maximum(amax(abs(t), dim, { keepdim: true }), eps));
  // The bound goes below the root: the root's slope at 0 is infinite, and 0·∞ would make the gradient NaN.
  if (p === 2) return mul(t, rsqrt(maximum(sum(square(t), dim, { keepdim: true }), eps ** 2)));
  const powers = p === 1 ? abs(t) : pow(abs(t), p);
  return div(t, pow(maximum(sum(powers, dim, { keepdim: true }), eps ** p), 1 / p));
}
