import { beforeAll, describe, expect, it } from 'vitest';
import { affineGrid, type GridSampleOptions, gridSample, meta, setBackend, tensor } from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

type Options = Required<GridSampleOptions>;
const clip = (at: number, size: number) => Math.min(Math.max(at, 0), size - 1);
/** A place outside brought in, by walking back and forth between the edges. */
function padded(at: number, size: number, { paddingMode, alignCorners }: Options): number {
  if (paddingMode === 'zeros') return at;
  if (paddingMode === 'border') return clip(at, size);
  const [lo, hi] = alignCorners ? [0, size - 1] : [-0.5, size - 0.5];
  if (lo === hi) return 0;
  let place = at;
  while (place < lo || place > hi) place = place < lo ? 2 * lo - place : 2 * hi - place;
  return clip(place, size);
}
const keys = (d: number) => {
  const x = Math.abs(d);
  if (x <= 1) return 1.25 * x ** 3 - 2.25 * x ** 2 + 1;
  return x < 2 ? -0.75 * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
};
/** The pixels of one axis around a grid's number, each with its share. */
function taps(number: number, size: number, options: Options): [place: number, share: number][] {
  const raw = options.alignCorners ? ((number + 1) / 2) * (size - 1) : ((number + 1) * size - 1) / 2;
  if (options.mode === 'bicubic') {
    const first = Math.floor(raw);
    return [-1, 0, 1, 2].map((k) => [Math.trunc(padded(first + k, size, options)), keys(raw - first - k)]);
  }
  const at = padded(raw, size, options);
  // to the nearest, halves to even
  if (options.mode === 'nearest')
    return [[at % 1 === 0.5 || at % 1 === -0.5 ? 2 * Math.round(at / 2) : Math.round(at), 1]];
  return [
    [Math.floor(at), 1 - (at - Math.floor(at))],
    [Math.floor(at) + 1, at - Math.floor(at)],
  ];
}
function sampled(x: Plain, grid: Plain, options: Options): Plain {
  const spatial = x.shape.slice(2);
  const [n, ...places] = grid.shape.slice(0, -1) as [number, ...number[]];
  return table([n, x.shape[1] as number, ...places], (i, c, ...p) => {
    const along = spatial.map((size, axis) =>
      taps(grid.at(i as number, ...p, spatial.length - 1 - axis), size, options),
    );
    const level = (axis: number, at: number[]): number =>
      axis === spatial.length
        ? x.at(i as number, c as number, ...at)
        : (along[axis] as [number, number][]).reduce(
            (sum, [place, share]) => sum + share * level(axis + 1, [...at, place]),
            0,
          );
    return level(0, []);
  });
}

const all: Options[] = (['bilinear', 'nearest', 'bicubic'] as const).flatMap((mode) =>
  (['zeros', 'border', 'reflection'] as const).flatMap((paddingMode) =>
    [true, false].map((alignCorners) => ({ mode, paddingMode, alignCorners })),
  ),
);

