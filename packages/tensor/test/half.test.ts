import { describe, expect, it } from 'vitest';
import { fromHalf, roundHalf, toHalf } from '../src/half';

describe('roundHalf', () => {
  it('gives the nearest float16, ties to even, infinity beyond 65,520', () => {
    const rows: [number, number][] = [
      [1 + 2 ** -11, 1],
      [1 + 3 * 2 ** -11, 1 + 2 ** -9],
      [65519, 65504],
      [65520, Infinity],
      [-70000, -Infinity],
      [2 ** -25, 0],
      [1.5 * 2 ** -24, 2 ** -23],
      [2 ** -14 + 2 ** -25, 2 ** -14],
      [Number.NaN, Number.NaN],
    ];
    for (const [x, wanted] of rows) expect(roundHalf(x)).toBe(wanted);
  });
});

describe('the bits of float16', () => {
  it('are those of its number, for all of them', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const x = fromHalf(bits);
      if (Number.isNaN(x)) expect(toHalf(x) & 0x7fff).toBe(0x7e00);
      else if (toHalf(x) !== bits || !Object.is(roundHalf(x), x)) expect.fail(`${bits.toString(16)} is ${x}`);
    }
    expect([0x3c00, 0xc000, 0x7bff, 1, 0x0400, 0x8000, 0x7c00].map(fromHalf)).toEqual([
      ...[1, -2, 65504, 2 ** -24, 2 ** -14, -0],
      Infinity,
    ]);
  });
  it('are those of the nearest, of any number', () => {
    for (const x of [0.1, -1 / 3, 1e-6, 65519.9, 2049, 2051, 1e-9, -1e9])
      expect(fromHalf(toHalf(x))).toBe(roundHalf(Math.fround(x)));
  });
});
