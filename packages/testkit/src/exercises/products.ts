/** Exercises of matrix products, convolution and pooling. */
import * as t from '@tessera/tensor';
import { bools, type Exercise, floats, integers } from './exercise';

const matrices = (): Exercise[] => [
  {
    name: 'matmul',
    f: (a, b) => t.matmul(a, b),
    cases: (
      [
        [
          [3, 4],
          [4, 5],
        ],
        [
          [2, 3, 4],
          [2, 4, 5],
        ],
        [
          [2, 1, 3, 4],
          [3, 4, 2],
        ],
        [[4], [4, 3]],
        [[3, 4], [4]],
        [[4], [4]],
        [
          [1, 70],
          [70, 1],
        ],
        [
          [17, 33],
          [33, 19],
        ],
        [
          [3, 0],
          [0, 4],
        ],
        [
          [0, 3],
          [3, 4],
        ],
      ] as const
    ).map(([a, b]) => [floats(a), floats(b, { seed: 1 })]),
  },
  { name: 'matmul of a matrix with itself', f: (a) => t.matmul(a, t.transpose(a)), cases: [[floats([4, 5])]] },
  {
    name: 'linear with an activation',
    f: (x, w, b) => t.relu(t.linear(x, w, b)),
    cases: [
      [floats([4, 6]), floats([5, 6], { seed: 1 }), floats([5], { seed: 2 })],
      [floats([6]), floats([5, 6], { seed: 1 }), floats([5])],
    ],
  },
  {
    name: 'bmm, mv, dot, outer',
    f: (a, b, v) => [t.bmm(a, b), t.mv(t.select(b, 0, 0), v), t.dot(v, v), t.outer(v, v)],
    cases: [[floats([2, 3, 4]), floats([2, 4, 3], { seed: 1 }), floats([3], { seed: 2 })]],
  },
  {
    name: 'einsum',
    f: (a, b, c) => [
      t.einsum('bik,bjk->bij', a, b),
      t.einsum('bik,bjk,kl->lbi', a, b, c),
      t.einsum('...k,kk->...', a, c),
      t.einsum('bik,bik->b', a, a),
    ],
    cases: [[floats([2, 3, 4]), floats([2, 5, 4], { seed: 1 }), floats([4, 4], { seed: 2 })]],
  },
  {
    name: 'attention',
    f: (q, k, v) => t.matmul(t.softmax(t.div(t.matmul(q, t.transpose(k)), 2), -1), v),
    cases: [[floats([2, 3, 4]), floats([2, 5, 4], { seed: 1 }), floats([2, 5, 3], { seed: 2 })]],
  },
];

const convolutions = (): Exercise[] => {
  const conv = (x: readonly number[], w: readonly number[]) => [floats(x), floats(w, { seed: 1 })];
  const bias = (n: number) => floats([n], { seed: 2 });
  return [
    {
      name: 'conv1d',
      f: (x, w, b) => t.conv1d(x, w, { bias: b, stride: 2, padding: 1 }),
      cases: [[...conv([2, 3, 9], [4, 3, 3]), bias(4)]],
    },
    {
      name: 'conv2d',
      f: (x, w, b) => t.conv2d(x, w, { bias: b, padding: 1 }),
      cases: [[...conv([2, 3, 6, 5], [4, 3, 3, 3]), bias(4)]],
    },
    {
      name: 'conv2d with stride, dilation and groups',
      f: (x, w) => t.conv2d(x, w, { stride: [2, 1], padding: [1, 2], dilation: [1, 2], groups: 2 }),
      cases: [conv([2, 4, 7, 6], [6, 2, 3, 2])],
    },
    {
      name: 'conv2d of channels by themselves',
      f: (x, w) => t.conv2d(x, w, { padding: 'same', groups: 4 }),
      cases: [conv([2, 4, 5, 5], [4, 1, 3, 3])],
    },
    {
      name: 'conv2d 1×1 with batch norm and relu',
      f: (x, w) => t.relu(t.batchNorm(t.conv2d(x, w), { training: true })),
      cases: [conv([2, 5, 3, 4], [6, 5, 1, 1])],
    },
    {
      name: 'conv3d',
      f: (x, w) => t.conv3d(x, w, { padding: 1, stride: 2 }),
      cases: [conv([1, 2, 4, 5, 3], [3, 2, 2, 3, 2])],
    },
    {
      name: 'convTranspose',
      f: (x, w, b) => t.convTranspose2d(x, w, { bias: b, stride: 2, padding: 1, outputPadding: 1 }),
      cases: [[...conv([2, 3, 4, 3], [3, 2, 3, 3]), bias(2)]],
    },
    {
      name: 'convTranspose3d',
      f: (x, w) => t.convTranspose3d(x, w, { stride: [2, 1, 1] }),
      cases: [conv([1, 2, 2, 3, 2], [2, 2, 2, 2, 1])],
    },
    {
      name: 'convTranspose with groups',
      f: (x, w) => t.convTranspose1d(x, w, { groups: 2, dilation: 2 }),
      cases: [conv([2, 4, 5], [4, 3, 2])],
    },
  ];
};

