/**
 * Convolution and its two gradients: picks the way that was measured fastest for the shape.
 *
 *   direct       forward and inputGrad of any shape: sums over taps of padded planes
 *   weight       weightGrad of any shape: dot products of rows of g with rows of x's planes
 *
 * and for 3×3 kernels of stride 1, where there are channels enough to pay for the transforms, with fewer multiplications:
 *
 *   winograd     all three, many tiles
 *   few          all three, few tiles: small maps, whose weights are most of the bytes
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
import { direct } from './direct';
import { few } from './few';
import { fewWeight } from './few-weight';
import { fewScheme } from './schemes';
import { weightGradient } from './weight';
import { winograd, winogradSize } from './winograd';
import { winogradWeight } from './winograd-weight';

export function conv(kernel: ConvKernel, target: Target): CpuKernel {
  const scheme = fewScheme(kernel);
  const m = winogradSize(kernel);
  if (kernel.direction === 'weightGrad') {
    if (scheme) return fewWeight(kernel, target, scheme);
    return m ? winogradWeight(kernel, target) : weightGradient(kernel, target);
  }
  if (scheme) return few(kernel, target, scheme);
  return m ? winograd(kernel, target, m) : direct(kernel, target);
}

/** Times the tolerance of a plain sum that a result may miss: more where multiplications are saved by sums and differences. */
export const toleranceFactor = (kernel: ConvKernel): number => (fewScheme(kernel) || winogradSize(kernel) ? 4 : 1);
