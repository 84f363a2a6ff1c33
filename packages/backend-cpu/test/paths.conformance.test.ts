/** Kernels large enough for the paths that small ones never take, against the reference. */
import {
  type Combine,
  type Compute,
  contiguous,
  type DType,
  type Expr,
  expr,
  type Kernel,
  type MapKernel,
  type PoolKernel,
  type ReduceKernel,
  sizeOf,
  type TypedArray,
  type View,
} from '@tessera/tensor/backend';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareKernelCase, runKernelCase } from '../../testkit/src/kernels';
import { type Cpu, cpu } from '../src/index';

const load = (input: number, view: View | number[], dtype: Compute = 'float32'): Expr => ({
  op: 'load',
  dtype,
  input,
  view: Array.isArray(view) ? contiguous(view) : view,
  at: null,
});
const { add, apply, acc, constant, div, mul, sub } = expr;
const floats = (size: number) => ({ dtype: 'float32' as DType, size });

/** Normal-ish values, some of them equal. */
function data(size: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return ((state >> 16) / 2 ** 13) * 0.5;
  });
}

let backend: Cpu;
beforeAll(async () => {
  backend = await cpu({ threads: 2 });
});
afterAll(() => backend.dispose());

async function check(kernel: Kernel, uniforms: number[] = []): Promise<void> {
  const inputs = kernel.inputs.map(({ dtype, size }, i): TypedArray => {
    if (dtype === 'float32') return data(size, i + 1);
    return dtype === 'int32' ? Int32Array.from({ length: size }, (_, j) => (j * 7919) % 11) : new Uint8Array(size);
  });
  const c = { title: kernel.kind, kernel, inputs, uniforms };
  expect(await compareKernelCase(c, await runKernelCase(backend, c))).toEqual([]);
}

const mapOf = (shape: number[], sizes: number[], value: Expr, own: Partial<MapKernel> = {}): MapKernel => ({
  kind: 'map',
  inputs: sizes.map(floats),
  outputs: [{ dtype: value.dtype, size: sizeOf(shape) }],
  uniforms: [],
  aliases: [-1],
  parts: [{ shape, stores: [{ output: 0, view: contiguous(shape), expr: value }] }],
  ...own,
});

describe('map', () => {
  it.each([[[70, 90]], [[33, 17]], [[3, 40, 50]]])('turns transposed loads tile by tile: %j', (shape) => {
    const [m, n] = shape.slice(-2) as [number, number];
    const strides = [...(shape.length === 3 ? [m * n] : []), 1, m];
    const turned = load(0, { shape, strides, offset: 0, valid: null });
    return check(mapOf(shape, [sizeOf(shape), sizeOf(shape)], sub(turned, mul(load(1, shape), constant(2)))));
  });

  it.each([[[70, 90]], [[33, 17]], [[8, 9]], [[1030, 11]], [[13, 1030]], [[3, 40, 50]], [[2, 8, 600]]])(
    'moves what is only transposed square by square: %j',
    (shape) => {
      const [m, n] = shape.slice(-2) as [number, number];
      const strides = [...(shape.length === 3 ? [m * n] : []), 1, m];
      return check(mapOf(shape, [sizeOf(shape)], load(0, { shape, strides, offset: 0, valid: null })));
    },
  );

  it('moves a transposed part of one buffer into a part of another', () => {
    const shape = [5, 20, 37];
    const from = { shape, strides: [4000, 1, 90], offset: 11, valid: null };
    const to = { shape, strides: [2000, 80, 1], offset: 3, valid: null };
    const kernel = mapOf(shape, [20_000], load(0, from));
    const parts = [{ shape, stores: [{ output: 0, view: to, expr: load(0, from) }] }];
    return check({ ...kernel, outputs: [floats(10_000)], parts });
  });

  it('cuts a padded domain into boxes', () => {
    const shape = [3, 40, 45];
    const valid = [
      [0, 3],
      [2, 37],
      [1, 44],
    ] as const;
    const padded = load(0, { shape, strides: [35 * 43, 43, 1], offset: -2 * 43 - 1, valid });
    return check(mapOf(shape, [3 * 35 * 43], apply('exp', [padded])));
  });

  it('draws random words sixteen at a time where they lie so, and one by one elsewhere', async () => {
    const key = (index: number): Expr => ({ op: 'uniform', dtype: 'int32', index });
    for (const [shape, offset] of [
      [[40_003], 0],
      [[40_003], 4],
      [[403], 3],
      [[7, 36], 0],
      [[7, 33], 0],
    ] as const) {
      const index = add(expr.linearIndex(shape), constant(offset, 'int32')) as Expr;
      const words = apply('philox', [key(0), key(1), key(2), index]);
      const uniforms: Compute[] = ['int32', 'int32', 'int32'];
      await check(mapOf([...shape], [], words, { uniforms }), [12345, -678, 9]);
    }
  });
});

