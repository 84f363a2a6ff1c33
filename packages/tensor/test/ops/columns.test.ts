import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ColumnOptions,
  channelShuffle,
  conv2d,
  fold,
  im2col,
  lpPool1d,
  lpPool2d,
  matmul,
  meta,
  pixelShuffle,
  pixelUnshuffle,
  reshape,
  setBackend,
} from '../../src';
import { reference } from '../../src/reference';
import { counting, expectNear, plain, scattered, sumOver, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const options: [string, number, number, ColumnOptions][] = [
  ['plain', 2, 3, {}],
  ['with stride', 3, 2, { stride: [2, 3] }],
  ['with padding', 3, 3, { padding: [1, 2] }],
  ['with dilation', 2, 2, { dilation: [3, 2] }],
  ['with all three', 3, 2, { stride: 2, padding: [2, 1], dilation: [2, 3] }],
];
const pair = (value: number | readonly number[] | undefined, other: number) =>
  (typeof value === 'object' ? value : [value ?? other, value ?? other]) as [number, number];

describe.each(options)('windows as columns, %s', (_, r, s, given) => {
  const [stride, padding, dilation] = [pair(given.stride as number, 1), pair(given.padding as number, 0), pair(given.dilation as number, 1)]; // biome-ignore format: one
  const [n, c, h, w] = [2, 3, 7, 6];
  const windows = [h, w].map((size, i) => Math.floor((size + 2 * padding[i]! - dilation[i]! * ([r, s][i]! - 1) - 1) / stride[i]!) + 1) as [number, number]; // biome-ignore format: one
  /** Where tap q of window l lies. */
  const place = (q: number, l: number) => [
    Math.floor(l / windows[1]) * stride[0] - padding[0] + Math.floor((q % (r * s)) / s) * dilation[0],
    (l % windows[1]) * stride[1] - padding[1] + (q % s) * dilation[1],
  ] as const; // biome-ignore format: one

  it('im2col reads every tap of every window', async () => {
    const x = scattered([n, c, h, w]);
    const wanted = table([n, c * r * s, windows[0] * windows[1]], (b, q, l) =>
      x.at(b, Math.floor(q / (r * s)), ...place(q, l)),
    );
    await expectNear(im2col(x.tensor, [r, s], given), wanted);
  });
  it('fold adds each tap where it lies', async () => {
    const columns = scattered([n, c * r * s, windows[0] * windows[1]]);
    const wanted = table([n, c, h, w], (b, k, i, j) =>
      sumOver(r * s, (q) =>
        sumOver(windows[0] * windows[1], (l) => {
          const [y, x] = place(q, l);
          return y === i && x === j ? columns.at(b, k * r * s + q, l) : 0;
        }),
      ),
    );
    await expectNear(fold(columns.tensor, [h, w], [r, s], given), wanted);
  });
  it('a matrix times columns is a convolution', async () => {
    const [x, weight] = [scattered([n, c, h, w]).tensor, scattered([4, c, r, s], 1).tensor];
    const y = conv2d(x, weight, given);
    await expectNear(
      reshape(matmul(reshape(weight, [4, -1]), im2col(x, [r, s], given)), y.shape),
      plain(y.shape as number[], [...(await y.data())]),
    );
  });
});

describe('windows as columns', () => {
  it('take one image', () => {
    expect(im2col(meta([3, 5, 5]), 3).shape).toEqual([27, 9]);
    expect(fold(meta([27, 9]), 5, 3).shape).toEqual([3, 5, 5]);
  });
  it('carry unknown sizes through', () => {
    expect(im2col(meta([null, 3, 5, null]), 3).shape).toEqual([null, 27, null]);
    expect(fold(meta([null, 27, 9]), 5, 3).shape).toEqual([null, 3, 5, 5]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'no window',
      () => im2col(meta([1, 3, 4, 4]), 5),
      'ShapeError: im2col: windows [5,5] with dilation [1,1] do not fit [4,4] with padding [0,0]; enlarge the image or lower the window',
    ],
    ['another rank', () => im2col(meta([4, 4]), 2), 'ShapeError: im2col: input [4,4]; wants [N,C,H,W] or [C,H,W]'],
    [
      'another count',
      () => fold(meta([1, 27, 8]), 5, 3),
      'ShapeError: fold: columns [1,27,8]; wants [N,C·9,9] for windows [3,3] over [5,5]',
    ],
  ])('refuse %s', (_, f, error) => expect(thrown(f)).toBe(error));
});

describe('channels and pixels', () => {
  const x = counting([2, 8, 2, 3]);
  it('pixelShuffle', () =>
    expectNear(pixelShuffle(x.tensor, 2), table([2, 2, 4, 6], (b, c, i, j) => x.at(b, 4 * c + 2 * (i % 2) + (j % 2), i >> 1, Math.floor(j / 2))))); // biome-ignore format: one
  it('pixelUnshuffle goes back', () => expectNear(pixelUnshuffle(pixelShuffle(x.tensor, 2), 2), x));
  it('channelShuffle', () =>
    expectNear(
      channelShuffle(x.tensor, 2),
      table([2, 8, 2, 3], (b, c, i, j) => x.at(b, (c % 2) * 4 + (c >> 1), i, j)),
    ));
  it('carry unknown sizes through', () => {
    expect(pixelShuffle(meta([null, 12, null, 4]), 2).shape).toEqual([null, 3, null, 8]);
    expect(pixelUnshuffle(meta([12, null, 4]), 2).shape).toEqual([48, null, 2]);
  });
  it.each<[string, () => unknown, string]>([
    [
      'channels',
      () => pixelShuffle(meta([6, 2, 2]), 2),
      'ShapeError: pixelShuffle: 6 in [6,2,2]; wants a multiple of 4',
    ],
    [
      'a width',
      () => pixelUnshuffle(meta([6, 2, 3]), 2),
      'ShapeError: pixelUnshuffle: 3 in [6,2,3]; wants a multiple of 2',
    ],
    [
      'a factor',
      () => pixelShuffle(meta([6, 2, 2]), 0),
      'ArgumentError: pixelShuffle: factor 0; wants a whole number from 1',
    ],
    ['a rank', () => channelShuffle(meta([6, 2]), 2), 'ShapeError: channelShuffle: input [6,2]; wants [...,C,H,W]'],
  ])('refuse %s', (_, f, error) => expect(thrown(f)).toBe(error));
});

describe('lp pooling', () => {
  const x = scattered([2, 3, 4, 6]);
  it('is the norm of each window', () =>
    expectNear(lpPool2d(x.tensor, 2, [2, 3]), table([2, 3, 2, 2], (b, c, i, j) =>
      Math.sqrt(sumOver(2, (r) => sumOver(3, (s) => x.at(b, c, 2 * i + r, 3 * j + s) ** 2)))))); // biome-ignore format: one
  it('of one axis, by strides, with an odd norm keeps the sign inside the sum', async () => {
    const v = counting([2, 7]);
    await expectNear(
      lpPool1d(v.tensor, 3, 3, { stride: 2 }),
      table([2, 3], (c, i) => Math.cbrt(sumOver(3, (r) => v.at(c, 2 * i + r) ** 3))),
    );
  });
  it('refuses norm 0', () =>
    expect(thrown(() => lpPool2d(x.tensor, 0, 2))).toBe(
      'ArgumentError: lpPool2d: normType 0; wants a number that is not 0, or maxPool',
    ));
});
