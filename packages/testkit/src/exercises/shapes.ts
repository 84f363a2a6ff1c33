/** Exercises of shape moves, joining, padding, placing, and of reading and writing at computed places. */
import * as t from '@tessera/tensor';
import * as einops from '@tessera/tensor/einops';
import { bools, type Exercise, floats, integers, values } from './exercise';

const moves = (): Exercise[] => [
  {
    name: 'reshape, flatten, squeeze, unsqueeze',
    f: (x) => [t.reshape(x, [-1, 6]), t.flatten(x, 1), t.squeeze(t.unsqueeze(x, 1)), t.reshape(t.transpose(x), [4, 6])],
    cases: [[floats([2, 3, 4])]],
  },
  {
    name: 'permute, transpose, movedim, flip, rot90',
    f: (x) => [t.permute(x, [2, 0, 1]), t.transpose(x), t.movedim(x, 0, -1), t.flip(x, [0, 2]), t.rot90(x, 1, [1, 2])],
    cases: [[floats([2, 3, 4])], [floats([2, 0, 3])]],
  },
  { name: 'expand', f: (x) => [t.expand(x, [4, 2, 3, -1]), t.broadcastTo(x, [2, 3, 5])], cases: [[floats([2, 1, 5])]] },
  { name: 'expand a scalar', f: (x) => t.expand(x, [2, 3]), cases: [[floats([])]] },
  {
    name: 'slice with steps, narrow, select',
    f: (x) => [
      t.slice(x, [null, [1, null, 2], -1]),
      t.slice(x, [
        [-2, null],
        [null, null, -2],
      ]),
      t.slice(x, [[2, 1]]),
      t.narrow(x, 1, 2, 3),
      t.select(x, 0, 1),
    ],
    cases: [[floats([3, 5, 4])]],
  },
  { name: 'unfold', f: (x) => t.unfold(x, 1, 3, 2), cases: [[floats([2, 8])], [floats([2, 7, 3])]] },
  {
    name: 'diagonal and diagEmbed',
    f: (x) => [t.diagonal(x, { offset: 1 }), t.diagEmbed(x, { offset: -1 })],
    cases: [[floats([3, 4])]],
  },
  { name: 'tril and triu', f: (x) => [t.tril(x, 1), t.triu(x, -1)], cases: [[floats([2, 4, 3])]] },
  {
    name: 'cat, stack, split, unbind',
    f: (a, b) => [
      t.cat([a, b, a], 1),
      t.stack([a, t.narrow(b, 1, 0, 2)], 1),
      ...t.split(b, [1, 3], 1),
      ...t.unbind(a, 0),
    ],
    cases: [[floats([3, 2]), floats([3, 4], { seed: 1 })]],
  },
  { name: 'cat with nothing', f: (a, b) => t.cat([a, b], 0), cases: [[floats([0, 2]), floats([3, 2])]] },
  {
    name: 'repeat, tile, repeatInterleave, roll',
    f: (x) => [
      t.repeat(x, [2, 1, 3]),
      t.tile(x, [2]),
      t.repeatInterleave(x, 2, 0),
      t.repeatInterleave(x, [2, 0, 1, 3], 1),
      t.roll(x, [1, -2], [0, 1]),
      t.roll(x, 5),
    ],
    cases: [[floats([3, 4])]],
  },
  {
    name: 'rearrange, reduce, repeat by patterns',
    f: (x) => [
      einops.rearrange(x, 'b (h p) w -> (p b) (w h)', { p: 2 }),
      einops.reduce(x, 'b (h 2) w -> w h', 'mean'),
      einops.repeat(x, '... w -> w (... 2)'),
    ],
    cases: [[floats([3, 4, 2])]],
  },
  {
    name: 'im2col and fold',
    f: (x) => [
      t.im2col(x, 2, { padding: 1, stride: 2 }),
      t.im2col(x, [2, 3], { dilation: [2, 1] }),
      t.fold(t.reshape(x, [2, 4, 15]), [4, 6], 2),
      t.fold(t.reshape(x, [2, 4, 15]), [8, 4], 2, { stride: [2, 1], padding: [1, 0] }),
    ],
    cases: [[floats([2, 3, 4, 5])]],
  },
  {
    name: 'pixelShuffle, pixelUnshuffle, channelShuffle',
    f: (x) => [t.pixelShuffle(x, 2), t.pixelUnshuffle(x, 2), t.channelShuffle(x, 4)],
    cases: [[floats([2, 8, 2, 4])]],
  },
  {
    name: 'moves of moves',
    f: (x) => t.reshape(t.permute(t.slice(t.flip(x, 1), [null, [0, 4, 2]]), [1, 0]), [-1]),
    cases: [[floats([3, 5])]],
  },
  {
    name: 'pad',
    f: (x) => [
      t.pad(x, [1, 2, 0, 3]),
      t.pad(x, [2, 1], { value: -7 }),
      t.pad(x, [2, 1, 1, 1], { mode: 'reflect' }),
      t.pad(x, [2, 1, 1, 0], { mode: 'replicate' }),
      t.pad(x, [1, 2], { mode: 'circular' }),
      t.pad(x, [-1, 2]),
    ],
    cases: [[floats([2, 3, 4])]],
  },
  {
    name: 'moves of what was computed',
    f: (x) => t.mul(t.transpose(t.exp(x)), t.pad(t.sin(t.transpose(x)), [1, -1])),
    cases: [[floats([3, 4])]],
  },
  {
    name: 'moves of integers and bools',
    f: (i, b) => [t.flip(i, 1), t.cat([i, t.cast(b, 'int32')]), t.transpose(b), t.pad(i, [1, 1], { value: 3 })],
    cases: [[integers([2, 3], 9), bools([2, 3])]],
    orders: 0,
  },
];

