import { type ConvKernel, contiguous, type Expr, sizeOf } from '@tessera/tensor/backend';
import { describe, expect, it } from 'vitest';
import { features } from '../src/assembler';
import { conv, toleranceFactor } from '../src/kernels/conv';
import { type Data, load, numbers, prepare, worstError } from './harness';

type Sizes = ConvKernel['sizes'];
interface Case extends Partial<Sizes> {
  readonly input: readonly number[];
  readonly kernel: readonly number[];
}

function sizesOf(test: Case): Sizes {
  const axes = test.input.map((_, i) => i);
  const [stride, dilation, padding] = [
    test.stride ?? axes.map(() => 1),
    test.dilation ?? axes.map(() => 1),
    test.padding ?? axes.map(() => 0),
  ];
  const output = axes.map(
    (i) => Math.floor((test.input[i]! + 2 * padding[i]! - dilation[i]! * (test.kernel[i]! - 1) - 1) / stride[i]!) + 1,
  );
  return { n: 2, c: 3, o: 5, groups: 1, output, ...test, stride, dilation, padding };
}

/** All products (y, x, w) of the convolution, by flat positions. */
function eachProduct(
  { n, c, o, groups, input, kernel, output, stride, dilation, padding }: Sizes,
  visit: (y: number, x: number, w: number) => void,
) {
  const [taps, pixels, inputs] = [sizeOf(kernel), sizeOf(output), sizeOf(input)];
  const split = (flat: number, sizes: readonly number[]) => {
    const place = sizes.map(() => 0);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      place[axis] = flat % sizes[axis]!;
      flat = Math.floor(flat / sizes[axis]!);
    }
    return place;
  };
  for (let p = 0; p < pixels; p++)
    for (let r = 0; r < taps; r++) {
      const [at, tap] = [split(p, output), split(r, kernel)];
      const u = at.map((place, axis) => place * stride[axis]! + tap[axis]! * dilation[axis]! - padding[axis]!);
      if (u.some((place, axis) => place < 0 || place >= input[axis]!)) continue;
      const x = u.reduce((sum, place, axis) => sum * input[axis]! + place, 0);
      for (let image = 0; image < n; image++)
        for (let made = 0; made < o; made++)
          for (let j = 0; j < c / groups; j++) {
            const channel = Math.floor(made / (o / groups)) * (c / groups) + j;
            visit(
              (image * o + made) * pixels + p,
              (image * c + channel) * inputs + x,
              (made * (c / groups) + j) * taps + r,
            );
          }
    }
}

function check(test: Case, direction: ConvKernel['direction'], shift = 0) {
  const sizes = sizesOf(test);
  const { n, c, o, groups, input, kernel: window, output } = sizes;
  const shapes = { x: [n, c, ...input], w: [o, c / groups, ...window], y: [n, o, ...output] };
  const [a, b, out] = { forward: ['x', 'w', 'y'], inputGrad: ['y', 'w', 'x'], weightGrad: ['x', 'y', 'w'] }[
    direction
  ] as ('x' | 'y' | 'w')[];
  const operand = (i: number, name: 'x' | 'y' | 'w') => load(i, { ...contiguous(shapes[name]), offset: shift });
  const size = (name: 'x' | 'y' | 'w') => sizeOf(shapes[name]) + shift;
  const kernel: ConvKernel = {
    kind: 'conv',
    direction,
    sizes,
    inputs: [
      { dtype: 'float32', size: size(a!) },
      { dtype: 'float32', size: size(b!) },
    ],
    outputs: [{ dtype: 'float32', size: sizeOf(shapes[out!]) }],
    uniforms: [],
    aliases: [-1],
    a: operand(0, a!),
    b: operand(1, b!),
    stores: [{ output: 0, view: contiguous(shapes[out!]), expr: { op: 'acc', dtype: 'float32', index: 0 } }],
  };
  const data: Record<string, Data> = { [a!]: numbers(size(a!), 1), [b!]: numbers(size(b!), 2) };
  const expected = new Float64Array(sizeOf(shapes[out!]));
  const scale = new Float64Array(expected.length);
  let products = 0;
  const [left, right] = [data[a!]!, data[b!]!];
  const at = ['y', 'x', 'w'] as const;
  const [ia, ib, io] = [at.indexOf(a!), at.indexOf(b!), at.indexOf(out!)];
  const place = [0, 0, 0];
  eachProduct(sizes, (y, x, w) => {
    place[0] = y;
    place[1] = x;
    place[2] = w;
    const product = left[place[ia]! + shift]! * right[place[ib]! + shift]!;
    expected[place[io]!]! += product;
    scale[place[io]!]! += Math.abs(product);
    products++;
  });
  const prepared = prepare(kernel, conv(kernel, { relaxed: features().relaxed, shared: false }), [
    data[a!]!,
    data[b!]!,
  ]);
  prepared.run();
  const worst = worstError(prepared.outputs[0]!, expected, scale, Math.max(1, products / expected.length));
  expect(worst).toBeLessThanOrEqual(3 * toleranceFactor(kernel));
}

