/**
 * Random numbers of the host, by Philox as on the devices: each is a function of (seed, what for, epoch, example), so a
 * program that goes on in the middle of an epoch draws what the unbroken one would have drawn, whatever the batch size.
 */
import { philox4x32 } from '@tessera/tensor';

/** The third counter word: what the numbers are for. */
const shuffling = 0x73687566;
const transforming = 0x7472616e;

const low = (seed: number) => seed >>> 0;
const high = (seed: number) => Math.floor(seed / 2 ** 32) >>> 0;

/** 0 … count−1 in the random order of this seed and epoch (Fisher and Yates). */
export function permutation(count: number, seed: number, epoch: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  const words = new Uint32Array(4);
  for (let i = count - 1; i > 0; i--) {
    if ((i & 3) === 3 || i === count - 1) philox4x32(low(seed), high(seed), i >>> 2, epoch, shuffling, 0, words);
    // The upper bits of word · (i + 1): its bias, below count / 2³², is far under what a shuffle could show.
    const j = Math.floor(((words[i & 3] as number) / 2 ** 32) * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}

/** Four random 32-bit words of one example in one epoch. */
export function wordsOf(example: number, epoch: number, seed: number): Uint32Array {
  const words = new Uint32Array(4);
  philox4x32(low(seed), high(seed), example, epoch, transforming, 0, words);
  return words;
}
