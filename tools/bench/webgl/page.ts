/**
 * The page of bench:webgl: each row is ours and TensorFlow.js' WebGL backend, in one page, taking turns; medians, and their
 * ratio beside the goal. A turn queues a few runs, of short work ten, and waits once: what a browser takes to tell that work is
 * done, 2.5 ms, is neither's.
 */

import * as tf from '@tensorflow/tfjs-core';
import { vjp } from '@tessera/autograd';
import { webgl } from '@tessera/backend-webgl';
import {
  compile,
  conv2d,
  matmul,
  maxPool2d,
  mul,
  relu,
  setBackend,
  softmax,
  sum,
  type Tensor,
  tensor,
  transpose,
} from '@tessera/tensor';
import '@tensorflow/tfjs-backend-webgl';
import type { Row, Run } from './row.ts';
import { wholes } from './wholes.ts';

export interface Measured {
  readonly name: string;
  readonly goal: number;
  readonly ours: number;
  readonly theirs: number;
}

const random = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898) % 1);
const ours = (...shape: number[]) => tensor(random(shape.reduce((a, b) => a * b)), { shape });
const theirs = (...shape: number[]) => tf.tensor(random(shape.reduce((a, b) => a * b)), shape);
/** Ours, compiled; results are disposed of at once, and live until the device is through. */
const run = (f: (...xs: Tensor[]) => Tensor, ...xs: Tensor[]): Run => {
  const step = compile(f);
  return () => step(...xs).dispose();
};
const tidy =
  (f: () => unknown): Run =>
  () =>
    void tf.tidy(() => void f());

const product = (n: number, goal: number): Row => ({
  name: `matmul ${n}`,
  goal,
  ours: () => run(matmul, ours(n, n), ours(n, n)),
  theirs: () => {
    const [a, b] = [theirs(n, n), theirs(n, n)];
    return tidy(() => tf.matMul(a, b));
  },
});

/** 64 to 64 channels, 3 × 3, on 28². */
const convolution = (direction: 'forward' | 'inputGrad' | 'weightGrad', goal: number): Row => ({
  name: `conv 3×3 64→64, 28², ${direction}`,
  goal,
  ours: () => {
    const [x, w] = [ours(1, 64, 28, 28), ours(64, 64, 3, 3)];
    if (direction === 'forward') return run((x, w) => conv2d(x, w, { padding: 1 }), x, w);
    const g = ours(1, 64, 28, 28);
    const at = direction === 'inputGrad' ? 0 : 1;
    return run(
      (x, w, g) => vjp((x, w) => conv2d(x as Tensor, w as Tensor, { padding: 1 }), [x, w]).pullback(g)[at] as Tensor,
      x as Tensor,
      w as Tensor,
      g,
    );
  },
  theirs: () => {
    const [x, w, g] = [theirs(1, 28, 28, 64), theirs(3, 3, 64, 64), theirs(1, 28, 28, 64)];
    if (direction === 'forward') return tidy(() => tf.conv2d(x, w, 1, 'same'));
    if (direction === 'inputGrad') return tidy(() => tf.conv2dTranspose(g, w, [1, 28, 28, 64], 1, 'same'));
    const attributes = {
      strides: 1,
      pad: 'same',
      dataFormat: 'NHWC',
      dimRoundingMode: undefined,
      filterShape: [3, 3, 64, 64],
    };
    return tidy(() => tf.engine().runKernel('Conv2DBackpropFilter', { x, dy: g }, attributes));
  },
});

const sums = (name: string, axis?: number): Row => ({
  name,
  goal: 0.2,
  ours: () => run((x) => sum(x, axis), ours(1024, 1024)),
  theirs: () => {
    const x = theirs(1024, 1024);
    return tidy(() => tf.sum(x, axis));
  },
});

const kernels: readonly Row[] = [
  product(256, 1),
  product(512, 0.8),
  product(1024, 0.8),
  convolution('forward', 0.6),
  convolution('inputGrad', 0.25),
  convolution('weightGrad', 0.25),
  {
    name: 'max pool 2×2, 28²×64',
    goal: 0.6,
    ours: () => run((x) => maxPool2d(x, 2), ours(1, 64, 28, 28)),
    theirs: () => {
      const x = theirs(1, 28, 28, 64);
      return tidy(() => tf.maxPool(x, [2, 2], [2, 2], 'valid'));
    },
  },
  {
    name: 'chain of five, 1M',
    goal: 0.15,
    ours: () => run((x, y) => mul(relu(mul(mul(x, y), 0.5)), mul(x, 3)), ours(1024, 1024), ours(1024, 1024)),
    theirs: () => {
      const [x, y] = [theirs(1024, 1024), theirs(1024, 1024)];
      return tidy(() => tf.mul(tf.relu(tf.mul(tf.mul(x, y), 0.5)), tf.mul(x, 3)));
    },
  },
  sums('sum of 1024 rows of 1024', 1),
  sums('sum of 1024 columns of 1024', 0),
  sums('sum of all 1M'),
  {
    name: 'softmax 256×1024',
    goal: 0.5,
    ours: () => run((x) => softmax(x, 1), ours(256, 1024)),
    theirs: () => {
      const x = theirs(256, 1024);
      return tidy(() => tf.softmax(x));
    },
  },
  {
    name: 'transpose 1024²',
    goal: 1.2,
    ours: () => run((x) => mul(transpose(x, 0, 1), 1), ours(1024, 1024)),
    theirs: () => {
      const x = theirs(1024, 1024);
      return tidy(() => tf.transpose(x));
    },
  },
];

const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1] as number;

/** Measures the rows whose names match; `tell` hears of each. */
export async function measure(wanted: string, turns: number, tell: (row: Measured) => void): Promise<void> {
  const backend = await webgl();
  setBackend(backend);
  tf.env().set('WEBGL_CPU_FORWARD', false); // else what waits for it is computed without it
  await tf.setBackend('webgl');
  const probe = tf.tensor(Float32Array.of(1, 2), [2]);
  const wait = { ours: () => backend.sync(), theirs: async () => void (await tf.add(probe, 1).data()) };
  for (const row of [...kernels, ...wholes].filter(({ name }) => new RegExp(wanted).test(name))) {
    const runs = { ours: await row.ours(), theirs: await row.theirs() };
    const times = { ours: [] as number[], theirs: [] as number[] };
    const before = row.fresh ? 0 : row.slow ? 1 : 2;
    let count = 1;
    for (let turn = -before; turn < (row.slow ? Math.min(3, turns) : turns); turn++) {
      const begun = performance.now();
      for (const who of ['ours', 'theirs'] as const) {
        const start = performance.now();
        for (let i = 0; i < count; i++) await runs[who](turn);
        if (!row.fresh) await wait[who]();
        if (turn >= 0) times[who].push((performance.now() - start) / count);
      }
      if (turn === -1 && !row.long) count = Math.min(10, Math.max(3, Math.round(100 / (performance.now() - begun))));
    }
    tell({ name: row.name, goal: row.goal, ours: median(times.ours), theirs: median(times.theirs) });
  }
}

Object.assign(globalThis, { measure });
