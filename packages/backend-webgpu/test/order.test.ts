/** Scans, sorts and scatters of one block and of several, along memory and across it, against the reference. */
import {
  contiguous,
  type Expr,
  expr as e,
  type Load,
  type ScanKernel,
  type ScatterKernel,
  type SortKernel,
  type Store,
  sizeOf,
} from '@tessera/tensor/backend';
import type { KernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GpuExecutable } from '../src/compile';
import { webgpu } from '../src/index';
import type { WebgpuBackend } from '../src/runtime';
import { checkChoice, checkEach } from './choices';
import { emulated } from './emulated';

let backend: WebgpuBackend;
beforeAll(async () => {
  backend = (await webgpu(await emulated())) as WebgpuBackend;
}, 60_000);
afterAll(() => backend.dispose());
const check = (test: KernelCase) => checkChoice(backend, test, { way: 'only' });
async function byEach(...tests: readonly KernelCase[]): Promise<void> {
  for (const test of tests) await checkEach(backend, test);
}

const load = (shape: readonly number[], input = 0, dtype: 'float32' | 'int32' = 'float32'): Load => ({
  op: 'load',
  dtype,
  input,
  view: contiguous(shape),
  at: null,
});
const store = (shape: readonly number[], acc: 0 | 1): Store => ({
  output: acc,
  view: contiguous(shape),
  expr: e.acc(acc, acc ? 'int32' : 'float32'),
});
/** Few values, so that many are equal, with a NaN and infinities among them where the kernel says which wins. */
const values = (size: number, special = true) =>
  Float32Array.from({ length: size }, (_, i) => {
    const x = (i * 7919) % 1009;
    return special && x === 500 ? Number.NaN : special && x % 250 === 7 ? -Infinity : (x % 16) / 4 - 1.5;
  });

describe('scans', () => {
  const scanned = (
    shape: readonly number[],
    axis: number,
    combine: ScanKernel['combine'],
    reverse: boolean,
  ): KernelCase => {
    const size = sizeOf(shape);
    const places = combine === 'max' || combine === 'min';
    const kernel: ScanKernel = {
      kind: 'scan',
      shape,
      axis,
      combine,
      reverse,
      a: load(shape),
      stores: [store(shape, 0), ...(places ? [store(shape, 1)] : [])],
      inputs: [{ dtype: 'float32', size }],
      outputs: [{ dtype: 'float32', size }, ...(places ? [{ dtype: 'int32' as const, size }] : [])],
      uniforms: [],
      aliases: places ? [-1, -1] : [-1],
    };
    const data = values(size, places);
    return {
      title: `${combine} of [${shape}] along ${axis}${reverse ? ', from the end' : ''}`,
      kernel,
      inputs: [data],
      uniforms: [],
    };
  };
  it.each([
    scanned([1, 9], 1, 'sum', false),
    scanned([3, 64], 1, 'max', true),
    scanned([5, 517], 1, 'sum', true),
    scanned([2, 2048], 1, 'max', false),
    scanned([3, 2049], 1, 'min', true),
    scanned([2, 5000], 1, 'sum', false),
    scanned([20_000], 0, 'sum', true),
    scanned([20_000], 0, 'max', false),
    scanned([64, 65], 0, 'sum', false),
    scanned([65, 3], 0, 'min', false),
    scanned([1000, 5], 0, 'max', true),
    scanned([2, 300, 3], 1, 'sum', true),
  ])('$title', check);
  it('by each tile that a tuner tries', () =>
    byEach(scanned([2, 2100], 1, 'sum', true), scanned([100, 5], 0, 'max', false)));
});

