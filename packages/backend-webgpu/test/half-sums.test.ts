/**
 * Sums of a float16 map that a convolution leaves (`Partials`): of the values as they are stored. All numbers are eighths, so that
 * sums are exact and the map, about 100, rounds to sixteenths in one way alone.
 */
import { batchNormTraining, conv2d, setBackend, type Tensor, tensor } from '@tessera/tensor';
import {
  type ConvKernel,
  contiguous,
  type Expr,
  expr as e,
  fromHalf,
  type ReduceKernel,
  sizeOf,
  toHalf,
} from '@tessera/tensor/backend';
import { programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import type { KernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countingDevice } from '../../../tools/bench/gpu/counting-device';
import { generate } from '../src/compile';
import { webgpu } from '../src/index';
import { conv, convChoices } from '../src/kernels/conv';
import * as by from '../src/kernels/matrix';
import { tiles } from '../src/kernels/tiles';
import type { Target } from '../src/shader';
import { emulatedAdapter } from './emulated';
import { lanes, run, size } from './halves';
import { largeDevice } from './target';

const target: Target = {
  ...largeDevice,
  room: { buffers: 10, bytes: 2 ** 27 },
  threads: 256,
  shared: 32768,
  matrix: { m: size, n: size, k: size, lanes, by },
  subgroup: lanes,
};

let device: GPUDevice;
beforeAll(async () => {
  const adapter = await emulatedAdapter();
  const requiredLimits = { maxStorageBuffersPerShaderStage: 10, maxComputeWorkgroupStorageSize: target.shared };
  device = await adapter.requestDevice({ requiredLimits, requiredFeatures: ['subgroups'] as GPUFeatureName[] });
});
afterAll(() => device.destroy());

const eighths = (count: number, salt: number) =>
  Float32Array.from({ length: count }, (_, i) => (((i * 7 + salt * 5 + ((i * i) >> 3)) % 9) - 4) / 8);
const load = (input: number, shape: readonly number[], strides = contiguous(shape).strides): Expr => ({
  ...{ op: 'load', dtype: 'float32', input, at: null },
  view: { shape, strides, offset: 0, valid: null },
});

interface Sizes {
  readonly n: number;
  readonly c: number;
  readonly o: number;
  readonly places: readonly number[];
  readonly window: number;
}
/**
 * Forward: y = x ∗ w + 100, with Σy and squares about the mean; else ∂x + 100 with Σ∂x and Σ∂x·z of another map z. A map and, of it,
 * both sums of each part of so many columns.
 */
function made({ n, c, o, places, window }: Sizes, direction: 'forward' | 'inputGrad', columns: number) {
  const forward = direction === 'forward';
  const each = (value: number) => places.map(() => value);
  const rest = { stride: each(1), dilation: each(1), padding: each(window >> 1) };
  const sizes = { n, c, o, groups: 1, input: places, output: places, kernel: each(window), ...rest };
  const channels = forward ? o : c;
  const [a, w, y] = [
    [n, forward ? c : o, ...places],
    [o, c, ...each(window)],
    [n, channels, ...places],
  ] as const;
  const bias = load(
    2,
    y,
    y.map((_, axis) => (axis === 1 ? 1 : 0)),
  );
  const stored = e.add(e.acc(0), bias as never) as Expr;
  const z = load(3, y);
  const sums = forward ? [e.acc(1)] : [e.acc(1), e.mul(e.acc(1), z as never) as Expr];
  const parts = Math.ceil((n * sizeOf(places)) / columns);
  const half = (shape: readonly number[]) => ({ dtype: 'float16' as const, size: sizeOf(shape) });
  const kernel: ConvKernel = {
    ...{ kind: 'conv', direction, sizes, a: load(0, a), b: load(1, w), halves: true, uniforms: [], aliases: [-1, -1] },
    stores: [{ output: 0, view: contiguous(y), expr: stored }],
    partials: { output: 1, columns, sums, half: 0, squares: forward },
    inputs: [half(a), half(w), { dtype: 'float32', size: channels }, ...(forward ? [] : [half(y)])],
    outputs: [half(y), { dtype: 'float32', size: 2 * channels * parts }],
  };
  const numbers = [a, w].map((shape, i) => eighths(sizeOf(shape), i + 1));
  const inputs = [...numbers, new Float32Array(channels).fill(100), ...(forward ? [] : [eighths(sizeOf(y), 3)])];

  // by the definition
  const [x, weights] = numbers as [Float32Array, Float32Array];
  const map = Array.from({ length: sizeOf(y) }, () => 0);
  const [height, width = 1] = places as [number, number?];
  const [windows, across] = [window, places.length > 1 ? window : 1];
  const [down, right] = [window >> 1, places.length > 1 ? window >> 1 : 0];
  for (let image = 0; image < n; image++)
    for (let to = 0; to < channels; to++)
      for (let from = 0; from < (forward ? c : o); from++)
        for (let p = 0; p < height * width; p++)
          for (let r = 0; r < windows * across; r++) {
            const [dy, dx] = [Math.floor(r / across) - down, (r % across) - right];
            const [py, px] = [Math.floor(p / width) + (forward ? dy : -dy), (p % width) + (forward ? dx : -dx)];
            if (py < 0 || py >= height || px < 0 || px >= width) continue;
            const weight = forward ? (to * c + from) * windows * across + r : (from * c + to) * windows * across + r;
            const at = (image * channels + to) * height * width + p;
            const read = (image * (forward ? c : o) + from) * height * width + py * width + px;
            map[at] = (map[at] as number) + (x[read] as number) * (weights[weight] as number);
          }
  const wanted = map.map((value) => fromHalf(toHalf(value + 100)));
  const rows = Array.from({ length: channels * parts }, (_, i) => {
    const [channel, part] = [Math.floor(i / parts), i % parts];
    const count = Math.min(columns, n * height * width - part * columns);
    return Array.from({ length: count }, (_, k) => {
      const column = part * columns + k;
      const image = Math.floor(column / (height * width));
      return (image * channels + channel) * height * width + (column % (height * width));
    });
  });
  const total = (values: number[]) => values.reduce((one, other) => one + other, 0);
  const first = rows.map((row) => total(row.map((at) => wanted[at] as number)));
  const second = rows.map((row, i) =>
    forward
      ? total(row.map((at) => ((wanted[at] as number) - (first[i] as number) / row.length) ** 2))
      : total(row.map((at) => (wanted[at] as number) * (inputs[3]?.[at] as number))),
  );
  const test: KernelCase = { title: direction, kernel, inputs, uniforms: [] };
  return { test, wanted, sums: [...first, ...second] };
}

const matrix = (m: number, splits = 1): by.ByMatrix => ({
  ...{ way: 'matrix', splits },
  tile: by.matrixTiles.find((tile) => tile.m === m) as by.MatrixTile,
});
const tile = tiles.find(({ m, n, staging }) => m === 32 && n === 32 && staging === 'once') as (typeof tiles)[number];

describe('sums of a float16 map', () => {
  it.each([
    ['by tiles', { n: 2, c: 3, o: 20, places: [5, 7], window: 3 }, 'forward', { way: 'tiles', tile, splits: 1 }, 32],
    ['by blocks', { n: 2, c: 3, o: 20, places: [5, 7], window: 3 }, 'forward', matrix(32), 32],
    ['in parts of k', { n: 2, c: 3, o: 20, places: [5, 7], window: 3 }, 'forward', matrix(32, 2), 32],
    ['in parts of k, vectors', { n: 3, c: 36, o: 40, places: [4, 8], window: 1 }, 'inputGrad', matrix(32, 2), 32],
    ['by blocks, vectors', { n: 3, c: 36, o: 4, places: [4, 8], window: 1 }, 'inputGrad', matrix(32), 32],
  ] as const)('%s', async (_, sizes, direction, choice, columns) => {
    const { test, wanted, sums } = made(sizes, direction, columns);
    const kernel = test.kernel as ConvKernel;
    const chosen = { ...choice, order: 'flat' } as const;
    const plain = ({ way, tile }: { way: string; tile?: unknown }) => JSON.stringify([way, tile]);
    expect(convChoices(kernel, target).map((one) => plain(one as never))).toContain(plain(choice));
    // the emulator's subgroups are smaller: they join two lanes, not eight
    const own = choice.way === 'tiles' || choice.splits > 1 ? { ...target, subgroup: null } : target;
    const [map, left] = await run(device, test, conv(kernel, own, chosen), true);
    expect(Array.from(map as Float32Array)).toEqual(wanted);
    sums.forEach((sum, i) => {
      expect(Math.abs((left?.[i] as number) - sum), `sum ${i} is ${left?.[i]}, wants ${sum}`).toBeLessThan(
        1e-4 * (1 + Math.abs(sum)),
      );
    });
  });
});

describe('a norm behind a float16 map', () => {
  /** The map, its mean and variance: of values that lie far from 0, where float16 is coarse. */
  const wanted = (): Tensor[] => {
    const x = tensor(
      eighths(2 * 3 * 24 * 24, 1).map((value) => value + 4),
      { shape: [2, 3, 24, 24], dtype: 'float16' },
    );
    const w = tensor(
      eighths(9 * 3, 2).map((value) => value + 4),
      { shape: [9, 3, 1, 1], dtype: 'float16' },
    );
    const y = conv2d(x, w);
    const [, mean, variance] = batchNormTraining(y);
    return [y, mean, variance];
  };
  it('joins what is left of the values as they are stored', async () => {
    setBackend(reference());
    const exact = await Promise.all(wanted().map((one) => one.data()));
    const counting = countingDevice(['shader-f16'] as GPUFeatureName[]).device;
    const backend = await webgpu({ device: counting, probe: false });
    setBackend(backend);
    const made = wanted();
    const [explained] = programsOf(made);
    const { graph, program } = explained as NonNullable<typeof explained>;
    const kernels = program.steps.map(({ kernel }) => kernel) as [ConvKernel, ReduceKernel];
    expect([kernels.length, kernels[0].partials?.half, kernels[1].inputs.length]).toEqual([2, 0, 1]);
    expect(kernels[1].joins?.columns).toBe(kernels[0].partials?.columns);

    const values: Float32Array[] = [eighths(2 * 3 * 24 * 24, 1), eighths(9 * 3, 2)].map((one) => one.map((v) => v + 4));
    expect(graph.leaves.map(({ shape }) => sizeOf(shape))).toEqual(values.map(({ length }) => length));
    for (const { kernel, inputs, outputs } of program.steps) {
      const test: KernelCase = {
        title: '',
        kernel,
        inputs: inputs.map((i) => values[i] as Float32Array),
        uniforms: [],
      };
      const results = await run(device, test, generate(kernel, { ...target, matrix: null, subgroup: null }), true);
      outputs.forEach((output, i) => {
        values[output] = results[i] as Float32Array;
      });
    }
    const first = program.leaves + program.slots.length;
    program.targets.forEach((at, i) => {
      const miss = Array.from(
        exact[i] as Float32Array,
        (one, k) => Math.abs((values[first + at]?.[k] ?? 1e9) - one) / one,
      );
      expect(Math.max(...miss), `target ${i}`).toBeLessThan(i ? 1e-5 : 1e-9);
    });
    backend.dispose();
  });
});
