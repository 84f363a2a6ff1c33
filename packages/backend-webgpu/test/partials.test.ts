/** Sums of a convolution's result that its tiles leave, and reductions that join them; x lies far from 0, where squares would cancel. */
import { valueAndGrad } from '@tessera/autograd';
import {
  add,
  batchNorm,
  batchNormTraining,
  conv2d,
  mul,
  realize,
  relu,
  State,
  setBackend,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import {
  type Backend,
  type ConvKernel,
  contiguous,
  type Expr,
  expr as e,
  type Kernel,
  type ReduceKernel,
  sizeOf,
} from '@tessera/tensor/backend';
import { programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { type KernelCase, runKernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { targetOf } from '../src/device';
import { webgpu } from '../src/index';
import { convChoices } from '../src/kernels/conv';
import { reduce } from '../src/kernels/reduce';
import { type ByRows, reduceChoices } from '../src/kernels/reduction';
import { type Tile, tiles } from '../src/kernels/tiles';
import type { WebgpuBackend } from '../src/runtime';
import { numbers } from './choices';
import { emulated, emulatedAdapter } from './emulated';
import { largeDevice } from './target';

let exchanging: WebgpuBackend;
let plain: WebgpuBackend;
beforeAll(async () => {
  exchanging = (await webgpu(await emulated())) as WebgpuBackend;
  const adapter = await emulatedAdapter();
  const { maxStorageBuffersPerShaderStage } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxStorageBuffersPerShaderStage } }); // of no features
  plain = (await webgpu({ device, probe: false })) as WebgpuBackend;
});
afterAll(() => {
  exchanging.dispose();
  plain.dispose();
});

const roomy = { ...largeDevice, threads: 256, shared: 65536 };

const load = (input: number, shape: readonly number[]): Expr => ({
  op: 'load',
  dtype: 'float32',
  input,
  view: contiguous(shape),
  at: null,
});
const operands = (sizes: readonly number[]) => sizes.map((size) => ({ dtype: 'float32' as const, size }));

type Sizes = Pick<ConvKernel['sizes'], 'n' | 'c' | 'o' | 'groups' | 'output'> & { readonly window: number };
/** y = x ∗ w + 1000 for each channel, same padding, with sums of y, and squares, over parts of so many columns. */
function summed({ n, c, o, groups, output, window }: Sizes, columns: number): KernelCase & { kernel: ConvKernel } {
  const each = <T>(value: T) => output.map(() => value);
  const sizes = {
    ...{ n, c, o, groups, output, input: output, kernel: each(window), stride: each(1), dilation: each(1) },
    padding: each((window - 1) / 2),
  };
  const [x, w, y] = [
    [n, c, ...output],
    [o, c / groups, ...sizes.kernel],
    [n, o, ...output],
  ];
  const view = { shape: y, strides: y.map((_, axis) => (axis === 1 ? 1 : 0)), offset: 0, valid: null };
  const expr = e.add<Expr & { op: 'load' }>(e.acc(0), {
    op: 'load',
    dtype: 'float32',
    input: 2,
    view,
    at: null,
  }) as Expr;
  const parts = Math.ceil((n * sizeOf(output)) / columns);
  return {
    title: `[${x}] ∗ [${w}]`,
    kernel: {
      ...{ kind: 'conv', direction: 'forward', sizes, a: load(0, x), b: load(1, w), uniforms: [], aliases: [-1, -1] },
      stores: [{ output: 0, view: contiguous(y), expr }],
      partials: { output: 1, columns, sums: [expr], squares: true },
      inputs: operands([sizeOf(x), sizeOf(w), o]),
      outputs: operands([sizeOf(y), 2 * o * parts]),
    },
    inputs: [numbers(sizeOf(x), 1), numbers(sizeOf(w), 2), Float32Array.from({ length: o }, (_, i) => 1000 + i)],
    uniforms: [],
  };
}
/** The same without sums, in float64. */
async function mapOf({ kernel, ...rest }: ReturnType<typeof summed>): Promise<ArrayLike<number>> {
  const { partials: _, ...without } = kernel;
  const alone = { ...without, outputs: kernel.outputs.slice(0, 1), aliases: [-1] };
  const [map] = await runKernelCase(reference({ dtype: 'float64' }), { ...rest, kernel: alone });
  return map as ArrayLike<number>;
}
/** Sums and squares of a map's parts, as `Partials` lie. */
function partsOf(map: ArrayLike<number>, { n, o, output }: ConvKernel['sizes'], columns: number): number[][] {
  const places = sizeOf(output);
  const parts = Math.ceil((n * places) / columns);
  const of = (channel: number, part: number) =>
    Array.from({ length: Math.min(columns, n * places - part * columns) }, (_, i) => {
      const at = part * columns + i;
      return map[(Math.floor(at / places) * o + channel) * places + (at % places)] as number;
    });
  const rows = Array.from({ length: o * parts }, (_, i) => of(Math.floor(i / parts), i % parts));
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  return [rows.map(sum), rows.map((row) => sum(row.map((x) => (x - sum(row) / row.length) ** 2)))];
}