const places = (): Exercise[] => [
  {
    name: 'gather',
    f: (x, i) => t.gather(x, 1, i),
    cases: [
      [floats([3, 5]), integers([3, 4], 5)],
      [floats([3, 5]), integers([2, 0], 5)],
    ],
  },
  { name: 'takeAlongDim', f: (x, i) => t.takeAlongDim(x, i, 0), cases: [[floats([4, 3]), integers([2, 1], 4)]] },
  {
    name: 'indexSelect and embedding',
    f: (x, i) => [t.indexSelect(x, 1, i), t.embedding(x, i)],
    cases: [[floats([5, 6]), integers([4], 5)]],
  },
  {
    name: 'scatter',
    f: (x, s) =>
      t.scatter(
        x,
        1,
        t.tensor(
          [
            [0, 3, 1],
            [2, 0, 4],
          ],
          { dtype: 'int32' },
        ),
        s,
      ),
    cases: [[floats([2, 5]), floats([2, 3], { seed: 1 })]],
  },
  {
    name: 'scatterAdd',
    f: (x, i, s) => t.scatterAdd(x, 0, i, s),
    cases: [[floats([3, 4]), integers([5, 4], 3), floats([5, 4], { seed: 1 })]],
  },
  {
    name: 'scatterReduce',
    f: (x, i, s) => [
      t.scatterReduce(x, 1, i, s, 'prod'),
      t.scatterReduce(x, 1, i, s, 'amax'),
      t.scatterReduce(x, 1, i, s, 'mean', { includeSelf: false }),
    ],
    cases: [[floats([3, 4]), integers([3, 6], 4), floats([3, 6], { seed: 1 })]],
    orders: 1,
  },
  {
    name: 'scatter of bools',
    f: (m, i, s) => [
      t.scatter(m, 1, i, s),
      t.scatterAdd(m, 1, i, s),
      t.scatterReduce(m, 1, i, s, 'prod'),
      t.scatterReduce(m, 1, i, s, 'amax'),
      t.indexAdd(
        m,
        0,
        t.tensor([0, 2], { dtype: 'int32' }),
        t.slice(s, [
          [0, 2],
          [0, 4],
        ]),
      ),
    ],
    cases: [[bools([3, 4]), integers([3, 6], 4), bools([3, 6], 1)]],
    orders: 0,
  },
  {
    name: 'indexAdd, indexCopy, indexPut',
    f: (x, s) => {
      const i = t.tensor([2, 0], { dtype: 'int32' });
      return [
        t.indexAdd(x, 0, i, s),
        t.indexCopy(x, 0, i, s),
        t.indexPut(x, [i, t.tensor([1, 2], { dtype: 'int32' })], t.select(s, 1, 0)),
        t.indexPut(x, [t.tensor([1, 1], { dtype: 'int32' })], s, { accumulate: true }),
      ];
    },
    cases: [[floats([3, 4]), floats([2, 4], { seed: 1 })]],
  },
  { name: 'oneHot', f: (i) => t.oneHot(i, 5), cases: [[integers([2, 3], 5)]], orders: 0 },
  {
    name: 'nonzero of a known size',
    f: (x) => t.nonzero(x, { size: 4 }),
    cases: [[values([0, 3, 0, Number.NaN, -1])]],
    orders: 0,
  },
  {
    name: 'searchsorted',
    f: (v) => [t.searchsorted(t.tensor([-1, 0, 0.5, 1]), v), t.bucketize(v, t.tensor([0, 1]), { right: true })],
    cases: [[floats([2, 3])], [floats([])]],
    orders: 0,
  },
  {
    name: 'bincount of a known size',
    f: (i, w) => [t.bincount(i, { size: 4 }), t.bincount(i, { size: 6, weights: w })],
    cases: [[integers([2, 4], 5), floats([4])]],
  },
  {
    name: 'maskedSelect of a known size',
    f: (x, m) => t.maskedSelect(x, m, { size: 7 })[0],
    cases: [[floats([3, 4]), bools([3, 4])]],
  },
  {
    name: 'median and kthvalue',
    f: (x) => [t.median(x), ...t.median(x, 1), ...t.kthvalue(x, 2)],
    cases: [[floats([3, 5])]],
  },
  {
    name: 'argsort, msort, unique of a known size',
    f: (x) => {
      const { values: found, inverse, counts, count } = t.unique(t.round(x), { size: 4 });
      return [t.argsort(x, 0), t.msort(x), found, inverse, counts, count];
    },
    cases: [[floats([3, 5])]],
    orders: 0,
  },
  {
    name: 'random numbers',
    f: (p) => {
      t.manualSeed(7);
      return [
        t.rand([3, 2]),
        t.randint(-3, 9, [2, 5]),
        t.randperm(9),
        t.bernoulli(p),
        t.multinomial(p, 2),
        t.multinomial(p, 7, { replacement: true }),
        t.normal(p, 0.5),
        t.uniform(p, 2),
      ];
    },
    cases: [[floats([2, 5], { from: 0.1, to: 0.9 })]],
    orders: 0,
  },
  {
    name: 'tensors from nothing',
    f: () => [
      t.arange(7),
      t.arange(1, 2, 0.25),
      t.linspace(0, 1, 7),
      t.eye(3, 4),
      t.full([2, 2], 3.5),
      t.ones([2]),
      t.zeros([2, 0]),
    ],
    cases: [[]],
    orders: 0,
  },
];

