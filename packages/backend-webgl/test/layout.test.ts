/** Where the texels of a buffer lie. */
import { expect, it } from 'vitest';
import { bitsOf, extentOf, mostTexels } from '../src/layout';

it.each<[texels: number, columns: number, rows: number, bits: number]>([
  [5, 5, 1, 7],
  [129, 128, 2, 7],
  [2 ** 14, 128, 128, 7],
  [2 ** 14 + 1, 2048, 9, 11],
  [2 ** 24, 2048, 8192, 11],
  [2 ** 24 + 1, 8192, 2049, 13],
  [2 ** 26, 8192, 8192, 13],
])(
  '%i texels: rows of %i, as long as the device makes them where those of 2048 are too many',
  (texels, columns, rows, bits) => {
    expect(extentOf(texels, 8192)).toEqual([columns, rows]);
    expect(bitsOf({ columns })).toBe(bits);
  },
);

it('takes all that a texture of the device holds, as long as positions stay below 2^31', () => {
  expect([2048, 8192, 16384, 32768].map(mostTexels)).toEqual([2 ** 22, 2 ** 26, 2 ** 28, 2 ** 29]);
  expect(extentOf(mostTexels(8192) + 1, 8192)).toEqual([8192, 8193]);
});