const tileOf = (m: number, n: number, staging: Tile['staging'] = 'once') =>
  tiles.find((tile) => tile.m === m && tile.n === n && tile.staging === staging) as Tile;
const plainSizes: Sizes = { n: 3, c: 5, o: 20, groups: 1, output: [6, 7], window: 3 };
const table: readonly (readonly [string, Sizes, Tile, number])[] = [
  ['ragged edges of no vectors', plainSizes, tileOf(32, 32), 1],
  ['k in parts', plainSizes, tileOf(16, 64), 2],
  ['1×1, vectors, a ragged edge', { n: 2, c: 8, o: 32, groups: 1, output: [5, 8], window: 1 }, tileOf(32, 64), 1],
  ['1×1, vectors, whole tiles, k in parts', { n: 2, c: 64, o: 16, groups: 1, output: [8, 8], window: 1 }, tileOf(16, 64), 2],
  ['groups', { n: 2, c: 6, o: 20, groups: 2, output: [33], window: 3 }, tileOf(32, 32), 1],
  ['staged ahead', { ...plainSizes, output: [9, 11] }, { m: 32, n: 64, k: 8, perThread: [4, 4], staging: 'ahead' }, 1],
  ['from storage', { ...plainSizes, output: [9, 11] }, tileOf(32, 32, 'none'), 1],
  ['a row of single lanes', { ...plainSizes, n: 1 }, tileOf(64, 16), 1],
]; // biome-ignore format: a row a case

describe('sums that a convolution leaves', () => {
  const backends = [
    ['in subgroups', () => exchanging],
    ['in workgroup memory', () => plain],
  ] as const;
  it.each(
    // an emulator takes seconds for each: the first both ways, the others in turns
    table.flatMap((row, i) =>
      backends.flatMap(([how, backend], b) =>
        i > 0 && b !== i % 2 ? [] : [[row[0], how, ...row.slice(1), backend] as const],
      ),
    ),
  )('with %s, joined %s', async (_, __, sizes, tile, splits, backend) => {
    const columns = (tile as Tile).n;
    const test = summed(sizes as Sizes, columns);
    const choice = convChoices(test.kernel, roomy).find(({ way }) => way === 'tiles');
    const chosen = { ...choice, tile, splits } as never;
    const device = (backend as () => WebgpuBackend)();
    const compile = (kernel: Kernel) => device.compile(kernel, chosen);
    const [map, left] = await runKernelCase(
      new Proxy<Backend>(device, {
        get: (_, name) =>
          name === 'compile' ? compile : (Reflect.get(device, name)?.bind?.(device) ?? Reflect.get(device, name)),
      }),
      test,
    );
    const exact = await mapOf(test);
    const [sums, squares] = partsOf(exact, test.kernel.sizes, columns) as [number[], number[]];
    for (let i = 0; i < exact.length; i++)
      expect(Math.abs((map?.[i] as number) - (exact[i] as number))).toBeLessThan(5e-4);
    sums.forEach((sum, i) => {
      expect(Math.abs((left?.[i] as number) / sum - 1)).toBeLessThan(1e-6);
    });
    squares.forEach((square, i) => {
      // elements round at 1000 to 3e-5 each
      expect(Math.abs((left?.[sums.length + i] as number) - square)).toBeLessThan(1e-3 * (1 + square));
    });
  });
});

