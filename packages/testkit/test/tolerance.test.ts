import { describe, expect, it } from 'vitest';
import { describeMiss, firstMiss, modelBound, opBound, sumBound } from '../src/tolerance';

describe('bounds', () => {
  it('of golden ops and models follow the largest element', () => {
    expect(opBound([1, -20])).toBeCloseTo(2.01e-3, 12);
    expect(modelBound([1, -20])).toBeCloseTo(2e-2, 12);
    expect(opBound([Number.NaN, Number.POSITIVE_INFINITY])).toBe(1e-5);
  });
  it('of sums hold for float32 sums of any length, and catch a lost term', () => {
    for (const terms of [1, 10, 1000, 30_000]) {
      let [sum, exact] = [0, 0];
      for (let i = 0; i < terms; i++) {
        const term = Math.fround(Math.abs(Math.sin(i + 1)) + 0.5);
        sum = Math.fround(sum + term);
        exact += term;
      }
      const bound = sumBound(terms, exact);
      expect(Math.abs(sum - exact)).toBeLessThanOrEqual(bound);
      expect(exact / terms).toBeGreaterThan(bound);
    }
  });
});

describe('the first miss', () => {
  it('is named by its coordinates', () => {
    const miss = firstMiss('y', [2, 3], [0, 0, 0, 0, 5, 9], [0, 0, 0, 0, 0, 0], 0.5);
    expect(miss && describeMiss(miss)).toBe('y[1,1] is 5, wanted 0 ± 0.5');
  });
  it('takes NaN for NaN and infinity for itself, and nothing else for either', () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    expect(firstMiss('y', [2], [nan, infinity], [nan, infinity], 0)).toBeNull();
    expect(firstMiss('y', [1], [0], [nan], 1)).not.toBeNull();
    expect(firstMiss('y', [1], [nan], [0], 1)).not.toBeNull();
    expect(firstMiss('y', [1], [-infinity], [infinity], 1)).not.toBeNull();
    expect(firstMiss('y', [2], [0], [0, 0], 1)).not.toBeNull();
  });
});
