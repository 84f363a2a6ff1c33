/** Pools with one and with four results a thread, forward and back, against the reference. */
import { contiguous, expr as e, type PoolKernel, type PoolSizes, sizeOf } from '@tessera/tensor/backend';
import type { KernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webgpu } from '../src/index';
import { poolChoices } from '../src/kernels/pool';
import type { WebgpuBackend } from '../src/runtime';
import { checkChoice, checkEach } from './choices';
import { emulated } from './emulated';
import { largeDevice } from './target';

let backend: WebgpuBackend;
beforeAll(async () => {
  backend = (await webgpu(await emulated())) as WebgpuBackend;
}, 60_000);
afterAll(() => backend.dispose());

type Options = Partial<Pick<PoolSizes, 'stride' | 'dilation' | 'padding' | 'output'>>;
function sizesOf(batch: number, input: readonly number[], kernel: readonly number[], options: Options = {}): PoolSizes {
  const ones = input.map(() => 1);
  const { stride = ones, dilation = ones, padding = input.map(() => 0) } = options;
  const reach = (axis: number) => (dilation[axis] as number) * ((kernel[axis] as number) - 1) + 1;
  const output = input.map((size, axis) =>
    Math.floor((size + 2 * (padding[axis] as number) - reach(axis)) / (stride[axis] as number) + 1),
  );
  return { batch, input, kernel, output, stride, dilation, padding, ...options };
}

function caseOf(
  title: string,
  direction: PoolKernel['direction'],
  combine: PoolKernel['combine'],
  sizes: PoolSizes,
): KernelCase {
  const [input, output] = [
    [sizes.batch, ...sizes.input],
    [sizes.batch, ...sizes.output],
  ];
  const forward = direction === 'forward';
  const [from, to] = forward ? [input, output] : [output, input];
  const load = (at: number, dtype: 'float32' | 'int32') => ({
    op: 'load' as const,
    dtype,
    input: at,
    view: contiguous(from),
    at: null,
  });
  const named = !forward && combine === 'max';
  const places = forward && combine === 'max';
  const count = sizeOf(from);
  const values = Float32Array.from({ length: count }, (_, i) =>
    i % 7 === 3 ? -Infinity : i % 11 === 5 ? 0.5 : Math.sin(i * 1.7),
  );
  const numbers = forward && combine === 'max' ? values : values.map((x) => (Number.isFinite(x) ? x : 2));
  const whole = (shape: readonly number[], output: number, acc: 0 | 1) => ({
    output,
    view: contiguous(shape),
    expr: e.acc(acc, acc ? 'int32' : 'float32'),
  });
  const kernel: PoolKernel = {
    kind: 'pool',
    direction,
    combine,
    sizes,
    a: load(0, 'float32'),
    b: named ? load(1, 'int32') : null,
    stores: [whole(to, 0, 0), ...(places ? [whole(to, 1, 1)] : [])],
    inputs: [{ dtype: 'float32', size: count }, ...(named ? [{ dtype: 'int32' as const, size: count }] : [])],
    outputs: [
      { dtype: 'float32', size: sizeOf(to) },
      ...(places ? [{ dtype: 'int32' as const, size: sizeOf(to) }] : []),
    ],
    uniforms: [],
    aliases: places ? [-1, -1] : [-1],
  };
  return {
    title: `${combine} ${direction}: ${title}`,
    kernel,
    inputs: named ? [numbers, placesOf(sizes)] : [numbers],
    uniforms: [],
  };
}

/** For each window one of the elements that it has. */
function placesOf({ batch, input, output, kernel, stride, dilation, padding }: PoolSizes): Int32Array {
  return Int32Array.from({ length: batch * sizeOf(output) }, (_, i) => {
    let [rest, place, scale] = [i % sizeOf(output), 0, 1];
    for (let axis = input.length - 1; axis >= 0; axis--) {
      const [size, count] = [input[axis] as number, output[axis] as number];
      const [s, d, p, k] = [stride, dilation, padding, kernel].map((list) => list[axis] as number) as [
        number,
        number,
        number,
        number,
      ];
      const at = (rest % count) * s - p + ((i * 5) % k) * d;
      place += scale * Math.min(size - 1, Math.max(0, at));
      rest = Math.floor(rest / count);
      scale *= size;
    }
    return place;
  });
}

const table: readonly (readonly [string, PoolSizes])[] = [
  ['2×2 stride 2', sizesOf(3, [6, 16], [2, 2], { stride: [2, 2] })],
  ['3×3 stride 2, padded', sizesOf(2, [9, 16], [3, 3], { stride: [2, 2], padding: [1, 1] })],
  ['3×3 stride 1, padded', sizesOf(2, [5, 12], [3, 3], { padding: [1, 1] })],
  ['5×4 strides 3 and 4, padded by 2', sizesOf(1, [11, 32], [5, 4], { stride: [3, 4], padding: [2, 2] })],
  ['7 long, stride 1, hanging over the end', sizesOf(2, [4, 8], [1, 7], { padding: [0, 3], output: [4, 8] })],
  ['stride 3, which no vector follows', sizesOf(2, [4, 24], [2, 3], { stride: [1, 3] })],
  ['stride larger than the window', sizesOf(2, [5, 16], [1, 2], { stride: [2, 4] })],
  ['dilated', sizesOf(2, [9, 12], [2, 3], { dilation: [3, 2], padding: [0, 2] })],
  ['1d', sizesOf(3, [32], [3], { stride: [2], padding: [1] })],
  ['3d', sizesOf(2, [3, 4, 8], [2, 3, 2], { stride: [1, 2, 2], padding: [0, 1, 0] })],
];
const cases = table.flatMap(([title, sizes]) =>
  (['forward', 'backward'] as const).flatMap((direction) =>
    (['max', 'sum'] as const).map((combine) => caseOf(title, direction, combine, sizes)),
  ),
);

describe('pools', () => {
  it.each(cases)('$title', async (test) => {
    const ways = poolChoices(test.kernel as PoolKernel, largeDevice);
    for (const choice of ways.filter(({ threads }) => !threads)) await checkChoice(backend, test, choice);
  });
  it('by each tile that a tuner tries', async () => {
    const test = cases.find(({ title }) => title === 'max forward: 3×3 stride 2, padded') as KernelCase;
    expect(await checkEach(backend, test, 5)).toContainEqual({ way: 'windows', each: 4, threads: 256 });
  });
  it('have four results a thread where those are vectors, and windows lie among them alike', () => {
    const one = cases.filter(({ kernel }) => poolChoices(kernel as PoolKernel, largeDevice)[0]?.each === 1);
    expect(one.map(({ title }) => title.replace(/^(max|sum) /, ''))).toEqual([
      'forward: 5×4 strides 3 and 4, padded by 2',
      'forward: 5×4 strides 3 and 4, padded by 2',
      'backward: stride 3, which no vector follows',
      'backward: stride 3, which no vector follows',
      'backward: dilated',
      'backward: dilated',
    ]);
  });
});
