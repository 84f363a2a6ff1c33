import { describe, expect, it } from 'vitest';
import type { Contestant } from '../contestant.ts';
import { best, type Effort, median, race } from '../measure.ts';
import { rows } from '../rows.ts';
import { alike } from '../session.ts';
import { amountOf, bytesOf, flopsOf, inputsOf, numbers, outputOf, type Work } from '../work.ts';

const work: Work = { op: 'sum', x: [4] };
const effort: Effort = { warmUp: 0, turn: 10, turns: 5, budget: 4000, pick: median };

/** Takes so many milliseconds a run, by its own account, and notes the turns. */
function contestant(name: string, ms: readonly number[], log: string[] = []): Contestant {
  let turn = 0;
  return {
    name,
    version: '1',
    prepare: async () => 1,
    run: async (times) => {
      log.push(name);
      return times * (ms[turn++ % ms.length] as number);
    },
    close: () => {},
  };
}

describe('median', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
    [[], Number.NaN],
  ])('of %j is %j', (values, expected) => expect(median(values)).toBe(expected));
});

describe('race', () => {
  it('answers amount a second, the median of the turns', async () => {
    const lane = { contestant: contestant('a', [10, 10, 20, 40, 10, 20]), work, amount: 2 };
    expect(await race([lane], effort)).toEqual([{ value: 100, first: 1 }]);
    const outcome = await race([{ ...lane, contestant: contestant('a', [10, 10, 20, 40, 10, 20]) }], {
      ...effort,
      pick: best.pick,
    });
    expect(outcome).toEqual([{ value: 200, first: 1 }]);
  });
  it('lets everybody take turns, and nobody always come first', async () => {
    const log: string[] = [];
    const lanes = ['a', 'b'].map((name) => ({ contestant: contestant(name, [10], log), work, amount: 1 }));
    await race(lanes, { ...effort, turns: 4 });
    expect(log.join('')).toBe('ab' + 'abbaabba'); // warming up, then four turns
  });
  it('goes on without the one that fails, and says why', async () => {
    const broken = { ...contestant('b', [10]), prepare: () => Promise.reject(new Error('no\n kernel')) };
    const lanes = [contestant('a', [10]), broken].map((each) => ({ contestant: each, work, amount: 1 }));
    expect(await race(lanes, effort)).toEqual([{ value: 100, first: 1 }, { fault: 'no kernel' }]);
  });
  it('gives what takes seconds as many turns as its budget has room for', async () => {
    const log: string[] = [];
    await race([{ contestant: contestant('a', [1900], log), work, amount: 1 }], effort);
    expect(log).toHaveLength(1 + 2);
  });
});

describe('work', () => {
  it('counts a product in either form alike', () => {
    const forms: Work[] = [
      { op: 'matmul', a: [8, 2, 3], b: [8, 3, 5] },
      { op: 'matmul', a: [8, 2, 3], b: [8, 5, 3], form: 'nt' },
      { op: 'matmul', a: [8, 3, 2], b: [8, 3, 5], form: 'tn' },
    ];
    for (const form of forms) {
      expect(flopsOf(form)).toBe(2 * 8 * 2 * 3 * 5);
      expect(bytesOf(form)).toBe(4 * 8 * (6 + 15 + 10));
    }
  });
  it('counts a convolution and both gradients alike, and knows what goes in', () => {
    const conv = { op: 'conv', x: [2, 8, 9, 9], w: [16, 4, 3, 3], stride: 2, padding: 1, groups: 2 } as const;
    const y = [2, 16, 5, 5];
    expect(outputOf({ ...conv, direction: 'forward' })).toEqual(y);
    expect(inputsOf({ ...conv, direction: 'forward' })).toEqual([conv.x, conv.w]);
    expect(inputsOf({ ...conv, direction: 'inputGrad' })).toEqual([y, conv.w]);
    expect(inputsOf({ ...conv, direction: 'weightGrad' })).toEqual([conv.x, y]);
    for (const direction of ['forward', 'inputGrad', 'weightGrad'] as const)
      expect(flopsOf({ ...conv, direction })).toBe(2 * 2 * 16 * 25 * 4 * 9);
  });
  it('does not let weights follow from one another', () => {
    const [a, b] = [numbers(4096, 1), numbers(4096, 2)];
    const correlation = (x: Float32Array, y: Float32Array) =>
      x.reduce((sum, v, i) => sum + 12 * v * (y[i] as number), 0) / 4096;
    expect(correlation(a, a)).toBeCloseTo(1, 1);
    expect(Math.abs(correlation(a, b))).toBeLessThan(0.06);
    expect(Math.abs(correlation(a.subarray(1), a))).toBeLessThan(0.06);
  });
  it('has an amount for every row', () => {
    for (const { work, unit } of rows) expect(amountOf(work, unit)).toBeGreaterThan(0);
  });
  it('makes the same numbers for everybody', () => {
    expect([...numbers(3, 0)]).not.toEqual([...numbers(3, 1)]);
    expect(numbers(1000, 2).every((x) => Math.abs(x) <= 0.5)).toBe(true);
    // as the Python peer has them
    expect([...numbers(3, 5)].map((x) => x.toFixed(6))).toEqual(['0.000777', '0.006171', '-0.015925']);
  });
});

describe('answers', () => {
  it.each([
    [1, 1.005, true],
    [1, 1.1, false],
    [0, 0.0005, true],
    [null, 3, true],
    [Number.NaN, 1, false],
    [[100, 0.5], [100.5, 0.1], true], // beside the largest
    [[100, 0.5], [100, 2], false],
    [[1, 2], [1], false],
  ])('%j and %j are alike: %j', (a, b, expected) => expect(alike(a, b)).toBe(expected));
});
