import type { PoolKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
export function pool(_kernel: PoolKernel, _target: Target): CpuKernel {
  throw new Error('pool: to come');
}
