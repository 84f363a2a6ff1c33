import { beforeEach, describe, expect, it } from 'vitest';
import {
  bincount,
  bucketize,
  compile,
  manualSeed,
  meta,
  multinomial,
  searchsorted,
  setBackend,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { thrown } from './loops';

beforeEach(() => {
  setBackend(reference());
  manualSeed(3);
});
const whole = (values: readonly number[], shape: readonly number[] = [values.length]) =>
  tensor(Int32Array.from(values), { shape });

describe('bincount', () => {
  const x = [3, 0, 3, 1, 3, 0];
  it('is how often each value occurs, up to the largest', async () => {
    const counts = await bincount(whole(x, [2, 3]));
    expect(counts.dtype).toBe('int32');
    expect(await counts.toArray()).toEqual([2, 1, 0, 3]);
  });
  it('adds weights', async () =>
    expect(await (await bincount(whole(x), { weights: tensor([0.5, 1, 2, 4, 8, 16]) })).toArray()).toEqual([
      17, 4, 0, 10.5,
    ]));
  it('has at least minLength counts', async () =>
    expect(await (await bincount(whole([1]), { minLength: 4 })).toArray()).toEqual([0, 1, 0, 0]));
  it('of nothing is zeros', async () =>
    expect(await (await bincount(whole([]), { minLength: 2 })).toArray()).toEqual([0, 0]));
  it('of a known size leaves out what is outside, and stands in compiled code', async () => {
    const count = compile((v: ReturnType<typeof whole>) => bincount(v, { size: 3 }));
    expect(await count(whole([5, 0, 2, -1, 2])).toArray()).toEqual([1, 0, 2]);
  });
  it('refuses negative elements and fractions', async () => {
    await expect(bincount(whole([1, -2]))).rejects.toThrow('bincount: an element is -2; wants whole numbers from 0');
    expect(thrown(() => bincount(tensor([0.5])))).toBe(
      "DTypeError: bincount: x is float32, wants int32 or uint8; convert it with cast(x, 'int32')",
    );
  });
});

describe('searchsorted', () => {
  const rows = [
    [-1, 0, 0, 2, 2, 2, 5],
    [0, 1, 2, 3, 4, 5, 6],
  ];
  const values = [
    [-3, 0, 1],
    [2, 7, 5],
  ];
  it.each([false, true])('of rows, right %s, is a loop over each', async (right) => {
    const wanted = values.map((row, i) =>
      row.map((v) => (rows[i] as number[]).filter((s) => (right ? s <= v : s < v)).length),
    );
    const found = searchsorted(tensor(rows), tensor(values), { right });
    expect(found.dtype).toBe('int32');
    expect(await found.toArray()).toEqual(wanted);
  });
  it('of one row takes values of any shape', async () => {
    const row = tensor([0, 1, 2]);
    expect(await searchsorted(row, tensor([[[1], [9]]])).toArray()).toEqual([[[1], [3]]]);
    expect(await searchsorted(row, 0.5).toArray()).toBe(1);
    expect(await bucketize(tensor([-1, 1]), row, { right: true }).toArray()).toEqual([0, 2]);
  });
  it('puts NaN behind all, and NaN in the row behind all values', async () => {
    const row = tensor([0, 1, Number.NaN]);
    expect(await searchsorted(row, tensor([Number.NaN, 3])).toArray()).toEqual([3, 3]);
  });
  it('counts past a row of NaN as PyTorch does: it is never left of one', async () =>
    expect(await searchsorted(tensor([0, 1]), tensor([Number.NaN])).toArray()).toEqual([2]));
  it('of an empty row is 0', async () =>
    expect(await searchsorted(tensor([], { shape: [0] }), tensor([1])).toArray()).toEqual([0]));
  it('carries unknown sizes through', () =>
    expect(searchsorted(meta([null, 4]), meta([null, 3])).shape).toEqual([null, 3]));
  it('refuses rows that do not pair with values', () =>
    expect(thrown(() => searchsorted(meta([2, 4]), meta([3, 4])))).toBe(
      'ShapeError: searchsorted: rows [2,4] for values [3,4]; wants one row [N], or equal sizes before the last',
    ));
});

describe('multinomial', () => {
  const weights = [0, 1, 3, 0, 4, 0];
  it('draws by weight with replacement: shares within four deviations, no place of weight 0', async () => {
    const n = 4000;
    const drawn = await multinomial(tensor(weights), n, { replacement: true }).data();
    weights.forEach((w, place) => {
      const share = w / 8;
      const seen = drawn.filter((at) => at === place).length / n;
      expect(Math.abs(seen - share)).toBeLessThanOrEqual(4 * Math.sqrt((share * (1 - share)) / n));
    });
  });
  it('without replacement draws each place once, and the first by weight', async () => {
    const n = 3000;
    const rows = tensor(
      Float32Array.from({ length: 3 * n }, (_, i) => [1, 2, 5][i % 3] as number),
      { shape: [n, 3] },
    );
    const drawn = (await multinomial(rows, 3).toArray()) as number[][];
    expect(drawn.every((row) => [...row].sort().join() === '0,1,2')).toBe(true);
    for (const [place, share] of [1 / 8, 2 / 8, 5 / 8].entries()) {
      const seen = drawn.filter((row) => row[0] === place).length / n;
      expect(Math.abs(seen - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / n));
    }
    // second after the first: 2 of the rest {0: 1, 1: 2} has 2/3
    const after = drawn.filter((row) => row[0] === 2);
    expect(Math.abs(after.filter((row) => row[1] === 1).length / after.length - 2 / 3)).toBeLessThan(0.05);
  });
  it('puts places of weight 0 last', async () =>
    expect((await multinomial(tensor(weights), 6).data()).slice(3).sort()).toEqual(Int32Array.of(0, 3, 5)));
  it('is the same for the same seed', async () => {
    const draw = () =>
      multinomial(
        tensor([
          [1, 2, 3],
          [3, 2, 1],
        ]),
        5,
        { replacement: true },
      );
    const first = await draw().toArray();
    manualSeed(3);
    expect(await draw().toArray()).toEqual(first);
  });
  it.each<[string, () => unknown, string]>([
    [
      'more samples than places',
      () => multinomial(meta([3]), 4),
      'ArgumentError: multinomial: 4 samples of 3 places; wants at least 1, and no more than places without replacement',
    ],
    [
      'no sample',
      () => multinomial(meta([3]), 0, { replacement: true }),
      'ArgumentError: multinomial: 0 samples of 3 places; wants at least 1',
    ],
    [
      'three axes',
      () => multinomial(meta([2, 3, 4]), 1),
      'ShapeError: multinomial: weights [2,3,4]; wants [C] or [N,C]',
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
