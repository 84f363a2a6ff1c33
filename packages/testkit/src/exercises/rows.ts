/** Exercises of what works along axes: reductions, softmax, running results, sorting, normalisation, losses. */

import type { Tensor } from '@tessera/tensor';
import * as t from '@tessera/tensor';
import { bools, type Exercise, floats, integers, values } from './exercise';

type Reduction = (x: Tensor, dim?: number | readonly number[], options?: { keepdim?: boolean }) => Tensor;

/** Each over one axis, several, all, with the axes kept; `empty` where no elements have a result. */
const reduction = (
  name: string,
  f: Reduction,
  { orders = 2, empty = true }: { orders?: 0 | 1 | 2; empty?: boolean } = {},
): Exercise[] => {
  const x = [floats([3, 4, 5])];
  const cases = [
    { name: `${name} of an axis`, f: (v: Tensor) => f(v, 1), cases: [x, [floats([2, 300, 3])]] },
    { name: `${name} of several axes, kept`, f: (v: Tensor) => f(v, [0, -1], { keepdim: true }), cases: [x] },
    { name: `${name} of all`, f: (v: Tensor) => f(v), cases: [x, [floats([])], [floats([1000])]] },
  ];
  if (empty) cases.push({ name: `${name} of nothing`, f: (v: Tensor) => f(v, 1), cases: [[floats([2, 0, 3])]] });
  return cases.map((each) => ({ ...each, f: (x: Tensor) => each.f(x), orders }));
};

const reductions = (): Exercise[] => [
  ...reduction('sum', t.sum),
  ...reduction('mean', t.mean, { empty: false }),
  ...reduction('amax', t.amax, { empty: false }),
  ...reduction('amin', t.amin, { empty: false }),
  ...reduction('logsumexp', t.logsumexp, { empty: false }),
  ...reduction('variance', (x, dim, options) => t.variance(x, dim, { ...options, correction: 1 }), {
    empty: false,
  }).slice(0, 2),
  ...reduction('std', (x, dim, options) => t.std(x, dim, { ...options, correction: 0 }), { empty: false }).slice(0, 2),
  ...reduction('norm', (x, dim, options) => t.norm(x, 2, dim, options), { empty: false }),
  ...reduction('norm of 3', (x, dim, options) => t.norm(x, 3, dim, options), { empty: false }),
  ...reduction('any', (x, dim, options) => t.any(t.gt(x, 1.5), dim, options), { orders: 0 }),
  ...reduction('all', (x, dim, options) => t.all(t.gt(x, -1.5), dim, options), { orders: 0 }),
  { name: 'prod', f: (x) => t.prod(x, 1), cases: [[floats([3, 4, 2])], [floats([2, 0])]] },
  { name: 'prod with zeros', f: (x) => t.prod(x), cases: [[values([2, 0, 3])], [values([0, 0, 3])]] },
  {
    name: 'argmax and argmin',
    f: (x) => [t.argmax(x, 1), t.argmin(x, -1), t.argmax(x)],
    cases: [[floats([3, 4, 5])], [{ ...values([1, 3, 3, 2]), shape: [1, 4, 1] }]],
    orders: 0,
  },
  {
    name: 'max and min with places',
    f: (x) => [...t.maxWithIndices(x, 1), ...t.minWithIndices(x, 0)],
    cases: [[floats([3, 4])]],
  },
  {
    name: 'NaN and infinities in reductions',
    f: (x) => [t.sum(x, 1), t.amax(x, 1), t.amin(x, 1), t.mean(x, 1), t.logsumexp(x, 1), t.argmax(x, 1)],
    cases: [
      [
        {
          ...values([1, Number.NaN, 2, 1, Number.POSITIVE_INFINITY, 2, 3, Number.NEGATIVE_INFINITY, 2]),
          shape: [3, 3],
        },
      ],
    ],
    orders: 0,
  },
];