const images = (): Exercise[] => {
  const sampled = (
    mode: 'bilinear' | 'nearest' | 'bicubic',
    paddingMode: 'zeros' | 'border' | 'reflection',
  ): Exercise => ({
    name: `gridSample, ${mode}, ${paddingMode}`,
    f: (x, grid) => t.gridSample(x, grid, { mode, paddingMode }),
    cases: [[floats([2, 3, 4, 5]), floats([2, 3, 2, 2], { from: -1.3, to: 1.3, seed: 1 })]],
    largeSecond: true,
  });
  return [
    sampled('bilinear', 'zeros'),
    sampled('bilinear', 'border'),
    sampled('bilinear', 'reflection'),
    sampled('nearest', 'zeros'),
    sampled('bicubic', 'border'),
    {
      name: 'gridSample of an affineGrid',
      f: (x, theta) => t.gridSample(x, t.affineGrid(theta, [2, 3, 3, 4])),
      cases: [[floats([2, 3, 4, 5]), floats([2, 2, 3], { from: -0.7, to: 0.7, seed: 1 })]],
      largeSecond: true,
    },
    {
      name: 'interpolate',
      f: (x) => [
        t.interpolate(x, { size: [6, 4], mode: 'bicubic', antialias: true }),
        t.interpolate(x, { size: [7, 3], mode: 'bilinear' }),
        t.interpolate(x, { scaleFactor: 2 }),
        t.interpolate(x, { size: [3, 8], mode: 'bicubic', alignCorners: true }),
        t.interpolate(x, { size: [2, 2], mode: 'bilinear', antialias: true }),
        t.interpolate(x, { size: [3, 2], mode: 'area' }),
      ],
      cases: [[floats([2, 2, 4, 5])]],
      largeSecond: true,
    },
  ];
};

export const shapes = (): Exercise[] => [...moves(), ...places(), ...images()];
