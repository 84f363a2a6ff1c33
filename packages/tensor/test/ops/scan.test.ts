import { beforeAll, describe, expect, it } from 'vitest';
import { cummax, cummin, cumprod, cumsum, logcumsumexp, meta, setBackend, type Tensor, tensor } from '../../src';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
const x = () =>
  tensor([
    [1, 3, 2],
    [4, -1, 4],
  ]);

describe('running results', () => {
  it.each<[string, (x: Tensor) => Tensor, number[][]]>([
    [
      'cumsum along rows',
      (t) => cumsum(t, 1),
      [
        [1, 4, 6],
        [4, 3, 7],
      ],
    ],
    [
      'cumsum along columns',
      (t) => cumsum(t, 0),
      [
        [1, 3, 2],
        [5, 2, 6],
      ],
    ],
    [
      'cumsum from the end',
      (t) => cumsum(t, -1, { reverse: true }),
      [
        [6, 5, 2],
        [7, 3, 4],
      ],
    ],
    [
      'cumprod',
      (t) => cumprod(t, 1),
      [
        [1, 3, 6],
        [4, -4, -16],
      ],
    ],
    [
      'cumprod of those before',
      (t) => cumprod(t, 1, { exclusive: true }),
      [
        [1, 1, 3],
        [1, 4, -4],
      ],
    ],
    [
      'cumprod of those behind',
      (t) => cumprod(t, 1, { exclusive: true, reverse: true }),
      [
        [6, 2, 1],
        [-4, 4, 1],
      ],
    ],
    [
      'cummax',
      (t) => cummax(t, 1)[0] as Tensor,
      [
        [1, 3, 3],
        [4, 4, 4],
      ],
    ],
    [
      'places of cummax, the last of equals',
      (t) => cummax(t, 1)[1] as Tensor,
      [
        [0, 1, 1],
        [0, 0, 2],
      ],
    ],
    [
      'cummin',
      (t) => cummin(t, 1)[0] as Tensor,
      [
        [1, 1, 1],
        [4, -1, -1],
      ],
    ],
    [
      'places of cummin',
      (t) => cummin(t, 1)[1] as Tensor,
      [
        [0, 0, 0],
        [0, 1, 1],
      ],
    ],
  ])('%s', async (_, op, wanted) => {
    expect(await op(x()).toArray()).toEqual(wanted);
  });

  it.each([0, 1])('logcumsumexp along dim %i adds up exponentials', async (dim) => {
    const rows = (await cumsum(
      tensor(((await x().toArray()) as number[][]).map((row) => row.map(Math.exp))),
      dim,
    ).toArray()) as number[][];
    expect(await logcumsumexp(x(), dim).toArray()).toEqual(
      near(
        rows.map((row) => row.map(Math.log)),
        1e-6,
      ),
    );
  });

  it('logcumsumexp holds a small start beside a large end', async () => {
    expect(await logcumsumexp(tensor([-500, 0, 500]), 0).toArray()).toEqual([-500, 0, 500]);
    expect(await logcumsumexp(tensor([-inf, -inf, 1]), 0).toArray()).toEqual([-inf, -inf, 1]);
  });

  it('hands NaN on, to all that follow', async () => {
    const t = tensor([1, nan, 2]);
    expect(await cumsum(t, 0).toArray()).toEqual([1, nan, nan]);
    expect(await (cummax(t, 0)[0] as Tensor).toArray()).toEqual([1, nan, nan]);
  });

  it('takes a scalar as a row of one, and a row of none', async () => {
    expect(await cumsum(tensor(3), 0).item()).toBe(3);
    expect(await cumprod(tensor(3), 0, { exclusive: true }).item()).toBe(1);
    expect(await logcumsumexp(tensor(3), 0).item()).toBe(3);
    expect(await cumsum(tensor([], { shape: [2, 0] }), 1).toArray()).toEqual([[], []]);
  });

  it('adds up bools in int32, and carries unknown sizes through', async () => {
    expect(await cumsum(tensor([true, true, false]), 0).toArray()).toEqual([1, 2, 2]);
    expect(cumsum(meta([null, 2], 'uint8'), 0)).toMatchObject({ shape: [null, 2], dtype: 'int32' });
    expect(() => cumsum(x(), 2)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: cumsum: dim 2 is out of range for shape [2,3]; use -2 to 1]`,
    );
  });
});