const along = (): Exercise[] => [
  {
    name: 'softmax',
    f: (x) => t.softmax(x, 1),
    cases: [[floats([3, 4, 5], { from: -8, to: 8 })], [floats([2, 400])], [floats([2, 0])]],
  },
  {
    name: 'logSoftmax',
    f: (x) => t.logSoftmax(x, -1),
    cases: [[floats([3, 7], { from: -8, to: 8 })], [values([1e4, 0, -1e4])]],
  },
  {
    name: 'cumsum',
    f: (x) => [t.cumsum(x, 1), t.cumsum(x, 0, { reverse: true })],
    cases: [[floats([3, 5])], [floats([2, 0])]],
  },
  {
    name: 'cumprod',
    f: (x) => t.cumprod(x, 1),
    cases: [[floats([3, 5])], [{ ...values([2, 0, 3, 4, 5, 2, 0, 3, 0, 5]), shape: [2, 5] }]],
  },
  { name: 'logcumsumexp', f: (x) => t.logcumsumexp(x, 1), cases: [[floats([3, 5])]] },
  { name: 'cummax and cummin', f: (x) => [...t.cummax(x, 1), ...t.cummin(x, 0)], cases: [[floats([3, 5])]] },
  {
    name: 'sort',
    f: (x) => [...t.sort(x, 1), ...t.sort(x, 0, { descending: true })],
    cases: [[floats([4, 6])], [{ ...values([2, 1, 2, Number.NaN, 1, 3]), shape: [1, 6] }]],
  },
  {
    name: 'sort, cummax and argmax of bools',
    f: (m) => [...t.sort(m, 1), ...t.sort(m, 0, { descending: true }), ...t.cummax(m, 1), t.argmax(m, 1)],
    cases: [[bools([4, 6])]],
    orders: 0,
  },
  {
    name: 'topk',
    f: (x) => [...t.topk(x, 3, { dim: 1 }), ...t.topk(x, 2, { dim: 0, largest: false })],
    cases: [[floats([4, 6])]],
  },
];

const norms = (): Exercise[] => {
  const channels = [floats([3], { seed: 1, from: 0.5, to: 1.5 }), floats([3], { seed: 2 })];
  return [
    {
      name: 'batchNorm in training',
      f: (x, w, b) => t.batchNorm(x, { weight: w, bias: b, training: true }),
      cases: [[floats([4, 3, 2, 2]), ...channels]],
    },
    {
      name: 'batchNorm with running statistics',
      f: (x, m, v) => t.batchNorm(x, { runningMean: m, runningVar: v }),
      cases: [[floats([4, 3, 2]), floats([3], { seed: 1 }), floats([3], { seed: 2, from: 0.5, to: 2 })]],
    },
    {
      name: 'layerNorm',
      f: (x, w, b) => t.layerNorm(x, [2, 3], { weight: w, bias: b }),
      cases: [[floats([4, 2, 3]), floats([2, 3], { seed: 1 }), floats([2, 3], { seed: 2 })]],
    },
    {
      name: 'groupNorm',
      f: (x, w, b) => t.groupNorm(x, 2, { weight: w, bias: b }),
      cases: [[floats([2, 4, 3]), floats([4], { seed: 1 }), floats([4], { seed: 2 })]],
    },
    { name: 'instanceNorm', f: (x) => t.instanceNorm(x), cases: [[floats([2, 3, 4, 2])]] },
    {
      name: 'rmsNorm',
      f: (x, w) => t.rmsNorm(x, [5], { weight: w }),
      cases: [[floats([3, 5]), floats([5], { seed: 1 })]],
    },
    { name: 'localResponseNorm', f: (x) => t.localResponseNorm(x, 3, { alpha: 0.5 }), cases: [[floats([2, 5, 3, 2])]] },
    { name: 'normalize', f: (x) => t.normalize(x), cases: [[floats([3, 5])]] },
  ];
};

