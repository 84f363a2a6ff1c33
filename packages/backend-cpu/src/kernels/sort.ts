import type { SortKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
export function sort(_kernel: SortKernel, _target: Target): CpuKernel {
  throw new Error('sort: to come');
}