describe('sorts', () => {
  const sorted = (
    shape: readonly number[],
    axis: number,
    descending: boolean,
    k = shape[axis] as number,
  ): KernelCase => {
    const result = shape.map((size, i) => (i === axis ? k : size));
    const kernel: SortKernel = {
      kind: 'sort',
      shape,
      axis,
      descending,
      k,
      a: load(shape),
      stores: [store(result, 0), store(result, 1)],
      inputs: [{ dtype: 'float32', size: sizeOf(shape) }],
      outputs: [
        { dtype: 'float32', size: sizeOf(result) },
        { dtype: 'int32', size: sizeOf(result) },
      ],
      uniforms: [],
      aliases: [-1, -1],
    };
    const title = `[${shape}] along ${axis}${descending ? ', descending' : ''}, the first ${k}`;
    return { title, kernel, inputs: [values(sizeOf(shape))], uniforms: [] };
  };
  it.each([
    sorted([5, 1], 1, false),
    sorted([70, 3], 1, true),
    sorted([33, 17], 0, false, 4),
    sorted([3, 1000], 1, true, 5),
    sorted([1024], 0, false),
    sorted([2, 1025], 1, true),
    sorted([2, 3000], 1, false, 2999),
  ])('$title', check);
  it('by each tile that a tuner tries', () => byEach(sorted([2, 1300], 1, true, 1000)));
  it('are written by what is loaded when the first is met; to make a plan ready waits for it', async () => {
    const fresh = (await webgpu(await emulated())) as WebgpuBackend;
    const executable = fresh.compile(sorted([3, 9], 1, false).kernel) as GpuExecutable;
    expect(executable.passes).toEqual([]);
    const told: unknown[] = [];
    const steps = [{ executable, inputs: [0], outputs: [1, 2], uniforms: [] }];
    await fresh.prepare({ steps }, { onProgress: (progress) => told.push(progress) });
    expect(executable.passes).toHaveLength(1);
    expect(executable.waiting).toBeNull();
    expect(told.at(-1)).toEqual({ done: 1, total: 1 });
    fresh.dispose();
  });
});

describe('scatters', () => {
  type Place = (update: (axis: number) => Expr, index: Expr) => Expr[];
  /** Updates at the places that `at` says, in which one load of `indices` values may be used, over these axes of the updates. */
  const scattered = (
    combine: ScatterKernel['combine'],
    shape: readonly number[],
    updates: readonly number[],
    over: readonly number[],
    at: Place,
    most: number,
  ): KernelCase => {
    const sizes = updates.map((size, axis) => (over.includes(axis) ? size : 1));
    const strides = contiguous(sizes).strides.map((stride, axis) => (over.includes(axis) ? stride : 0));
    const index: Expr = { ...load(updates, 2, 'int32'), view: { shape: updates, strides, offset: 0, valid: null } };
    const kernel: ScatterKernel = {
      kind: 'scatter',
      shape,
      updates,
      combine,
      init: load(shape),
      at: at((axis) => ({ op: 'index', dtype: 'int32', axis }), index),
      value: load(updates, 1),
      stores: [store(shape, 0)],
      inputs: [
        { dtype: 'float32', size: sizeOf(shape) },
        { dtype: 'float32', size: sizeOf(updates) },
        { dtype: 'int32', size: sizeOf(sizes) },
      ],
      outputs: [{ dtype: 'float32', size: sizeOf(shape) }],
      uniforms: [],
      aliases: [-1],
    };
    // some places are outside, and most are hit more than once
    const indices = Int32Array.from({ length: sizeOf(sizes) }, (_, i) => ((i * 7919) % (most + 2)) - 1);
    const title = `${combine} of [${updates}] into [${shape}]`;
    return {
      title,
      kernel,
      inputs: [values(sizeOf(shape), false), values(sizeOf(updates), false), indices],
      uniforms: [],
    };
  };
  it.each([
    ['rows, keys sorted once', scattered('add', [7, 5], [40, 5], [0], (of, i) => [i, of(1)], 7)],
    ['along rows, keys of each', scattered('add', [6, 9], [6, 30], [0, 1], (of, i) => [of(0), i], 9)],
    ['axes that change places', scattered('assign', [4, 6, 5], [5, 20, 4], [1], (of, i) => [of(2), i, of(0)], 6)],
    [
      'keys that depend on one of two axes that stay',
      scattered('max', [3, 6, 4], [3, 9, 4], [0, 1], (of, i) => [of(0), i, of(2)], 6),
    ],
    ['the last of equals', scattered('assign', [11], [300], [0], (_, i) => [i], 11)],
    ['few elements, whose updates lanes share', scattered('add', [3, 2], [2000, 2], [0], (of, i) => [i, of(1)], 3)],
    ['the largest, of lanes', scattered('max', [5], [700], [0], (_, i) => [i], 5)],
    ['a diagonal', scattered('add', [6, 6], [6], [0], (of) => [of(0), of(0)], 6)],
    ['runs that are merged', scattered('add', [30], [1500], [0], (_, i) => [i], 30)],
  ] as const)('%s', (_, test) => check(test));
  it('by each tile that a tuner tries', () =>
    byEach(scattered('add', [3, 2], [1100, 2], [0], (of, i) => [i, of(1)], 3)));
});
