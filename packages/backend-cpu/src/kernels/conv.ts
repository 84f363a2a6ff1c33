/**
 * Convolution and its two gradients: picks the way that was measured fastest for the shape.
 *
 *   direct       forward and inputGrad of any shape: sums over taps of padded planes
 *   weight       weightGrad of any shape: dot products of rows of g with rows of x's planes
 */
import type { ConvKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
import { direct } from './direct';
import { weightGradient } from './weight';

export function conv(kernel: ConvKernel, target: Target): CpuKernel {
  return kernel.direction === 'weightGrad' ? weightGradient(kernel, target) : direct(kernel, target);
}
