/**
 * Convolution and its two gradients: picks the way that was measured fastest for the shape.
 *
 *   direct       forward and inputGrad of any shape: sums over taps of padded planes
 *   winograd     the same for 3×3 kernels of stride 1, where there are channels enough to pay for the transforms
 *   weight       weightGrad of any shape: dot products of rows of g with rows of x's planes
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
import { direct } from './direct';
import { weightGradient } from './weight';
import { winograd, winogradSize } from './winograd';
import { winogradWeight } from './winograd-weight';

export function conv(kernel: ConvKernel, target: Target): CpuKernel {
  const m = winogradSize(kernel);
  if (kernel.direction === 'weightGrad') return m ? winogradWeight(kernel, target) : weightGradient(kernel, target);
  return m ? winograd(kernel, target, m) : direct(kernel, target);
}
