/**
 * Convolution and its two gradients: picks the way that was measured fastest for the shape.
 *
 *   pointwise    forward and inputGrad of windows of one element: a product of matrices
 *   columns      the same as a product, strip by strip: strides, where sums are long
 *   direct       the same of any shape: sums over taps of padded planes
 *   weight       weightGrad of any shape: dot products of rows of g with rows of x's planes
 *
 * and for stride 1, where there are channels enough to pay for the transforms, with fewer multiplications:
 *
 *   winograd     3×3, all three, many tiles
 *   few          3×3 on small maps, whose weights are most of the bytes, and lines of 3 to 8 taps: forward and inputGrad
 *   fewWeight    weightGrad of 3×3, if all of its transformed operands are not too large
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
import { columns, columnsPlan } from './columns';
import { direct } from './direct';
import { few } from './few';
import { fewWeight } from './few-weight';
import { matmul } from './matmul';
import { pointwise } from './pointwise';
import { fewScheme, weightScheme } from './schemes';
import { weightGradient } from './weight';
import { winograd, winogradSize } from './winograd';
import { winogradWeight } from './winograd-weight';

export function conv(kernel: ConvKernel, target: Target): CpuKernel {
  const m = winogradSize(kernel);
  if (kernel.direction === 'weightGrad') {
    const scheme = weightScheme(kernel);
    if (scheme) return fewWeight(kernel, target, scheme);
    return m ? winogradWeight(kernel, target) : weightGradient(kernel, target);
  }
  const scheme = fewScheme(kernel);
  if (scheme) return few(kernel, target, scheme);
  if (m) return winograd(kernel, target, m);
  const product = pointwise(kernel);
  if (product) return matmul(product, target, [product.batch[0] as number, product.m, ...kernel.sizes.output]);
  const plan = columnsPlan(kernel);
  return plan ? columns(kernel, target, plan) : direct(kernel, target);
}

/** Times the tolerance of a plain sum that a result may miss: more where multiplications are saved by sums and differences. */
export function toleranceFactor(kernel: ConvKernel): number {
  const scheme = kernel.direction === 'weightGrad' ? weightScheme(kernel) : fewScheme(kernel);
  return scheme || winogradSize(kernel) ? 4 : 1;
}
