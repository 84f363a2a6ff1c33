/** Scans, sorts and scatters of one block and of several, along memory and across it, against the reference. */
import { contiguous, expr as e, type Load, type ScanKernel, type Store, sizeOf } from '@tessera/tensor/backend';
import type { KernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { webgpu } from '../src/index';
import type { WebgpuBackend } from '../src/runtime';
import { checkChoice } from './choices';
import { emulated } from './emulated';

let backend: WebgpuBackend;
beforeAll(async () => {
  backend = (await webgpu(await emulated())) as WebgpuBackend;
}, 60_000);
afterAll(() => backend.dispose());
const check = (test: KernelCase) => checkChoice(backend, test, { way: 'only' });

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
});