const cases: Case[] = [
  { input: [8, 8], kernel: [3, 3], padding: [1, 1] },
  { input: [7, 7], kernel: [3, 3], padding: [1, 1], c: 8, o: 8, n: 3 },
  { input: [14, 14], kernel: [3, 3], padding: [1, 1], c: 4, o: 6 },
  { input: [28, 28], kernel: [5, 5], padding: [2, 2], c: 1, o: 16 },
  { input: [9, 11], kernel: [3, 2], padding: [0, 1] },
  { input: [5, 5], kernel: [1, 1] },
  { input: [6, 6], kernel: [1, 1], stride: [2, 2], c: 8, o: 4 },
  { input: [11, 13], kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
  { input: [23, 23], kernel: [7, 7], stride: [2, 2], padding: [3, 3], o: 8 },
  { input: [35, 35], kernel: [11, 11], stride: [4, 4], padding: [2, 2], n: 1, o: 4 },
  { input: [12, 10], kernel: [3, 3], dilation: [2, 3], padding: [2, 2] },
  { input: [12, 13], kernel: [3, 3], dilation: [2, 1], stride: [1, 3], padding: [1, 0] },
  { input: [10, 10], kernel: [3, 3], padding: [1, 1], c: 6, o: 6, groups: 6 },
  { input: [10, 10], kernel: [3, 3], padding: [1, 1], c: 6, o: 9, groups: 3, stride: [2, 2] },
  { input: [3, 3], kernel: [3, 3], padding: [1, 1] },
  { input: [2, 2], kernel: [2, 2], n: 5 },
  { input: [6, 6], kernel: [9, 9], padding: [4, 4] },
  { input: [30], kernel: [5], padding: [2] },
  { input: [300], kernel: [70], stride: [3], c: 2, o: 3 },
  { input: [5, 6, 7], kernel: [3, 2, 3], padding: [1, 0, 1] },
  { input: [6, 6, 9], kernel: [2, 3, 3], stride: [2, 1, 2], dilation: [2, 1, 1], n: 1 },
  { input: [40, 40], kernel: [3, 3], padding: [1, 1], c: 40, o: 37, n: 1 },
  // products of matrices: one to three axes, few channels made, many
  { input: [37], kernel: [1], c: 9, o: 6 },
  { input: [13, 11], kernel: [1, 1], c: 33, o: 130, n: 3 },
  { input: [3, 5, 7], kernel: [1, 1, 1], c: 4, o: 3 },
  { input: [70, 71], kernel: [1, 1], c: 64, o: 2, n: 1 },
  // shapes that Winograd takes: whole images and parts, tiles that do and do not fit, more padding than a window
  { input: [14, 14], kernel: [3, 3], padding: [1, 1], c: 16, o: 17, n: 5 },
  { input: [7, 7], kernel: [3, 3], padding: [1, 1], c: 18, o: 20, n: 15 },
  { input: [29, 30], kernel: [3, 3], padding: [0, 2], c: 16, o: 32, n: 1 },
  { input: [33, 25], kernel: [3, 3], padding: [1, 1], c: 150, o: 16, n: 1 },
  { input: [4, 4], kernel: [3, 3], padding: [1, 1], c: 32, o: 32, n: 33, groups: 2 },
  // few tiles: maps of 2×2 and more, one to some vectors of tiles, groups, channels that end in a block or in half an octet
  { input: [2, 2], kernel: [3, 3], padding: [1, 1], c: 36, o: 44, n: 1 },
  { input: [2, 2], kernel: [3, 3], padding: [1, 1], c: 300, o: 40, n: 9 },
  { input: [2, 2], kernel: [3, 3], padding: [1, 1], c: 64, o: 72, n: 5, groups: 2 },
  { input: [4, 4], kernel: [3, 3], padding: [1, 1], c: 32, o: 36, n: 3 },
  { input: [7, 7], kernel: [3, 3], padding: [1, 1], c: 148, o: 32, n: 3 },
  { input: [9, 6], kernel: [3, 3], padding: [0, 2], c: 40, o: 32, n: 2 },
  { input: [8, 8], kernel: [3, 3], padding: [3, 3], c: 32, o: 32, n: 2 },
  // columns: several strips of several rows, channels made that end in less than a panel
  { input: [25, 23], kernel: [3, 3], stride: [2, 2], padding: [1, 0], c: 60, o: 34, n: 2 },
  // lines: rows and columns, of one part and of two, blocks of images of which the last is smaller
  { input: [6, 9], kernel: [1, 3], padding: [0, 1], c: 32, o: 36, n: 3 },
  { input: [9, 6], kernel: [3, 1], padding: [1, 0], c: 36, o: 32, n: 1 },
  { input: [17, 17], kernel: [1, 7], padding: [0, 3], c: 40, o: 32, n: 5 },
  { input: [11, 5], kernel: [7, 1], padding: [3, 0], c: 64, o: 64, n: 2, groups: 2 },
  { input: [5, 12], kernel: [1, 5], c: 32, o: 32 },
];

describe.each(['forward', 'inputGrad', 'weightGrad'] as const)('conv %s', (direction) => {
  it.each(cases)('%o', (test) => check(test, direction));
  it('reads operands that begin inside their buffer', () => check(cases[0]!, direction, 5));
  it('reads images of a pointwise convolution inside their buffer', () =>
    check({ input: [6, 6], kernel: [1, 1] }, direction, 5));
  it('makes nothing of nothing', () => check({ input: [4, 4], kernel: [3, 3], n: 0 }, direction));
});

it.each<[string, Case]>([
  ['pointwise', { input: [9, 10], kernel: [1, 1], c: 12, o: 7 }],
  ['few tiles', { input: [7, 6], kernel: [3, 3], padding: [1, 1], c: 32, o: 36, n: 3 }],
  ['whole maps', { input: [2, 2], kernel: [3, 3], padding: [1, 1], c: 32, o: 36, n: 3 }],
  ['lines', { input: [5, 9], kernel: [1, 7], padding: [0, 3], c: 32, o: 36 }],
  ['columns', { input: [23, 25], kernel: [3, 3], stride: [2, 2], c: 60, o: 34 }],
])('a convolution stores what is fused into it: %s', (_, test) => {
  const sizes = sizesOf(test);
  const { n, c, o, input, kernel: window, output } = sizes;
  const [height, width] = output as [number, number];
  const [x, w, y] = [
    [n, c, ...input],
    [o, c, ...window],
    [n, o, ...output],
  ] as [number[], number[], number[]];
  const acc = { op: 'acc', dtype: 'float32', index: 0 } as const;
  const run = (expr: Expr) => {
    const kernel: ConvKernel = {
      kind: 'conv',
      direction: 'forward',
      sizes,
      inputs: [x, w, [o], output].map((shape) => ({ dtype: 'float32', size: sizeOf(shape) })),
      outputs: [{ dtype: 'float32', size: sizeOf(y) }],
      uniforms: [],
      aliases: [-1],
      a: load(0, contiguous(x)),
      b: load(1, contiguous(w)),
      stores: [{ output: 0, view: contiguous(y), expr }],
    };
    const data = kernel.inputs.map(({ size }, i) => numbers(size, i + 1));
    const prepared = prepare(kernel, conv(kernel, { relaxed: false, shared: false }), data);
    prepared.run();
    return { out: [...prepared.outputs[0]!], data };
  };
  const add = (left: Expr, right: Expr): Expr => ({ op: 'apply', fn: 'add', dtype: 'float32', args: [left, right] });
  const channels = load(2, { shape: y, strides: [0, 1, 0, 0], offset: 0, valid: null });
  const places = load(3, { shape: y, strides: [0, 0, width, 1], offset: 0, valid: null });
  const { out, data } = run(acc);
  const fused = run(add(add(acc, channels), places)).out;
  const size = height * width;
  const wanted = out.map((value, i) =>
    Math.fround(Math.fround(value + data[2]![Math.floor(i / size) % o]!) + data[3]![i % size]!),
  );
  expect(fused).toEqual(wanted);
});

it('a weight gradient stores what is fused into it', () => {
  const sizes = sizesOf({ input: [5, 5], kernel: [3, 3], padding: [1, 1], c: 36, o: 32, n: 2 });
  const [x, y, w] = [
    [2, 36, 5, 5],
    [2, 32, 5, 5],
    [32, 36, 3, 3],
  ] as [number[], number[], number[]];
  const acc = { op: 'acc', dtype: 'float32', index: 0 } as const;
  const run = (expr: Expr) => {
    const kernel: ConvKernel = {
      kind: 'conv',
      direction: 'weightGrad',
      sizes,
      inputs: [x, y].map((shape) => ({ dtype: 'float32', size: sizeOf(shape) })),
      outputs: [{ dtype: 'float32', size: sizeOf(w) }],
      uniforms: [],
      aliases: [-1],
      a: load(0, contiguous(x)),
      b: load(1, contiguous(y)),
      stores: [{ output: 0, view: contiguous(w), expr }],
    };
    const data = kernel.inputs.map(({ size }, i) => numbers(size, i + 1));
    const prepared = prepare(kernel, conv(kernel, { relaxed: false, shared: false }), data);
    prepared.run();
    return [...prepared.outputs[0]!];
  };
  expect(run({ op: 'apply', fn: 'neg', dtype: 'float32', args: [acc] })).toEqual(run(acc).map((value) => -value));
});