describe('gridSample', () => {
  it.each(all)('weighs the pixels around each place: %j', async (options) => {
    const [x, grid] = [scattered([2, 2, 4, 5]), scattered([2, 3, 6, 2], 1)];
    await expectNear(gridSample(x.tensor, grid.tensor, options), sampled(x, grid, options));
  });
  it.each(all.filter(({ mode }) => mode !== 'bicubic'))('samples three axes: %j', async (options) => {
    const [x, grid] = [scattered([1, 2, 3, 4, 2]), scattered([1, 2, 3, 2, 3], 1)];
    await expectNear(gridSample(x.tensor, grid.tensor, options), sampled(x, grid, options));
  });
  it('takes x before y', async () => {
    const corners = tensor([
      [
        [
          [-1, -1],
          [1, -1],
          [-1, 1],
        ],
      ],
    ]);
    const y = gridSample(
      tensor([
        [
          [
            [1, 2],
            [3, 4],
          ],
        ],
      ]),
      corners,
      { alignCorners: true },
    );
    expect(await y.toArray()).toEqual([[[[1, 2, 3]]]]);
  });
  it('gives 0 for places that are no numbers, the first pixel with another padding', async () => {
    const nowhere = tensor([
      [
        [
          [Number.NaN, 0],
          [Number.POSITIVE_INFINITY, 0],
        ],
      ],
    ]);
    const x = tensor([[[[7, 8]]]]);
    expect(await gridSample(x, nowhere).toArray()).toEqual([[[[0, 0]]]]);
    expect(await gridSample(x, nowhere, { paddingMode: 'border' }).toArray()).toEqual([[[[7, 8]]]]);
  });
  it('carries unknown sizes', () => {
    expect(gridSample(meta([null, 3, null, 8]), meta([null, 5, null, 2])).shape).toEqual([null, 3, 5, null]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'a grid of another rank',
      () => gridSample(meta([1, 1, 4, 4]), meta([1, 3, 2])),
      'ShapeError: gridSample: input [1,1,4,4] and grid [1,3,2]; wants [N,C,H,W] and [N,P,Q,2], or three axes and 3',
    ],
    [
      'a grid of other coordinates',
      () => gridSample(meta([1, 1, 4, 4]), meta([1, 3, 3, 3])),
      'ShapeError: gridSample: input [1,1,4,4] and grid [1,3,3,3]; wants [N,C,H,W] and [N,P,Q,2], or three axes and 3',
    ],
    [
      'another batch',
      () => gridSample(meta([2, 1, 4, 4]), meta([1, 3, 3, 2])),
      'ShapeError: gridSample: 2 images and 1 grids; expand one to the other',
    ],
    [
      'cubes, bicubic',
      () => gridSample(meta([1, 1, 4, 4, 4]), meta([1, 3, 3, 3, 3]), { mode: 'bicubic' }),
      'ArgumentError: gridSample: bicubic for input [1,1,4,4,4]; over three axes use bilinear',
    ],
    [
      'an outside that there is not',
      () => gridSample(meta([1, 1, 4, 4]), meta([1, 3, 3, 2]), { paddingMode: 'reflect' as 'reflection' }),
      "ArgumentError: gridSample: paddingMode is 'reflect', wants 'zeros' or 'border' or 'reflection'",
    ],
    [
      'a mode that there is not',
      () => gridSample(meta([1, 1, 4, 4]), meta([1, 3, 3, 2]), { mode: 'linear' as 'bilinear' }),
      "ArgumentError: gridSample: mode is 'linear', wants 'bilinear' or 'nearest' or 'bicubic'",
    ],
    [
      'integers',
      () => gridSample(meta([1, 1, 4, 4], 'uint8'), meta([1, 3, 3, 2])),
      "DTypeError: gridSample: input is uint8, wants float32 or float16; convert it with cast(x, 'float32')",
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});

describe('affineGrid', () => {
  const identity = tensor([
    [
      [1, 0, 0],
      [0, 1, 0],
    ],
  ]);
  it('of the identity samples a picture as it is', async () => {
    for (const alignCorners of [true, false]) {
      const x = scattered([1, 2, 3, 4]);
      const grid = affineGrid(identity, [1, 2, 3, 4], { alignCorners });
      await expectNear(gridSample(x.tensor, grid, { alignCorners }), x, 1e-6);
    }
  });
  it('maps each place by the matrix', async () => {
    const theta = scattered([2, 2, 3]);
    const wanted = table([2, 3, 4, 2], (n, i, j, axis) => {
      const place = [(2 * (j as number) + 1) / 4 - 1, (2 * (i as number) + 1) / 3 - 1, 1];
      return place.reduce((sum, at, k) => sum + at * theta.at(n as number, axis as number, k), 0);
    });
    await expectNear(affineGrid(theta.tensor, [2, 1, 3, 4]), wanted, 1e-6);
  });
  it('maps places of three axes', async () => {
    const shift = plain([1, 3, 4], [1, 0, 0, 10, 0, 1, 0, 20, 0, 0, 1, 30]);
    const wanted = plain([1, 1, 1, 2, 3], [9, 20, 30, 11, 20, 30]);
    await expectNear(affineGrid(shift.tensor, [1, 1, 1, 1, 2], { alignCorners: true }), wanted);
  });
  it('refuses a matrix of another size', () =>
    expect(thrown(() => affineGrid(meta([1, 2, 2]), [1, 1, 4, 4]))).toBe(
      'ShapeError: affineGrid: theta [1,2,2] for size [1,1,4,4]; wants [N,2,3] and [N,C,H,W] or [N,C,D,H,W]',
    ));
});
