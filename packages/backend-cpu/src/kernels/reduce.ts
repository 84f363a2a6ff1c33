import type { ReduceKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
export function reduce(_kernel: ReduceKernel, _target: Target): CpuKernel {
  throw new Error('reduce: to come');
}
