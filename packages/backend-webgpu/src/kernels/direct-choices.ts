/** When a convolution is computed without a product (conv-direct.ts), and how. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import type { Target } from '../shader';

export interface Direct {
  readonly way: 'direct';
  /** Threads of a workgroup. */
  readonly threads: number;
  /** Positions that a thread of the weight gradient takes, at least. */
  readonly each: number;
}

export const tile = { threads: 128, each: 32, mostParts: 64, mostSums: 32 } as const;

/** Weights of an output channel. */
export const sumsOf = ({ sizes }: ConvKernel) => (sizes.c / sizes.groups) * sizeOf(sizes.kernel);

/** None where a thread would have too many sums, or a product is better in any case. */
export function directChoices(kernel: ConvKernel, target: Target): Direct[] {
  const { groups, c, o } = kernel.sizes;
  if (groups === 1 || c / groups > 4 || o / groups > 4) return [];
  if (kernel.direction === 'weightGrad' && sumsOf(kernel) > tile.mostSums) return [];
  return [{ way: 'direct', threads: Math.min(tile.threads, target.threads), each: tile.each }];
}