describe('a norm behind a convolution', () => {
  /** Map, its norm by the batch, mean and variance: of a bias of 1000 and a map of ± 1 about it. */
  async function normed(backend: Backend, shape: readonly number[], o: number, window: number, map: boolean) {
    setBackend(backend);
    const [n, c, ...places] = shape as [number, number, ...number[]];
    const x = tensor(numbers(sizeOf(shape), 1), { shape });
    const w = tensor(numbers(o * c * window ** 2, 2), { shape: [o, c, window, window] });
    const bias = tensor(new Float32Array(o).fill(1000), { shape: [o] });
    const y = conv2d(x, w, { bias, padding: (window - 1) / 2 });
    const [norm, mean, variance] = batchNormTraining(y);
    const wanted: Tensor[] = map ? [y, mean, variance, norm] : [y, mean, variance];
    const kernels = programsOf(wanted).flatMap(({ program }) => program.steps.map(({ kernel }) => kernel));
    await realize(...wanted);
    const values = await Promise.all(wanted.map((one) => one.data()));
    return { values, kernels, count: n * sizeOf(places) };
  }
  it.each([
    ['its statistics alone', [3, 3, 7, 9], 20, 3, false, 1, () => exchanging],
    ['statistics of a tile alone', [1, 3, 5, 5], 60, 1, false, 1, () => plain],
    ['its map too, of rows that no workgroup keeps', [2, 3, 24, 24], 9, 1, true, 1, () => exchanging],
    ['its map too, in chunks', [4, 2, 64, 64], 4, 1, true, 2, () => plain],
  ] as const)('joins what is left of sums: %s', async (_, shape, o, window, map, dispatches, backendOf) => {
    const exact = await normed(reference({ dtype: 'float64' }), shape, o, window, map);
    const backend = backendOf();
    const { values, kernels } = await normed(backend, shape, o, window, map);
    const [conv, norm] = kernels as [ConvKernel, ReduceKernel];
    expect([kernels.length, conv.partials?.squares, norm.joins?.columns]).toEqual([2, true, conv.partials?.columns]);
    expect(norm.inputs.length).toBe(map ? 2 : 1);
    const target = targetOf(backend.device);
    expect(reduce(norm, target, reduceChoices(norm, target)[0] as ByRows).dispatches.length).toBe(dispatches);
    const [, mean, variance] = exact.values as [unknown, Float32Array, Float32Array];
    values.forEach((got, i) => {
      const wanted = exact.values[i] as Float32Array;
      const { length } = wanted;
      for (let at = 0; at < length; at++) {
        const miss = Math.abs((got[at] as number) - (wanted[at] as number));
        if (i < 2) expect(miss).toBeLessThan(5e-4);
        else if (i === 2) expect(miss).toBeLessThan(1e-3 * (variance[at] as number));
        else expect(miss).toBeLessThan(1e-3);
      }
    });
    expect(mean.length).toBe(o);
  });
  it('reads a map that registers keep once, and leaves nothing for it', async () => {
    const { kernels } = await normed(exchanging, [2, 3, 8, 8], 16, 1, true);
    expect(kernels.some((kernel) => 'partials' in kernel || 'joins' in kernel)).toBe(false);
  });
});

describe("a norm's gradient behind a convolution's", () => {
  /** Gradients of a convolution whose map lies about 100, its norm and ReLU, and a second convolution; of x, too, behind a window. */
  async function trained(backend: Backend, shape: readonly number[], window: number) {
    setBackend(backend);
    const [n, c, height, width] = shape as [number, number, number, number];
    const cell = (seed: number, ...sizes: number[]) =>
      new State(tensor(numbers(sizeOf(sizes), seed), { shape: sizes }));
    const [w, v, gain, shift] = [cell(1, 2, c, window, window), cell(2, 3, 2, 1, 1), cell(4, 2), cell(5, 2)];
    const [x, bias] = [cell(6, ...shape), new State(tensor(new Float32Array(2).fill(100)))];
    const seen = tensor(numbers(n * 3 * height * width, 7), { shape: [n, 3, height, width] });
    const { grads } = valueAndGrad(() => {
      const map = conv2d(x.read(), w.read(), { bias: bias.read(), padding: window >> 1 });
      const y = relu(batchNorm(map, { weight: gain.read(), bias: shift.read(), training: true }));
      // the map itself, too: without it the gradient of its bias is none
      return add(sum(mul(conv2d(y, v.read()), seen)), mul(sum(map), 0.1));
    }, [w, bias, gain, shift, v, ...(window > 1 ? [x] : [])]);
    const kernels = programsOf(grads).flatMap(({ program }) => program.steps.map(({ kernel }) => kernel));
    await realize(...grads);
    return { values: await Promise.all(grads.map((one) => one.data())), kernels };
  }
  it.each([
    ['in subgroups, and is computed in what reads it', () => exchanging, [2, 2, 96, 96], 1, 3],
    ['in workgroup memory, stored before windows, of rows that are no vectors', () => plain, [1, 1, 151, 111], 3, 2],
  ] as const)('joins its sums %s', async (_, backend, shape, window, sums) => {
    const exact = await trained(reference({ dtype: 'float64' }), shape, window);
    const { values, kernels } = await trained(backend(), shape, window);
    const convs = kernels.filter((kernel): kernel is ConvKernel => kernel.kind === 'conv');
    const leaving = convs.filter(({ partials }) => partials).map(({ direction }) => direction);
    expect(leaving.sort()).toEqual(['forward', 'inputGrad']);
    const joins = kernels.filter((kernel) => kernel.kind === 'reduce' && kernel.joins) as ReduceKernel[];
    expect(joins.map(({ stages }) => stages.map((stage) => stage.length))).toEqual([[1, 1], [sums]]);
    expect(joins.at(-1)?.stores.some(({ per }) => per === 'element')).toBe(window > 1);
    values.forEach((got, i) => {
      const wanted = exact.values[i] as Float32Array;
      const largest = Math.max(...wanted.map(Math.abs));
      const miss = Math.max(...wanted.map((one, at) => Math.abs(one - (got[at] as number))));
      expect(miss / largest, `gradient ${i}`).toBeLessThan(2e-4);
    });
  });
});
