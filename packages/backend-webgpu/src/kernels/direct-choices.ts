/** When a convolution is computed without a product (conv-direct.ts, conv-stacked.ts), and how. */
import { type ConvKernel, sizeOf } from '@tessera/tensor/backend';
import type { Target } from '../shader';

export interface Direct {
  readonly way: 'direct';
  /** Threads of a workgroup. */
  readonly threads: number;
  /** What a thread has: results below each other; of the weight gradient positions, at least. */
  readonly each: number;
}

export const tile = {
  threads: 128,
  /** Positions of the weight gradient, parts that they are cut into, and sums of a thread at most. */
  each: 32,
  mostParts: 64,
  mostSums: 32,
  /** Channels of a group at most: for a convolution that is computed so unless a tuner finds better, and for a tuner to try. */
  channels: 4,
  channelsTried: 16,
  /** Places of a window below each other that are written out, at most. */
  longest: 8,
} as const;
/** What a tuner tries beside one result a thread, and in place of `threads` and `each`. */
const tried = { below: [2, 4], each: [8, 128], threads: [64, 256] } as const;

/** Weights of an output channel. */
export const sumsOf = ({ sizes }: ConvKernel) => (sizes.c / sizes.groups) * sizeOf(sizes.kernel);

/** Is a product no better, as far as is known without measuring? */
export const isNarrow = ({ sizes: { c, o, groups } }: ConvKernel): boolean => Math.max(c, o) / groups <= tile.channels;

/** None where a thread would have too many sums, or a product is better in any case. */
export function directChoices(kernel: ConvKernel, target: Target): Direct[] {
  const { groups, c, o } = kernel.sizes;
  if (groups === 1 || Math.max(c, o) / groups > tile.channelsTried) return [];
  const ofWeights = kernel.direction === 'weightGrad';
  if (ofWeights && sumsOf(kernel) > tile.mostSums) return [];
  const first = Math.min(tile.threads, target.threads);
  const threads = [first, ...tried.threads.filter((count) => count <= target.threads && count !== first)];
  const eachs = ofWeights ? [tile.each, ...tried.each] : [1, ...tried.below.filter((each) => fitsBelow(kernel, each))];
  return threads.flatMap((threads) => eachs.map((each): Direct => ({ way: 'direct', threads, each })));
}

/** Are there so many results below each other, and is it known beforehand which places of the window meet at each? */
function fitsBelow({ direction, sizes }: ConvKernel, each: number): boolean {
  const { input, output, kernel: window, stride } = sizes;
  const axis = window.length - 2;
  const size = (direction === 'forward' ? output : input)[axis] ?? 0;
  const known = direction === 'forward' || each % (stride[axis] as number) === 0;
  return size >= each && (window[axis] as number) <= tile.longest && known;
}
