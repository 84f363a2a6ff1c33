import type { ScatterKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
export function scatter(_kernel: ScatterKernel, _target: Target): CpuKernel {
  throw new Error('scatter: to come');
}
