import { beforeAll, describe, expect, it } from 'vitest';
import { type InterpolateOptions, interpolate, meta, type Shape, setBackend, tensor } from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

/** One axis resized by a rule: o → shares of places. Places outside are those at the edge. */
type Rule = (o: number, from: number, to: number) => readonly (readonly [place: number, share: number])[];
function resized(x: Plain, sizes: readonly number[], rule: Rule): Plain {
  return sizes.reduce((from, to, i) => {
    const axis = i + 2;
    const size = from.shape[axis] as number;
    return table(
      from.shape.map((own, a) => (a === axis ? to : own)),
      (...place) =>
        rule(place[axis] as number, size, to).reduce((sum, [at, share]) => {
          const inside = Math.min(Math.max(at, 0), size - 1);
          return sum + share * from.at(...place.map((own, a) => (a === axis ? inside : own)));
        }, 0),
    );
  }, x);
}
const centre = (o: number, from: number, to: number) => ((o + 0.5) * from) / to - 0.5;
const corner = (o: number, from: number, to: number) => (to > 1 ? (o * (from - 1)) / (to - 1) : 0);
const linear = (at: number) =>
  [
    [Math.floor(at), 1 - (at - Math.floor(at))],
    [Math.floor(at) + 1, at - Math.floor(at)],
  ] as const;
/** Keys' cubic through four neighbours. */
const keys = (d: number, a: number) => {
  const x = Math.abs(d);
  if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
  return x < 2 ? a * (x ** 3 - 5 * x ** 2 + 8 * x - 4) : 0;
};
const cubic = (at: number) =>
  [-1, 0, 1, 2].map((k) => [Math.floor(at) + k, keys(at - Math.floor(at) - k, -0.75)] as const);
/** All inputs under a widened filter, shares summing to 1. */
const covering =
  (filter: (d: number) => number, support: number): Rule =>
  (o, from, to) => {
    const wide = Math.max(1, from / to);
    const at = (o + 0.5) * (from / to);
    const first = Math.max(0, Math.trunc(at - support * wide + 0.5));
    const end = Math.min(from, Math.trunc(at + support * wide + 0.5));
    const shares = Array.from(
      { length: end - first },
      (_, i) => [first + i, filter((first + i + 0.5 - at) / wide)] as const,
    );
    const total = shares.reduce((sum, [, share]) => sum + share, 0);
    return shares.map(([place, share]) => [place, share / total] as const);
  };
const rules: Record<string, Rule> = {
  nearest: (o, from, to) => [[Math.floor((o * from) / to), 1]],
  'nearest-exact': (o, from, to) => [[Math.floor(((o + 0.5) * from) / to), 1]],
  linear: (o, from, to) => linear(Math.max(0, centre(o, from, to))),
  'linear to corners': (o, from, to) => linear(corner(o, from, to)),
  cubic: (o, from, to) => cubic(centre(o, from, to)),
  'cubic to corners': (o, from, to) => cubic(corner(o, from, to)),
  'linear, covering': covering((d) => Math.max(0, 1 - Math.abs(d)), 1),
  'cubic, covering': covering((d) => keys(d, -0.5), 2),
  area: (o, from, to) => {
    const [first, end] = [Math.floor((o * from) / to), Math.ceil(((o + 1) * from) / to)];
    return Array.from({ length: end - first }, (_, i) => [first + i, 1 / (end - first)] as const);
  },
};