const reduceOf = (
  shape: number[],
  axes: number[],
  own: Pick<ReduceKernel, 'stages' | 'stores' | 'outputs'>,
): ReduceKernel => ({
  kind: 'reduce',
  inputs: [floats(sizeOf(shape))],
  uniforms: [],
  aliases: own.outputs.map(() => -1),
  shape,
  axes,
  ...own,
});

/** softmax, and the logarithm of the sum of each row. */
function softmaxOf(shape: number[], axes: number[]): ReduceKernel {
  const x = load(0, shape);
  const e = apply('exp', [sub(x, acc(0))]);
  const rows = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return reduceOf(shape, axes, {
    outputs: [floats(sizeOf(shape)), floats(sizeOf(rows))],
    stages: [[{ combine: 'max', expr: x, dtype: 'float32' }], [{ combine: 'sum', expr: e, dtype: 'float32' }]],
    stores: [
      { output: 0, view: contiguous(shape), expr: div(e, acc(1)), per: 'element' },
      { output: 1, view: contiguous(rows), expr: apply('log', [acc(1)]), per: 'row' },
    ],
  });
}

/** (x − mean) times the sum of squares of that, which is written too. */
function spreadOf(shape: number[], axes: number[]): ReduceKernel {
  const x = load(0, shape);
  const rows = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const centred = sub(x, mul(acc(0), constant(sizeOf(rows) / sizeOf(shape))));
  return reduceOf(shape, axes, {
    outputs: [floats(sizeOf(shape)), floats(sizeOf(rows))],
    stages: [
      [{ combine: 'sum', expr: x, dtype: 'float32' }],
      [{ combine: 'sum', expr: mul(centred, centred), dtype: 'float32' }],
    ],
    stores: [
      { output: 0, view: contiguous(shape), expr: mul(centred, acc(1)), per: 'element' },
      { output: 1, view: contiguous(rows), expr: acc(1), per: 'row' },
    ],
  });
}