const pools = (): Exercise[] => {
  const x = [floats([2, 3, 7, 6])];
  return [
    {
      name: 'lpPool',
      f: (v) => [
        t.lpPool2d(v, 2, 2),
        t.lpPool2d(v, 3, [3, 2], { stride: 2 }),
        t.lpPool1d(t.select(v, 0, 0), 2, 3),
        t.lpPool3d(v, 2, [2, 3, 2]),
      ],
      cases: [[floats([2, 3, 7, 6], { from: 0.3 })]],
    },
    {
      name: 'maxPool',
      f: (v) => [
        t.maxPool2d(v, 2),
        ...t.maxPool2d(v, [3, 2], { stride: 2, padding: 1, ceilMode: true, returnIndices: true }),
      ],
      cases: [x],
    },
    {
      name: 'maxPool of integers, of bools, of windows without elements',
      f: (i, m, x) => [
        t.maxPool1d(i, 2),
        t.maxPool1d(m, 3, { stride: 2, padding: 1 }),
        t.maxPool1d(x, 2, { stride: 1, padding: 1, dilation: 5 }),
      ],
      cases: [[integers([2, 3, 7], 50), bools([2, 3, 7]), floats([1, 2, 4])]],
      orders: 0,
    },
    {
      name: 'maxPool1d and 3d',
      f: (v) => [t.maxPool1d(v, 3, { stride: 1, dilation: 2 }), t.maxPool3d(t.unsqueeze(v, 0), 2)],
      cases: [[floats([3, 6, 7])].map((s) => s)],
      orders: 2,
    },
    {
      name: 'avgPool1d and 3d',
      f: (v) => [t.avgPool1d(v, 3, { stride: 2, padding: 1 }), t.avgPool3d(t.unsqueeze(v, 0), [2, 2, 3])],
      cases: [[floats([3, 6, 7])]],
    },
    {
      name: 'avgPool',
      f: (v) => [
        t.avgPool2d(v, 2),
        t.avgPool2d(v, 3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
      ],
      cases: [x],
    },
    {
      name: 'maxUnpool',
      f: (v) => {
        const [row, places] = t.maxPool1d(v, 2, { returnIndices: true });
        const [map, at] = t.maxPool2d(v, 2, { returnIndices: true });
        const [block, within] = t.maxPool3d(t.unsqueeze(v, 0), 2, { returnIndices: true });
        return [
          t.maxUnpool1d(row, places, 2, { outputSize: [7] }),
          t.maxUnpool2d(map, at, 2),
          t.maxUnpool3d(block, within, 2),
        ];
      },
      cases: [[floats([3, 6, 7])]],
    },
    {
      name: 'adaptive pools',
      f: (v) => [t.adaptiveAvgPool2d(v, [3, 4]), t.adaptiveMaxPool2d(v, [3, 4]), t.adaptiveAvgPool2d(v, 1)],
      cases: [x],
    },
    {
      name: 'adaptive pools of one and three axes',
      f: (v) => [
        t.adaptiveAvgPool1d(v, 4),
        t.adaptiveMaxPool1d(v, 3),
        t.adaptiveAvgPool3d(t.unsqueeze(v, 0), [2, 4, 3]),
        t.adaptiveMaxPool3d(t.unsqueeze(v, 0), [2, 3, 7]),
      ],
      cases: [[floats([3, 6, 7])]],
    },
  ];
};

export const products = (): Exercise[] => [...matrices(), ...convolutions(), ...pools()];
