import type { KernelCase } from './kernels';
export const handWrittenCases = (): KernelCase[] => [];
