import { beforeAll, describe, expect, it } from 'vitest';
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  maxUnpool1d,
  maxUnpool2d,
  maxUnpool3d,
  meta,
  setBackend,
  type Tensor,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { counting, expectNear, type Plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

/** The places of bin p. */
function bin(p: readonly number[], from: readonly number[], to: readonly number[]): number[][] {
  const places: number[][] = [];
  table(from, (...place) => {
    const within = place.every((h, i) => {
      const [size, bins, b] = [from[i] as number, to[i] as number, p[i] as number];
      return h >= Math.floor((b * size) / bins) && h < Math.ceil(((b + 1) * size) / bins);
    });
    if (within) places.push(place);
    return 0;
  });
  return places;
}
const cases: [string, number, readonly number[], readonly number[]][] = [
  ['equal bins', 2, [2, 3, 6, 4], [3, 2]],
  ['bins that overlap', 2, [1, 2, 7, 5], [3, 4]],
  ['more bins than elements', 2, [1, 2, 3, 2], [5, 7]],
  ['one bin', 2, [2, 2, 5, 3], [1, 1]],
  ['one axis', 1, [2, 2, 7], [3]],
  ['three axes', 3, [1, 1, 4, 3, 5], [2, 3, 2]],
];
const byRank = <T>(all: readonly T[], rank: number) => all[rank - 1] as T;

describe('adaptive pooling', () => {
  it.each(cases)('averages %s', async (_, rank, from, size) => {
    const x = scattered(from);
    const wanted = table([...from.slice(0, 2), ...size], (n, c, ...p) => {
      const places = bin(p, from.slice(2), size);
      return places.reduce((sum, place) => sum + x.at(n as number, c as number, ...place), 0) / places.length;
    });
    await expectNear(byRank([adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d], rank)(x.tensor, size), wanted);
  });

  it.each(cases)('finds the largest of %s, and its place', async (_, rank, from, size) => {
    const x: Plain = scattered(from);
    const spatial = from.slice(2);
    const flat = (place: readonly number[]) => place.reduce((sum, i, axis) => sum * (spatial[axis] as number) + i, 0);
    const best = (n: number, c: number, p: readonly number[]) => {
      const places = bin(p, spatial, size);
      const values = places.map((place) => x.at(n, c, ...place));
      const most = Math.max(...values);
      return { most, flat: flat(places[values.indexOf(most)] as number[]) };
    };
    const shape = [...from.slice(0, 2), ...size];
    const pool = byRank([adaptiveMaxPool1d, adaptiveMaxPool2d, adaptiveMaxPool3d], rank);
    const [values, places] = pool(x.tensor, size, { returnIndices: true });
    await expectNear(
      values,
      table(shape, (n, c, ...p) => best(n as number, c as number, p).most),
    );
    await expectNear(
      places,
      table(shape, (n, c, ...p) => best(n as number, c as number, p).flat),
    );
  });

  it('keeps a size that is null', () => {
    expect(adaptiveAvgPool2d(meta([2, 3, 7, 9]), [null, 3]).shape).toEqual([2, 3, 7, 3]);
  });
  it('knows its shape where the input has unknown sizes', () => {
    expect(adaptiveAvgPool2d(meta([null, 512, null, null]), 1).shape).toEqual([null, 512, 1, 1]);
    expect(adaptiveMaxPool2d(meta([null, 512, null, 7]), [2, null]).shape).toEqual([null, 512, 2, 7]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'the rank',
      () => adaptiveAvgPool2d(meta([8, 8]), 2),
      'ShapeError: adaptiveAvgPool2d: input [8,8]; wants [N,C,H,W] or [C,H,W]',
    ],
    [
      'the sizes',
      () => adaptiveAvgPool2d(meta([1, 1, 8, 8]), [2, 0]),
      'ArgumentError: adaptiveAvgPool2d: outputSize [2,0]; wants 2 whole numbers from 1, or null to keep a size',
    ],
    [
      'the number of sizes',
      () => adaptiveMaxPool1d(meta([1, 8, 8]), [2, 2]),
      'ArgumentError: adaptiveMaxPool1d: outputSize [2,2]; wants 1 whole numbers from 1, or null to keep a size',
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});

describe('maxUnpool1d and 3d', () => {
  it('put each maximum back where it was', async () => {
    const row = tensor([[3, 1, 2, 5, 4, 0]]);
    const [y, places] = maxPool1d(row, 2, { returnIndices: true });
    expect(await maxUnpool1d(y, places, 2).toArray()).toEqual([[3, 0, 0, 5, 4, 0]]);
    const cube = tensor(Float32Array.from([1, 2, 3, 4, 8, 7, 6, 5]), { shape: [1, 2, 2, 2] });
    const [top, at] = maxPool3d(cube, 2, { returnIndices: true });
    expect([...(await maxUnpool3d(top, at, 2).data())]).toEqual([0, 0, 0, 0, 8, 0, 0, 0]);
  });
  it('carry unknown sizes through', () =>
    expect(maxUnpool3d(meta([null, 2, 3, null, 2]), meta([null, 2, 3, null, 2], 'int32'), 2).shape).toEqual([
      null,
      2,
      6,
      null,
      4,
    ]));
});

describe('maxUnpool2d', () => {
  it('puts each maximum back where it was', async () => {
    const [y, places] = maxPool2d(counting([1, 4, 4]).tensor, 2, { returnIndices: true });
    const wanted = [
      [
        [0, 0, 0, 0],
        [0, 5, 0, 7],
        [0, 0, 0, 0],
        [0, 13, 0, 15],
      ],
    ];
    expect(await maxUnpool2d(y, places, 2).toArray()).toEqual(wanted);
  });
  it('makes the size it is told', async () => {
    const [y, places] = maxPool2d(counting([1, 3, 3]).tensor, 2, { returnIndices: true });
    const back: Tensor = maxUnpool2d(y, places, 2, { outputSize: [3, 3] });
    expect(await back.toArray()).toEqual([
      [
        [0, 0, 0],
        [0, 4, 0],
        [0, 0, 0],
      ],
    ]);
  });
  it('lets the last of two values for one place count', async () => {
    const places = tensor(Int32Array.of(0, 0), { shape: [1, 1, 2] });
    expect(await maxUnpool2d(tensor([[[1, 2]]]), places, 1).toArray()).toEqual([[[2, 0]]]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'indices of another shape',
      () => maxUnpool2d(meta([1, 2, 2]), meta([1, 2, 3], 'int32'), 2),
      "ShapeError: maxUnpool2d: x [1,2,2] and indices [1,2,3] differ; pass maxPool2d's",
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
