import { beforeAll, describe, expect, it } from 'vitest';
import {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  meta,
  type Shape,
  setBackend,
  type Tensor,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, plain, scattered, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

interface Sizes {
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly before: readonly number[];
  readonly groups: number;
}
type Window = (
  n: number,
  o: number,
  p: readonly number[],
  c: number,
  r: readonly number[],
  place: readonly number[],
) => void;
/** Every product of a convolution: which w [o,c,r] meets which x [n, c, place] for which y [n,o,p]. */
function walk(x: readonly number[], w: readonly number[], y: readonly number[], sizes: Sizes, visit: Window): void {
  const { stride, dilation, before, groups } = sizes;
  const [outs, each] = [y[1] as number, w[1] as number];
  table(y, (n, o, ...p) => {
    table(w.slice(1), (c, ...r) => {
      const place = p.map(
        (i, axis) =>
          i * (stride[axis] as number) + (r[axis] as number) * (dilation[axis] as number) - (before[axis] as number),
      );
      const channel = Math.floor((o as number) / (outs / groups)) * each + (c as number);
      if (place.every((i, axis) => i >= 0 && i < (x[axis + 2] as number)))
        visit(n as number, o as number, p, c as number, r, [channel, ...place]);
      return 0;
    });
    return 0;
  });
}
function convolved(x: Plain, w: Plain, shape: readonly number[], sizes: Sizes): Plain {
  const sums = new Map<string, number>();
  walk(x.shape, w.shape, shape, sizes, (n, o, p, c, r, place) => {
    const key = String([n, o, ...p]);
    sums.set(key, (sums.get(key) ?? 0) + x.at(n, ...place) * w.at(o, c, ...r));
  });
  return table(shape, (...place) => sums.get(String(place)) ?? 0);
}
/** The transpose: x has y's place, the result x's. */
function transposed(x: Plain, w: Plain, shape: readonly number[], sizes: Sizes): Plain {
  const sums = new Map<string, number>();
  walk(shape, w.shape, x.shape, sizes, (n, o, p, c, r, place) => {
    const key = String([n, ...place]);
    sums.set(key, (sums.get(key) ?? 0) + x.at(n, o, ...p) * w.at(o, c, ...r));
  });
  return table(shape, (...place) => sums.get(String(place)) ?? 0);
}
const one = { stride: [1, 1, 1], dilation: [1, 1, 1], before: [0, 0, 0], groups: 1 };

describe('convolution', () => {
  it.each<
    [
      string,
      (x: Tensor, w: Tensor, options: ConvOptions) => Tensor,
      readonly number[],
      readonly number[],
      readonly number[],
      ConvOptions,
      Partial<Sizes>,
    ]
  >([
    ['1d', conv1d, [2, 3, 7], [4, 3, 3], [2, 4, 5], {}, {}],
    [
      '1d with stride, padding, dilation',
      conv1d,
      [1, 2, 9],
      [2, 2, 3],
      [1, 2, 4],
      { stride: 2, padding: 1, dilation: 2 },
      { stride: [2], before: [1], dilation: [2] },
    ],
    ['2d', conv2d, [2, 3, 5, 4], [2, 3, 3, 2], [2, 2, 3, 3], {}, {}],
    ['2d in groups', conv2d, [1, 4, 4, 4], [6, 2, 2, 2], [1, 6, 3, 3], { groups: 2 }, { groups: 2 }],
    [
      '2d depthwise, two maps a channel',
      conv2d,
      [1, 3, 4, 4],
      [6, 1, 3, 3],
      [1, 6, 4, 4],
      { groups: 3, padding: 1 },
      { groups: 3, before: [1, 1] },
    ],
    [
      '2d with another number an axis',
      conv2d,
      [1, 2, 6, 8],
      [3, 2, 2, 3],
      [1, 3, 4, 4],
      { stride: [2, 1], padding: [1, 0], dilation: [1, 2] },
      { stride: [2, 1], before: [1, 0], dilation: [1, 2] },
    ],
    ['2d of one place', conv2d, [2, 5, 3, 3], [4, 5, 1, 1], [2, 4, 3, 3], {}, {}],
    ["2d 'valid'", conv2d, [1, 1, 4, 4], [1, 1, 2, 2], [1, 1, 3, 3], { padding: 'valid' }, {}],
    [
      "2d 'same', an odd zero behind",
      conv2d,
      [1, 2, 4, 5],
      [1, 2, 2, 4],
      [1, 1, 4, 5],
      { padding: 'same' },
      { before: [0, 1] },
    ],
    [
      "2d 'same' with dilation",
      conv2d,
      [1, 1, 5, 5],
      [1, 1, 3, 2],
      [1, 1, 5, 5],
      { padding: 'same', dilation: [2, 3] },
      { before: [2, 1], dilation: [2, 3] },
    ],
    [
      '3d',
      conv3d,
      [1, 2, 4, 3, 5],
      [2, 2, 2, 3, 2],
      [1, 2, 3, 3, 2],
      { padding: [0, 1, 0], stride: [1, 1, 2] },
      { before: [0, 1, 0], stride: [1, 1, 2] },
    ],
    ['an empty batch', conv2d, [0, 1, 4, 4], [2, 1, 3, 3], [0, 2, 2, 2], {}, {}],
  ])('%s is a sum over windows', async (_, conv, xs, ws, ys, options, sizes) => {
    const [x, w] = [scattered(xs), scattered(ws, 1)];
    await expectNear(conv(x.tensor, w.tensor, options), convolved(x, w, ys, { ...one, ...sizes }));
  });

  it('adds the bias to each out-channel', async () => {
    const y = conv1d(tensor([[[1, 2, 3]]]), tensor([[[1]], [[10]]]), { bias: tensor([5, 7]) });
    expect(await y.toArray()).toEqual([
      [
        [6, 7, 8],
        [17, 27, 37],
      ],
    ]);
  });
  it('takes an image without a batch', async () => {
    const [x, w] = [scattered([2, 4, 4]), scattered([3, 2, 3, 3], 1)];
    const wanted = convolved(plain([1, 2, 4, 4], x.data), w, [1, 3, 2, 2], one);
    await expectNear(conv2d(x.tensor, w.tensor), plain([3, 2, 2], wanted.data));
  });
  it.each<[Shape, Shape, ConvOptions, Shape]>([
    [[null, 3, 224, 224], [64, 3, 7, 7], { stride: 2, padding: 3 }, [null, 64, 112, 112]],
    [[null, 3, null, 224], [64, 3, 7, 7], { stride: 2, padding: 3 }, [null, 64, null, 112]],
    [[1, null, 8, 8], [null, 3, 3, 3], {}, [1, null, 6, 6]],
  ])('of shapes %j and %j with %j has shape %j', (x, w, options, y) =>
    expect(conv2d(meta(x), meta(w), options).shape).toEqual(y),
  );
});

describe('transposed convolution', () => {
  it.each<
    [
      string,
      (x: Tensor, w: Tensor, options: ConvTransposeOptions) => Tensor,
      readonly number[],
      readonly number[],
      readonly number[],
      ConvTransposeOptions,
      Partial<Sizes>,
    ]
  >([
    ['1d', convTranspose1d, [2, 3, 4], [3, 2, 3], [2, 2, 6], {}, {}],
    [
      '1d with stride and a rest',
      convTranspose1d,
      [1, 2, 4],
      [2, 3, 3],
      [1, 3, 10],
      { stride: 2, outputPadding: 1 },
      { stride: [2] },
    ],
    [
      '2d with all options',
      convTranspose2d,
      [1, 4, 3, 2],
      [4, 2, 3, 2],
      [1, 4, 6, 5],
      { stride: [2, 3], padding: [1, 0], groups: 2, outputPadding: [1, 0] },
      { stride: [2, 3], before: [1, 0], groups: 2 },
    ],
    [
      '3d with dilation',
      convTranspose3d,
      [1, 1, 2, 2, 2],
      [1, 2, 2, 2, 2],
      [1, 2, 4, 4, 4],
      { dilation: 2 },
      { dilation: [2, 2, 2] },
    ],
  ])('%s spreads each input over its window', async (_, conv, xs, ws, ys, options, sizes) => {
    const [x, w] = [scattered(xs), scattered(ws, 1)];
    await expectNear(conv(x.tensor, w.tensor, options), transposed(x, w, ys, { ...one, ...sizes }));
  });
  it('carries unknown sizes', () => {
    const y = convTranspose2d(meta([null, 8, 7, null]), meta([8, 4, 2, 2]), { stride: 2 });
    expect(y.shape).toEqual([null, 4, 14, null]);
  });
});

describe('convolutions that do not fit', () => {
  const weight = meta([64, 3, 7, 7]);
  it.each<[string, () => unknown, string]>([
    [
      'channels',
      () => conv2d(meta([1, 4, 8, 8]), weight),
      'ShapeError: conv2d: input has 4 channels but weight [64,3,7,7] wants 3 (groups 1)',
    ],
    [
      'channels in groups',
      () => conv2d(meta([1, 4, 8, 8]), meta([64, 4, 7, 7]), { groups: 2 }),
      'ShapeError: conv2d: input has 4 channels but weight [64,4,7,7] wants 8 (groups 2)',
    ],
    [
      'groups',
      () => conv2d(meta([1, 6, 8, 8]), meta([64, 2, 7, 7]), { groups: 3 }),
      'ShapeError: conv2d: weight [64,2,7,7] makes 64 channels, not a multiple of groups 3',
    ],
    [
      'the window',
      () => conv2d(meta([1, 3, 8, 6]), weight),
      'ShapeError: conv2d: a window of 7 does not fit input [1,3,8,6], which is 6 on spatial axis 1 with its padding; enlarge input or padding',
    ],
    [
      'the rank of the input',
      () => conv2d(meta([3, 8]), weight),
      'ShapeError: conv2d: input [3,8]; wants [N,C,H,W] or [C,H,W]',
    ],
    [
      'the rank of the weight',
      () => conv1d(meta([1, 3, 8]), weight),
      'ShapeError: conv1d: weight [64,3,7,7]; wants 3 axes, channels before the window',
    ],
    [
      'the bias',
      () => conv2d(meta([1, 3, 8, 8]), weight, { bias: meta([3]) }),
      'ShapeError: conv2d: bias [3] for 64 out-channels; wants [64]',
    ],
    [
      'the stride',
      () => conv2d(meta([1, 3, 8, 8]), weight, { stride: 0 }),
      'ArgumentError: conv2d: stride 0; wants a whole number from 1, or 2 of them',
    ],
    [
      'the number of paddings',
      () => conv2d(meta([1, 3, 8, 8]), weight, { padding: [1, 1, 1] }),
      'ArgumentError: conv2d: padding [1,1,1]; wants a whole number from 0, or 2 of them',
    ],
    [
      "'same' with a stride",
      () => conv2d(meta([1, 3, 8, 8]), weight, { padding: 'same', stride: 2 }),
      "ArgumentError: conv2d: padding 'same' with stride [2,2]; wants stride 1, or padding as numbers",
    ],
    [
      'the dtype',
      () => conv2d(meta([1, 3, 8, 8], 'uint8'), weight),
      "DTypeError: conv2d: input is uint8, wants float32 or float16; convert it with cast(x, 'float32')",
    ],
    [
      'channels, transposed',
      () => convTranspose2d(meta([1, 3, 8, 8]), weight),
      'ShapeError: convTranspose2d: input has 3 channels but weight [64,3,7,7] wants 64 (groups 1)',
    ],
    [
      'outputPadding',
      () => convTranspose2d(meta([1, 64, 8, 8]), weight, { outputPadding: 1 }),
      'ArgumentError: convTranspose2d: outputPadding 1 with stride 1; wants less than stride or dilation',
    ],
    [
      'padding, transposed',
      () => convTranspose1d(meta([1, 1, 1]), meta([1, 1, 2]), { padding: 1 }),
      'ShapeError: convTranspose1d: padding 1 leaves nothing of input [1,1,1]; lower it',
    ],
  ])('%s', (_, f, error) => expect(thrown(f)).toBe(error));
});