describe('reduce', () => {
  const combines: Combine[] = ['sum', 'max', 'argmax', 'argmin'];
  const shapes: [number[], number[]][] = [
    [[200_000], [0]],
    [[3, 70_001], [1]],
    [[70_001, 3], [0]],
    [
      [300, 5, 200],
      [0, 2],
    ],
    [
      [2, 300, 300],
      [1, 2],
    ],
    [[90_000, 1], [0]],
  ];
  it.each(shapes)('cuts few long rows into segments: %j along %j', async (shape, axes) => {
    const rows = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    for (const combine of combines) {
      const dtype: Compute = combine.startsWith('arg') ? 'int32' : 'float32';
      await check(
        reduceOf(shape, axes, {
          outputs: [{ dtype, size: sizeOf(rows) }],
          stages: [[{ combine, expr: load(0, shape), dtype }]],
          stores: [{ output: 0, view: contiguous(rows), expr: acc(0, dtype), per: 'row' }],
        }),
      );
    }
  });

  it.each([
    [[3, 60_000], [1]],
    [[60_000, 3], [0]],
    [
      [64, 4, 40, 40],
      [0, 2, 3],
    ],
  ])('runs stages over segments and writes back: %j along %j', (shape, axes) => check(softmaxOf(shape, axes)));

  it.each([
    [[40, 301], [1]],
    [[300, 45], [0]],
    [
      [20, 7, 5, 30],
      [1, 3],
    ],
    [
      [7, 4, 20, 9],
      [0, 2],
    ],
  ])('keeps exponentials for the write-back: %j along %j', async (shape, axes) => {
    await check(softmaxOf(shape, axes));
    await check({ ...softmaxOf(shape, axes), aliases: [0, -1] });
  });
  it.each([
    ['images four at a time', [16, 18, 12, 13], [0, 2, 3]],
    ['images two at a time', [6, 18, 12, 13], [0, 2, 3]],
    ['images one at a time', [5, 18, 12, 13], [0, 2, 3]],
    ['segments four at a time', [256, 3, 10, 11], [0, 2, 3]],
    ['rows two and two', [66, 515], [1]],
    ['rows two and two, of several axes', [3, 40, 600], [2]],
    ['an odd number of rows', [67, 515], [1]],
  ] as const)('goes over memory in streams: %s', async (_, shape, axes) => {
    await check(spreadOf([...shape], [...axes]));
    await check({ ...spreadOf([...shape], [...axes]), aliases: [0, -1] });
  });
  it('sums what is long in streams', () => {
    const shape = [2 ** 21];
    const stages: ReduceKernel['stages'] = [[{ combine: 'sum', expr: load(0, shape), dtype: 'float32' }]];
    const stores: ReduceKernel['stores'] = [{ output: 0, view: contiguous([1]), expr: acc(0), per: 'row' }];
    return check(reduceOf(shape, [0], { outputs: [floats(1)], stages, stores }));
  });
  it('computes them again where a row is too long to be kept', () => check(softmaxOf([16, 66_000], [1])));

  it('keeps several values, of what type they are', () => {
    const shape = [50, 77];
    const [x, rows] = [load(0, shape), [50, 1]];
    const [sine, falls] = [apply('sin', [x]), apply('lt', [apply('cos', [x]), constant(0)])];
    const value = apply('select', [falls, sine, constant(1)]);
    return check(
      reduceOf(shape, [1], {
        outputs: [floats(sizeOf(shape)), { dtype: 'bool', size: sizeOf(shape) }, floats(50)],
        stages: [
          [
            { combine: 'sum', expr: sine, dtype: 'float32' },
            { combine: 'max', expr: falls, dtype: 'bool' },
          ],
          [{ combine: 'max', expr: mul(value, acc(0)), dtype: 'float32' }],
        ],
        stores: [
          { output: 0, view: contiguous(shape), expr: add(value, acc(0)), per: 'element' },
          { output: 1, view: contiguous(shape), expr: falls, per: 'element' },
          { output: 2, view: contiguous(rows), expr: acc(2), per: 'row' },
        ],
      }),
    );
  });
});

describe('pool', () => {
  it.each([
    { kernel: [3, 3], stride: [2, 2], padding: [1, 1], output: [20, 20], input: [40, 40] },
    { kernel: [9, 9], stride: [4, 3], padding: [4, 2], output: [10, 12], input: [40, 40] },
    { kernel: [7, 7], stride: [7, 7], padding: [0, 0], output: [5, 5], input: [40, 40] },
  ])('%j', async ({ kernel, stride, padding, output, input }) => {
    const sizes = { batch: 6, input, kernel, output, stride, dilation: [1, 1], padding };
    const [small, large] = [
      [6, ...output],
      [6, ...input],
    ];
    const base = { kind: 'pool', combine: 'max', sizes, uniforms: [] } as const;
    const forward: PoolKernel = {
      ...base,
      direction: 'forward',
      a: load(0, large),
      b: null,
      inputs: [floats(sizeOf(large))],
      outputs: [floats(sizeOf(small)), { dtype: 'int32', size: sizeOf(small) }],
      aliases: [-1, -1],
      stores: [
        { output: 0, view: contiguous(small), expr: acc(0) },
        { output: 1, view: contiguous(small), expr: acc(1, 'int32') },
      ],
    };
    await check(forward);
    await check({
      ...base,
      combine: 'sum',
      direction: 'backward',
      a: load(0, small),
      b: null,
      inputs: [floats(sizeOf(small))],
      outputs: [floats(sizeOf(large))],
      aliases: [-1],
      stores: [{ output: 0, view: contiguous(large), expr: acc(0) }],
    });
  });
});
