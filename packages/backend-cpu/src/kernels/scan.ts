import type { ScanKernel } from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
export function scan(_kernel: ScanKernel, _target: Target): CpuKernel {
  throw new Error('scan: to come');
}