describe('interpolate', () => {
  it.each<[InterpolateOptions['mode'] & string, readonly number[], readonly number[], InterpolateOptions, string]>([
    ['nearest', [2, 2, 5], [8], {}, 'nearest'],
    ['nearest', [1, 2, 5, 4], [3, 9], {}, 'nearest'],
    ['nearest-exact', [1, 2, 5, 4], [3, 9], {}, 'nearest-exact'],
    ['linear', [1, 2, 5], [8], {}, 'linear'],
    ['bilinear', [2, 2, 4, 5], [7, 3], {}, 'linear'],
    ['bilinear', [1, 1, 4, 5], [7, 1], { alignCorners: true }, 'linear to corners'],
    ['trilinear', [1, 2, 2, 3, 4], [3, 2, 6], {}, 'linear'],
    ['bicubic', [1, 2, 4, 5], [7, 3], {}, 'cubic'],
    ['bicubic', [1, 1, 4, 5], [7, 9], { alignCorners: true }, 'cubic to corners'],
    ['bilinear', [1, 2, 9, 8], [4, 3], { antialias: true }, 'linear, covering'],
    ['bilinear', [1, 1, 4, 9], [7, 2], { antialias: true }, 'linear, covering'],
    ['bicubic', [1, 1, 11, 8], [4, 9], { antialias: true }, 'cubic, covering'],
    ['bilinear', [1, 1, 60, 1], [2, 1], { antialias: true }, 'linear, covering'],
    ['area', [1, 2, 7, 5], [3, 4], {}, 'area'],
  ])('%s of %j to %j %j', async (mode, from, size, options, rule) => {
    const x = scattered(from);
    // The tables of weights are float32.
    await expectNear(interpolate(x.tensor, { mode, size, ...options }), resized(x, size, rules[rule] as Rule), 1e-6);
  });

  it.each<[InterpolateOptions, readonly number[]]>([
    [{ mode: 'bilinear' }, [1, 1.25, 1.75, 2, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3, 3.25, 3.75, 4]],
    [{ mode: 'bilinear', alignCorners: true }, [3, 4, 5, 6, 5, 6, 7, 8, 7, 8, 9, 10, 9, 10, 11, 12].map((n) => n / 3)],
    [{}, [1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]],
  ])('doubles a picture as PyTorch’s manual shows: %j', async (options, wanted) => {
    const x = tensor([
      [
        [
          [1, 2],
          [3, 4],
        ],
      ],
    ]);
    await expectNear(interpolate(x, { scaleFactor: 2, ...options }), plain([1, 1, 4, 4], wanted), 1e-6);
  });

  it('takes the factor itself for its steps, unless told to recompute it', async () => {
    const x = tensor([[[0, 1, 2, 3, 4]]]);
    // ⌊5·0.7⌋ = 3 outputs, 1/0.7 inputs apart; recomputed they are 5/3 apart
    const step = (size: number) => [0, 1, 2].map((o) => (o + 0.5) * size - 0.5);
    await expectNear(interpolate(x, { scaleFactor: 0.7, mode: 'linear' }), plain([1, 1, 3], step(1 / 0.7)), 1e-6);
    const recomputed = interpolate(x, { scaleFactor: 0.7, mode: 'linear', recomputeScaleFactor: true });
    await expectNear(recomputed, plain([1, 1, 3], step(5 / 3)), 1e-6);
  });

  it('returns the very tensor where nothing changes', () => {
    const x = meta([1, 2, 3, 4]);
    expect(interpolate(x, { size: [3, 4], mode: 'bilinear' })).toBe(x);
  });

  it.each<[Shape, InterpolateOptions, Shape]>([
    [[null, 3, 8, 8], { scaleFactor: 2, mode: 'bilinear' }, [null, 3, 16, 16]],
    [[1, 3, null, 8], { scaleFactor: 0.5 }, [1, 3, null, 4]],
    [[1, 3, null, null], { size: [5, 6], mode: 'bicubic' }, [1, 3, 5, 6]],
    [[1, null, 8, null], { size: 4, mode: 'area' }, [1, null, 4, 4]],
  ])('of shape %j with %j has shape %j', (x, options, y) => expect(interpolate(meta(x), options).shape).toEqual(y));

  it.each<[string, () => unknown, string]>([
    [
      'a mode of another rank',
      () => interpolate(meta([1, 1, 4]), { size: 4, mode: 'bilinear' }),
      'ShapeError: interpolate: input [1,1,4] in mode bilinear; wants [N,C] and 2 spatial axes',
    ],
    [
      'neither size nor factor',
      () => interpolate(meta([1, 1, 4]), {}),
      'ArgumentError: interpolate: saw neither size nor scaleFactor; wants one of them',
    ],
    [
      'both size and factor',
      () => interpolate(meta([1, 1, 4]), { size: 2, scaleFactor: 2 }),
      'ArgumentError: interpolate: saw both size and scaleFactor; wants one of them',
    ],
    [
      'a size of 0',
      () => interpolate(meta([1, 1, 4]), { size: 0 }),
      'ArgumentError: interpolate: size [0]; wants 1 numbers above 0',
    ],
    [
      'a factor that leaves nothing',
      () => interpolate(meta([1, 1, 4]), { scaleFactor: 0.2 }),
      'ShapeError: interpolate: [1,1,4] by [0.2] leaves nothing',
    ],
    [
      'corners of a nearest neighbour',
      () => interpolate(meta([1, 1, 4]), { size: 2, alignCorners: true }),
      'ArgumentError: interpolate: alignCorners in mode nearest; wants linear, bilinear, trilinear or bicubic',
    ],
    [
      'a smooth nearest neighbour',
      () => interpolate(meta([1, 1, 4]), { size: 2, antialias: true }),
      'ArgumentError: interpolate: antialias in mode nearest; wants bilinear or bicubic',
    ],
    [
      'a mode that there is not',
      () => interpolate(meta([1, 1, 4]), { size: 2, mode: 'lanczos' as 'linear' }),
      "ArgumentError: interpolate: mode is 'lanczos', wants 'nearest' or 'nearest-exact' or 'linear' or 'bilinear' or 'trilinear' or 'bicubic' or 'area'",
    ],
    [
      'integers',
      () => interpolate(meta([1, 1, 4], 'uint8'), { size: 2 }),
      "DTypeError: interpolate: input is uint8, wants float32 or float16; convert it with cast(x, 'float32')",
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
