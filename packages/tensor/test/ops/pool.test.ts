import { beforeAll, describe, expect, it } from 'vitest';
import {
  type AvgPoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  meta,
  type Shape,
  setBackend,
  type Tensor,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

interface Sizes {
  readonly kernel: readonly number[];
  readonly stride?: readonly number[];
  readonly padding?: readonly number[];
  readonly dilation?: readonly number[];
}
/** The places of the window at p; those outside of the input are padding. */
function windowAt(
  p: readonly number[],
  { kernel, stride = kernel, padding = [0, 0, 0], dilation = [1, 1, 1] }: Sizes,
): number[][] {
  const places: number[][] = [];
  table(kernel, (...r) => {
    places.push(
      r.map(
        (tap, i) => (p[i] as number) * (stride[i] as number) + tap * (dilation[i] as number) - (padding[i] as number),
      ),
    );
    return 0;
  });
  return places;
}
const inside = (place: readonly number[], size: readonly number[], margin: readonly number[] = [0, 0, 0]) =>
  place.every((i, axis) => i >= -(margin[axis] as number) && i < (size[axis] as number) + (margin[axis] as number));

function largest(x: Plain, shape: readonly number[], sizes: Sizes): { values: Plain; places: Plain } {
  const spatial = x.shape.slice(2);
  const best = (n: number, c: number, p: readonly number[]) => {
    const found = windowAt(p, sizes).filter((place) => inside(place, spatial));
    const values = found.map((place) => x.at(n, c, ...place));
    const most = Math.max(...values);
    const first = found[values.indexOf(most)] as number[];
    return { most, flat: first.reduce((sum, i, axis) => sum * (spatial[axis] as number) + i, 0) };
  };
  return {
    values: table(shape, (n, c, ...p) => best(n as number, c as number, p).most),
    places: table(shape, (n, c, ...p) => best(n as number, c as number, p).flat),
  };
}

describe('max pooling', () => {
  type Pool = (
    x: Tensor,
    size: readonly number[],
    options: MaxPoolOptions & { returnIndices: true },
  ) => [Tensor, Tensor];
  it.each<[string, Pool, readonly number[], readonly number[], MaxPoolOptions, Sizes]>([
    ['1d', maxPool1d, [2, 3, 7], [2, 3, 3], {}, { kernel: [2] }],
    [
      '2d, windows that overlap',
      maxPool2d,
      [1, 2, 6, 5],
      [1, 2, 4, 4],
      { stride: 1 },
      { kernel: [3, 2], stride: [1, 1] },
    ],
    [
      '2d with padding',
      maxPool2d,
      [2, 1, 5, 5],
      [2, 1, 3, 3],
      { stride: 2, padding: 1 },
      { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    ],
    [
      '2d with dilation',
      maxPool2d,
      [1, 1, 7, 7],
      [1, 1, 3, 2],
      { stride: [1, 2], dilation: [2, 3] },
      { kernel: [3, 2], stride: [1, 2], dilation: [2, 3] },
    ],
    [
      '2d, a last window that hangs over',
      maxPool2d,
      [1, 1, 6, 6],
      [1, 1, 3, 3],
      { stride: 2, ceilMode: true },
      { kernel: [3, 3], stride: [2, 2] },
    ],
    ['3d', maxPool3d, [1, 2, 4, 4, 3], [1, 2, 2, 2, 1], {}, { kernel: [2, 2, 3] }],
  ])('%s gives the largest of each window and its place', async (_, pool, from, to, options, sizes) => {
    const x = scattered(from);
    const [values, places] = pool(x.tensor, sizes.kernel, { ...options, returnIndices: true });
    const wanted = largest(x, to, sizes);
    await expectNear(values, wanted.values);
    await expectNear(places, wanted.places);
  });

  it('takes the first of equals, and NaN before all', async () => {
    const [values, places] = maxPool1d(tensor([[1, 1, 2, Number.NaN, 5, 5]]), 2, { returnIndices: true });
    expect([await values.toArray(), await places.toArray()]).toEqual([[[1, Number.NaN, 5]], [[0, 3, 4]]]);
  });
  it('never takes padding, not even among negative numbers', async () => {
    expect(await maxPool1d(tensor([[-5, -6]]), 2, { padding: 1 }).toArray()).toEqual([[-5, -6]]);
  });
  it('pools integers', async () => {
    const y = maxPool1d(tensor(Int32Array.of(3, -1, -7, -2), { shape: [1, 4] }), 2);
    expect([y.dtype, await y.toArray()]).toEqual(['int32', [[3, -2]]]);
  });
  it.each<[Shape, number, MaxPoolOptions, Shape]>([
    [[null, 64, 112, 112], 3, { stride: 2, padding: 1 }, [null, 64, 56, 56]],
    [[2, 3, null, 7], 2, {}, [2, 3, null, 3]],
    [[2, 3, 7, 7], 2, { ceilMode: true }, [2, 3, 4, 4]],
    // the last window would start in the padding behind
    [[2, 3, 5, 5], 2, { padding: 1, ceilMode: true }, [2, 3, 3, 3]],
    [[3, 7, 7], 2, {}, [3, 3, 3]],
  ])('of shape %j by %j with %j has shape %j', (x, size, options, y) =>
    expect((maxPool2d as (x: Tensor, k: number, o: MaxPoolOptions) => Tensor)(meta(x), size, options).shape).toEqual(y),
  );
});

describe('average pooling', () => {
  type Pool = (x: Tensor, size: readonly number[], options: AvgPoolOptions) => Tensor;
  const cases: [string, Pool, readonly number[], readonly number[], AvgPoolOptions, Sizes][] = [
    ['1d', avgPool1d, [2, 3, 7], [2, 3, 3], {}, { kernel: [2] }],
    ['2d', avgPool2d, [1, 2, 6, 5], [1, 2, 4, 4], { stride: 1 }, { kernel: [3, 2], stride: [1, 1] }],
    [
      '2d with padding',
      avgPool2d,
      [2, 1, 5, 5],
      [2, 1, 3, 3],
      { stride: 2, padding: 1 },
      { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    ],
    [
      '2d, a last window that hangs over',
      avgPool2d,
      [1, 1, 6, 7],
      [1, 1, 4, 4],
      { stride: 2, padding: 1, ceilMode: true },
      { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
    ],
    ['3d', avgPool3d, [1, 2, 4, 4, 3], [1, 2, 2, 2, 1], {}, { kernel: [2, 2, 3] }],
  ];
  const sum = (x: Plain, n: number, c: number, places: readonly number[][]) =>
    places.reduce((total, place) => total + x.at(n, c, ...place), 0);

  it.each(cases)(
    '%s divides by the window, padding included, but not what lies beyond',
    async (_, pool, from, to, options, sizes) => {
      const x = scattered(from);
      const wanted = table(to, (n, c, ...p) => {
        const places = windowAt(p, sizes);
        const counted = places.filter((place) => inside(place, from.slice(2), sizes.padding));
        return sum(x, n as number, c as number, places) / counted.length;
      });
      await expectNear(pool(x.tensor, sizes.kernel, options), wanted);
    },
  );
  it.each(cases)(
    '%s divides by real elements with countIncludePad: false',
    async (_, pool, from, to, options, sizes) => {
      const x = scattered(from);
      const wanted = table(to, (n, c, ...p) => {
        const places = windowAt(p, sizes);
        return sum(x, n as number, c as number, places) / places.filter((place) => inside(place, from.slice(2))).length;
      });
      await expectNear(pool(x.tensor, sizes.kernel, { ...options, countIncludePad: false }), wanted);
    },
  );
  it('divides by divisorOverride', async () => {
    expect(await avgPool1d(tensor([[1, 2, 3, 4]]), 2, { divisorOverride: 10 }).toArray()).toEqual(
      [[0.3, 0.7]].map((r) => r.map((v) => expect.closeTo(v, 12))),
    );
  });
});

describe('pools that do not fit', () => {
  it.each<[string, () => unknown, string]>([
    [
      'the window',
      () => maxPool2d(meta([1, 1, 2, 5]), 3),
      'ShapeError: maxPool2d: windows [3,3] do not fit input [1,1,2,5] with padding [0,0]; enlarge the input or lower the window',
    ],
    [
      'padding past half a window',
      () => maxPool2d(meta([1, 1, 8, 8]), 3, { padding: 2 }),
      'ArgumentError: maxPool2d: padding 2 for windows of 3; wants at most half a window',
    ],
    ['the rank', () => avgPool2d(meta([8, 8]), 2), 'ShapeError: avgPool2d: input [8,8]; wants [N,C,H,W] or [C,H,W]'],
    [
      'the window of one axis only',
      () => avgPool2d(meta([1, 8, 8]), [2]),
      'ArgumentError: avgPool2d: kernelSize [2]; wants a whole number from 1, or 2 of them',
    ],
    [
      'a divisor of 0',
      () => avgPool2d(meta([1, 8, 8]), 2, { divisorOverride: 0 }),
      'ArgumentError: avgPool2d: divisorOverride 0; wants another number, or none',
    ],
    [
      'integers',
      () => avgPool2d(meta([1, 8, 8], 'int32'), 2),
      "DTypeError: avgPool2d: input is int32, wants float32 or float16; convert it with cast(x, 'float32')",
    ],
  ])('%s', (_, f, error) => expect(thrown(f)).toBe(error));
});
