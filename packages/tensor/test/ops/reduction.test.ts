import { beforeAll, describe, expect, it } from 'vitest';
import {
  all,
  amax,
  amin,
  any,
  argmax,
  argmin,
  type Dims,
  logsumexp,
  maxWithIndices,
  mean,
  meta,
  minWithIndices,
  norm,
  permute,
  prod,
  type ReduceOptions,
  setBackend,
  std,
  sum,
  type Tensor,
  tensor,
  variance,
} from '../../src';
import { programsOf } from '../../src/inspect';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
const data = [1, -2, 3, 4, 0.5, -6, 7, 8, 9, 2, -1, 5];
const x = () => tensor(data, { shape: [2, 3, 2] });
type Reduce = (x: Tensor, dim?: Dims, options?: ReduceOptions) => Tensor;

/** f of each row: the elements of x that share the coordinates of the axes not reduced, in row-major order. */
const rowsOf = (axes: readonly number[], f: (row: number[]) => number): number[] => {
  const rows = new Map<string, number[]>();
  data.forEach((value, i) => {
    const at = [Math.floor(i / 6), Math.floor(i / 2) % 3, i % 2];
    const key = String(at.map((coordinate, axis) => (axes.includes(axis) ? 0 : coordinate)));
    rows.set(key, [...(rows.get(key) ?? []), value]);
  });
  return [...rows.values()].map(f);
};
const total = (row: number[]) => row.reduce((a, b) => a + b, 0);
const average = (row: number[]) => total(row) / row.length;
const squares = (row: number[]) => total(row.map((value) => (value - average(row)) ** 2));

describe('reductions', () => {
  describe.each<[string, Reduce, (row: number[]) => number]>([
    ['sum', sum, total],
    ['prod', prod, (row) => row.reduce((a, b) => a * b, 1)],
    ['mean', mean, average],
    ['amax', amax, (row) => Math.max(...row)],
    ['amin', amin, (row) => Math.min(...row)],
    ['variance', variance, (row) => squares(row) / (row.length - 1)],
    [
      'variance of a population',
      (t, dim, options) => variance(t, dim, { correction: 0, ...options }),
      (row) => squares(row) / row.length,
    ],
    ['std', std, (row) => Math.sqrt(squares(row) / (row.length - 1))],
    ['logsumexp', logsumexp, (row) => Math.log(total(row.map(Math.exp)))],
    ['norm', (t, dim, options) => norm(t, 2, dim, options), (row) => Math.hypot(...row)],
    ['1-norm', (t, dim, options) => norm(t, 1, dim, options), (row) => total(row.map(Math.abs))],
    [
      '3-norm',
      (t, dim, options) => norm(t, 3, dim, options),
      (row) => total(row.map((v) => Math.abs(v) ** 3)) ** (1 / 3),
    ],
    ['∞-norm', (t, dim, options) => norm(t, inf, dim, options), (row) => Math.max(...row.map(Math.abs))],
    ['−∞-norm', (t, dim, options) => norm(t, -inf, dim, options), (row) => Math.min(...row.map(Math.abs))],
    ['0-norm', (t, dim, options) => norm(t, 0, dim, options), (row) => row.filter((v) => v !== 0).length],
  ])('%s', (_, op, wanted) => {
    it.each<[Dims, readonly number[]]>([
      [1, [1]],
      [-1, [2]],
      [
        [0, 2],
        [0, 2],
      ],
      [
        [-1, 0],
        [0, 2],
      ],
      [undefined, [0, 1, 2]],
      [[], [0, 1, 2]],
    ])('reduces dim %j', async (dim, axes) => {
      const y = op(x(), dim);
      expect(y.shape).toEqual([2, 3, 2].filter((_, axis) => !axes.includes(axis)));
      expect([...(await y.data())]).toEqual(near(rowsOf(axes, wanted)));
      const kept = op(x(), dim, { keepdim: true });
      expect(kept.shape).toEqual([2, 3, 2].map((size, axis) => (axes.includes(axis) ? 1 : size)));
      expect([...(await kept.data())]).toEqual([...(await y.data())]);
    });

    it('carries unknown sizes through', () => {
      expect(op(meta([null, 3, null]), 1).shape).toEqual([null, null]);
      expect(op(meta([null, 3, null]), 2, { keepdim: true }).shape).toEqual([null, 3, 1]);
    });
  });

  it('takes a scalar as a row of one', async () => {
    const two = tensor(-2);
    const rows = [sum, prod, mean, amax, amin, logsumexp, norm].map((op) => op(two).item());
    expect(await Promise.all(rows)).toEqual([-2, -2, -2, -2, -2, -2, 2]);
    expect(await argmax(two).item()).toBe(0);
    expect(await sum(two, 0).item()).toBe(-2);
  });

  it('follows PyTorch where a row is empty', async () => {
    const empty = tensor([], { shape: [2, 0] });
    expect(await sum(empty, 1).toArray()).toEqual([0, 0]);
    expect(await prod(empty, 1).toArray()).toEqual([1, 1]);
    expect(await mean(empty, 1).toArray()).toEqual([nan, nan]);
    expect(await variance(empty, 1).toArray()).toEqual([nan, nan]);
    expect(await logsumexp(empty, 1).toArray()).toEqual([-inf, -inf]);
    expect(await any(empty, 1).toArray()).toEqual([false, false]);
    expect(await all(empty, 1).toArray()).toEqual([true, true]);
    expect(await sum(empty, 0).toArray()).toEqual([]);
    expect(amax(empty, 0).shape).toEqual([0]);
    expect(() => amax(empty, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: amax: dim [1] of [2,0] has no elements; wants at least one]`,
    );
    expect(() => argmin(empty)).toThrow('argmin: dim [0,1] of [2,0] has no elements');
  });

  it('divides by the count less the correction, at least by 0', async () => {
    expect(await variance(tensor([3])).item()).toBeNaN();
    expect(await variance(tensor([1, 3]), 0, { correction: 2 }).item()).toBe(inf);
    const far = tensor([1e8, 1e8 + 8, 1e8 + 16]);
    expect(await variance(far).item()).toBe(64);
  });

  it('keeps the logarithm of sums finite', async () => {
    expect(await logsumexp(tensor([1000, 1000])).item()).toBeCloseTo(1000 + Math.LN2, 9);
    expect(await logsumexp(tensor([-inf, -inf])).item()).toBe(-inf);
    expect(await logsumexp(tensor([inf, 1])).item()).toBe(inf);
  });

  it('hands NaN on', async () => {
    const t = tensor([1, nan, 3]);
    for (const op of [sum, prod, mean, amax, amin, variance, logsumexp, norm]) expect(await op(t).item()).toBeNaN();
  });

  it('adds up bools and bytes in int32, and wants floats for means', async () => {
    expect(await sum(tensor([true, true, false])).item()).toBe(2);
    expect(sum(meta([3], 'uint8')).dtype).toBe('int32');
    expect(prod(meta([3], 'bool')).dtype).toBe('int32');
    expect(sum(meta([3], 'float16')).dtype).toBe('float16');
    expect(amax(meta([3], 'uint8')).dtype).toBe('uint8');
    expect(await amax(tensor([true, false])).item()).toBe(1);
    expect(await sum(tensor(new Int32Array([2 ** 24, 1]))).item()).toBe(2 ** 24 + 1);
    expect(() => mean(meta([3], 'int32'))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: mean: the input is int32, wants float32 or float16; convert it with cast(x, 'float32')]`,
    );
    expect(() => std(meta([3], 'bool'))).toThrow('std: the input is bool');
  });

  it('reads a view as it lies', async () => {
    expect(await sum(permute(x(), [2, 0, 1]), 1).toArray()).toEqual([
      [8, 12, -0.5 + 0],
      [6, 6, -1],
    ]);
  });

  it('names the axis that is out of range, or named twice', () => {
    expect(() => sum(x(), 3)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: sum: dim 3 is out of range for shape [2,3,2]; use -3 to 2]`,
    );
    expect(() => sum(x(), [0, -3])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: sum: dim [0,-3] names an axis of [2,3,2] twice; name each once]`,
    );
  });

  it('is one kernel, two passes for a variance', () => {
    const [{ program }] = programsOf([variance(x(), 1)]) as [ReturnType<typeof programsOf>[number]];
    expect(program.steps.map(({ kernel }) => kernel.kind === 'reduce' && kernel.stages.length)).toEqual([2]);
  });
});

