import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { philox4x32 } from '../src/philox';

/** The paper's round, word for word, in integers without end. */
function philoxInBigInts(key: readonly number[], counter: readonly number[]): number[] {
  const mask = 0xffffffffn;
  let [k0 = 0n, k1 = 0n] = key.map((word) => BigInt(word) & mask);
  let [c0 = 0n, c1 = 0n, c2 = 0n, c3 = 0n] = counter.map((word) => BigInt(word) & mask);
  for (let round = 0; round < 10; round++) {
    const [product0, product1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1 & mask, (product0 >> 32n) ^ c3 ^ k1, product0 & mask];
    [k0, k1] = [(k0 + 0x9e3779b9n) & mask, (k1 + 0xbb67ae85n) & mask];
  }
  return [c0, c1, c2, c3].map(Number);
}

describe('philox4x32', () => {
  const ones = 0xffffffff;
  // kat_vectors of Random123, philox4x32 with 10 rounds.
  it.each<[[number, number], [number, number, number, number], number[]]>([
    [
      [0, 0],
      [0, 0, 0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [ones, ones],
      [ones, ones, ones, ones],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0xa4093822, 0x299f31d0],
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ])('gives the known answer for key %j and counter %j', (key, counter, answer) => {
    const out = new Uint32Array(4);
    philox4x32(...key, ...counter, out);
    expect([...out]).toEqual(answer);
  });

  it('agrees with big integers for any key and counter, signed or unsigned', () => {
    const word = fc.oneof(
      fc.integer({ min: -0x80000000, max: ones }),
      fc.constantFrom(0, -1, ones, 0x80000000, 0xffff),
    );
    fc.assert(
      fc.property(fc.tuple(word, word), fc.tuple(word, word, word, word), (key, counter) => {
        const out = new Uint32Array(4);
        philox4x32(...key, ...counter, out);
        expect([...out]).toEqual(philoxInBigInts(key, counter));
      }),
    );
  });

  it('writes the same words into a signed array', () => {
    const [signed, unsigned] = [new Int32Array(4), new Uint32Array(4)];
    philox4x32(1, 2, 3, 4, 5, 6, signed);
    philox4x32(1, 2, 3, 4, 5, 6, unsigned);
    expect([...signed].map((word) => word >>> 0)).toEqual([...unsigned]);
  });
});