const losses = (): Exercise[] => {
  const unit = { from: 0.1, to: 0.9 };
  return [
    {
      name: 'crossEntropy of classes',
      f: (x, y) => t.crossEntropy(x, y, { labelSmoothing: 0.1, ignoreIndex: 2 }),
      cases: [
        [floats([6, 5]), integers([6], 5)],
        [floats([2, 3, 4]), integers([2, 4], 3, 1)],
      ],
    },
    {
      name: 'crossEntropy, weighted',
      f: (x, y) => t.crossEntropy(x, y, { weight: t.tensor([0.5, 1, 2, 1.5, 0.7]), reduction: 'sum' }),
      cases: [[floats([6, 5]), integers([6], 5)]],
    },
    {
      name: 'nllLoss',
      f: (x, y) => t.nllLoss(x, y, { reduction: 'none' }),
      cases: [[floats([6, 5]), integers([6], 5)]],
    },
    { name: 'mseLoss', f: (x, y) => t.mseLoss(x, y), cases: [[floats([4, 3]), floats([4, 3], { seed: 1 })]] },
    { name: 'l1Loss', f: (x, y) => t.l1Loss(x, y), cases: [[floats([4, 3]), floats([4, 3], { seed: 1 })]] },
    {
      name: 'smoothL1Loss and huberLoss',
      f: (x, y) => [t.smoothL1Loss(x, y, { beta: 0.7 }), t.huberLoss(x, y, { delta: 0.7 })],
      cases: [[floats([4, 3]), floats([4, 3], { seed: 1 })]],
    },
    {
      name: 'binaryCrossEntropy',
      f: (x, y) => t.binaryCrossEntropy(x, y, { reduction: 'none' }),
      cases: [[floats([4, 3], unit), floats([4, 3], { seed: 1, ...unit })]],
    },
    {
      name: 'binaryCrossEntropyWithLogits',
      f: (x, y) => t.binaryCrossEntropyWithLogits(x, y, { reduction: 'sum' }),
      cases: [
        [floats([4, 3]), floats([4, 3], { seed: 1, ...unit })],
        [values([1e4, -1e4, 0]), values([1, 0, 1])],
      ],
    },
    {
      name: 'dropout',
      f: (x) => {
        t.manualSeed(3);
        return t.dropout(x, { p: 0.4 });
      },
      cases: [[floats([6, 5])]],
    },
    {
      name: 'klDivLoss',
      f: (x, y) => t.klDivLoss(x, y, { reduction: 'sum' }),
      cases: [[floats([4, 3]), floats([4, 3], { seed: 1, ...unit })]],
    },
    {
      name: 'margins',
      f: (a, b, c) => [
        t.hingeEmbeddingLoss(a, t.sign(c)),
        t.marginRankingLoss(a, b, t.sign(c), { margin: 0.3 }),
        t.tripletMarginLoss(a, b, c),
      ],
      cases: [[floats([4, 3]), floats([4, 3], { seed: 1 }), floats([4, 3], { seed: 2 })]],
    },
    {
      name: 'multiMarginLoss',
      f: (x, y) => [t.multiMarginLoss(x, y, { margin: 0.8 }), t.multiMarginLoss(x, y, { p: 2, reduction: 'none' })],
      cases: [[floats([6, 5]), integers([6], 5)]],
    },
    {
      name: 'sigmoidFocalLoss',
      f: (x, y) => [t.sigmoidFocalLoss(x, y), t.sigmoidFocalLoss(x, y, { alpha: null, gamma: 3, reduction: 'mean' })],
      cases: [[floats([4, 3]), floats([4, 3], { seed: 1, ...unit })]],
    },
    {
      name: 'diceLoss',
      f: (x, y) => [t.diceLoss(x, y), t.diceLoss(x, y, { squared: true, reduction: 'none' })],
      cases: [[floats([2, 3, 4], unit), floats([2, 3, 4], { seed: 1, ...unit })]],
    },
    { name: 'masked mean', f: (x, m) => t.mean(t.maskedFill(x, m, 0)), cases: [[floats([3, 4]), bools([3, 4])]] },
  ];
};

export const rows = (): Exercise[] => [...reductions(), ...along(), ...norms(), ...losses()];