describe('places of extremes', () => {
  const t = () =>
    tensor([
      [1, 5, 5],
      [nan, 2, nan],
    ]);

  it('are the first of equals, NaN before all', async () => {
    expect(await argmax(t(), 1).toArray()).toEqual([1, 0]);
    expect(await argmin(t(), 1).toArray()).toEqual([0, 0]);
    expect(await argmax(t()).item()).toBe(3);
    expect(await argmax(tensor([2, 9, 9, 1])).item()).toBe(1);
    expect(
      await argmin(
        tensor([
          [2, 9],
          [1, 1],
        ]),
      ).item(),
    ).toBe(2);
    expect(argmax(t(), 1, { keepdim: true }).shape).toEqual([2, 1]);
    expect(argmax(t(), 1).dtype).toBe('int32');
    expect(() => argmax(x(), [0, 1])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: argmax: dim [0,1] of [2,3,2]; wants one axis, or none for the flat place]`,
    );
  });

  it('come with the values', async () => {
    const [values, indices] = maxWithIndices(t(), 1) as [Tensor, Tensor];
    expect(await values.toArray()).toEqual([5, nan]);
    expect(await indices.toArray()).toEqual([1, 0]);
    const [least, where] = minWithIndices(tensor(new Int32Array([3, 1, 1])), 0, { keepdim: true }) as [Tensor, Tensor];
    expect([await least.toArray(), await where.toArray(), least.dtype]).toEqual([[1], [1], 'int32']);
  });
});

describe('any and all', () => {
  it('take anything but 0 as true', async () => {
    const t = tensor([
      [0, 0.5],
      [0, 0],
      [nan, 1],
    ]);
    expect(await any(t, 1).toArray()).toEqual([true, false, true]);
    expect(await all(t, 1).toArray()).toEqual([false, false, true]);
    expect(await any(t).toArray()).toBe(true);
  });
});
