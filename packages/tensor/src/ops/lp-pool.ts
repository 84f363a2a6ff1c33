/** Pooling by p-norms, composed of average pooling: the mean of the powers, times how many a window has. */
import { ArgumentError } from '../errors';
import type { Tensor, TensorLike } from '../tensor';
import { mul, pow } from './arithmetic';
import { avgPool1d, avgPool2d, avgPool3d } from './pool';
import type { PoolOptions, Sizes } from './windows';

export type LpPoolOptions = Omit<PoolOptions, 'padding'>;
type AvgPool = (x: TensorLike, kernelSize: Sizes, options: LpPoolOptions) => Tensor;

function lpPool(
  op: string,
  rank: number,
  pool: AvgPool,
  x: TensorLike,
  p: number,
  kernelSize: Sizes,
  options: LpPoolOptions,
): Tensor {
  if (!Number.isFinite(p) || p === 0)
    throw new ArgumentError(`${op}: normType ${p}; wants a number that is not 0, or maxPool`);
  const taps = typeof kernelSize === 'number' ? kernelSize ** rank : kernelSize.reduce((a, b) => a * b, 1);
  return pow(mul(pool(pow(x, p), kernelSize, options), taps), 1 / p);
}

/** y = (Σ xᵖ)^(1/p) over each window, p = normType; no absolute value is taken, and at a sum of 0 the gradient is not finite, both
 *  as in PyTorch. x [N,C,W] or [C,W]. torch.nn.functional.lp_pool1d. @throws ShapeError where no window fits. */
export const lpPool1d = (x: TensorLike, normType: number, kernelSize: Sizes, options: LpPoolOptions = {}): Tensor =>
  lpPool('lpPool1d', 1, avgPool1d, x, normType, kernelSize, options);
/** As lpPool1d on x [N,C,H,W]. torch.nn.functional.lp_pool2d. */
export const lpPool2d = (x: TensorLike, normType: number, kernelSize: Sizes, options: LpPoolOptions = {}): Tensor =>
  lpPool('lpPool2d', 2, avgPool2d, x, normType, kernelSize, options);
/** As lpPool1d on x [N,C,D,H,W]. torch.nn.functional.lp_pool3d. */
export const lpPool3d = (x: TensorLike, normType: number, kernelSize: Sizes, options: LpPoolOptions = {}): Tensor =>
  lpPool('lpPool3d', 3, avgPool3d, x, normType, kernelSize, options);
