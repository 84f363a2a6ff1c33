/** Every tile of matmul and of the convolutions, in every direction, on problems with ragged edges, against the reference. */
import {
  applyMoves,
  contiguous,
  type Expr,
  expr as e,
  type Kernel,
  type MatmulKernel,
  type Store,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import { type KernelCase, kernelCases } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webgpu } from '../src/index';
import { type ConvChoice, convChoices } from '../src/kernels/conv';
import { matmulChoices } from '../src/kernels/matmul';
import { dealtChoices, type Tile, tiles } from '../src/kernels/tiles';
import type { WebgpuBackend } from '../src/runtime';
import type { Target } from '../src/shader';
import { checkChoice, numbers } from './choices';
import { emulated } from './emulated';
import { largeDevice } from './target';

let backend: WebgpuBackend;
beforeAll(async () => {
  backend = (await webgpu(await emulated())) as WebgpuBackend;
});
afterAll(() => backend.dispose());

const swap = [{ type: 'permute', axes: [1, 0] }] as const;

/** c = a·b + row of bias, with operands as they lie, or turned round. */
function matmulCase(m: number, n: number, k: number, [turnA, turnB]: readonly [boolean, boolean]): KernelCase {
  const load = (input: number, shape: [number, number], turned: boolean): Expr => {
    const view = turned ? applyMoves(contiguous([shape[1], shape[0]]), swap) : contiguous(shape);
    if (!view) throw new Error('no view');
    return { op: 'load', dtype: 'float32', input, view, at: null };
  };
  const bias = applyMoves(contiguous([n]), [{ type: 'expand', shape: [m, n] }]);
  const row: Expr = { op: 'load', dtype: 'float32', input: 2, view: bias as View, at: null };
  const expr = e.add(e.acc(0, 'float32'), row);
  const store: Store = { output: 0, view: contiguous([m, n]), expr };
  const sizes = [m * k, k * n, n];
  return {
    title: `${m}×${k} by ${k}×${n}`,
    kernel: {
      kind: 'matmul',
      batch: [],
      m,
      n,
      k,
      a: load(0, [m, k], turnA),
      b: load(1, [k, n], turnB),
      stores: [store],
      inputs: sizes.map((size) => ({ dtype: 'float32', size })),
      outputs: [{ dtype: 'float32', size: m * n }],
      uniforms: [],
      aliases: [-1],
    },
    inputs: sizes.map((size, i) => numbers(size, i + 1)),
    uniforms: [],
  };
}

const small: Tile = { m: 16, n: 16, k: 8, perThread: [4, 4], staging: 'ahead' };
const nameOf = ({ m, n, k, perThread, staging }: Tile) =>
  `${m}×${n}×${k}, ${perThread.join('×')} a thread${{ once: '', ahead: ', ahead', none: ', from storage' }[staging]}`;

// An emulated shader of 8 × 8 a thread takes a second to compile: each tile has one problem, and they take turns.
const problems = [
  ['ragged edges of whole vectors, both turned', (m, n, k) => matmulCase(m + 4, n + 8, k + 4, [true, true]), 1],
  ['ragged edges of no vector, k in parts', (m, n, k) => matmulCase(m + 3, n + 1, 3 * k + 1, [false, true]), 2],
  ['whole tiles, vectors along k and along n', (m, n, k) => matmulCase(m, n, 2 * k, [false, false]), 1],
  ['vectors along m and n, more parts than slabs', (m, n, k) => matmulCase(m - 4, n - 4, k, [true, false]), 2],
] as const satisfies (readonly [string, (m: number, n: number, k: number) => KernelCase, number])[];

describe('tiles of matmul', () => {
  it.each(
    tiles.map((tile, i) => {
      const [what, make, splits] = problems[i % problems.length] as (typeof problems)[number];
      return { title: `${nameOf(tile)}: ${what}`, tile, make, splits };
    }),
  )('$title', async ({ tile, make, splits }) => {
    await checkChoice(backend, make(tile.m, tile.n, tile.k), { way: 'tiles', tile, splits });
  });
});

describe('slabs dealt to workgroups', () => {
  it('are candidates of a tuner where tiles would leave workgroups idle, and no default', () => {
    const extent = { batch: 1, m: 512, n: 512, k: 4096, segments: 1, cost: { a: 1, b: 1 } };
    const [first] = dealtChoices(extent, roomy);
    expect(first?.shares).toBeGreaterThan(132 - 1);
    expect(dealtChoices({ ...extent, uneven: true }, roomy)).toEqual([]);
    expect(dealtChoices({ ...extent, k: 16 }, roomy)).toEqual([]);
    const { kernel } = matmulCase(512, 512, 4096, [false, false]);
    const dealtOf = (target: Target) => matmulChoices(kernel as MatmulKernel, target).filter((one) => 'shares' in one);
    expect(dealtOf({ ...roomy, rare: null })).toEqual([]);
    expect(dealtOf(roomy).length).toBeGreaterThan(2);
    expect(matmulChoices(kernel as MatmulKernel, roomy)[0]).not.toHaveProperty('shares');
  });
  const [once, ahead, none] = (['once', 'ahead', 'none'] as const).map(
    (staging) => tiles.find((tile) => tile.staging === staging && tile.perThread[0] === 4) ?? { ...small, staging },
  ) as [Tile, Tile, Tile];
  it.each([
    ['each tile between two, ragged edges', once, [3 * once.m - 3, once.n + 1, 5 * once.k + 1], 5],
    ['tiles of one group, begun and ended', once, [3 * once.m, once.n, 2 * once.k], 2],
    ['a tile among many', once, [once.m, once.n, 7 * once.k], 5],
    ['more groups than slabs', once, [once.m, once.n, 2 * once.k], 9],
    ['staged ahead', ahead, [2 * ahead.m, ahead.n, 3 * ahead.k], 4],
    ['from storage', none, [2 * none.m, none.n - 1, 3 * none.k], 4],
  ] as const)('%s', async (_, tile, [m, n, k], shares) => {
    await checkChoice(backend, matmulCase(m, n, k, [false, true]), { way: 'tiles', tile, splits: 1, shares });
  });
});

type ConvCase = KernelCase & { readonly kernel: Extract<Kernel, { kind: 'conv' }> };
const convolutions = kernelCases.filter(
  // 64 channels and windows of 49 places take the emulator seconds, and tell nothing that fewer do not
  (test): test is ConvCase =>
    test.kernel.kind === 'conv' &&
    test.kernel.sizes.n > 0 &&
    test.kernel.sizes.c < 64 &&
    sizeOf(test.kernel.sizes.kernel) < 49,
);
const roomy = { ...largeDevice, threads: 256, shared: 65536 };

describe('convolutions as products in the order of k that is not the first choice, with k in parts', () => {
  // each order has code for groups, strides, dilation: these reach all of it
  const some =
    /(forward|inputGrad): (3 groups|5×1 and stride of two kinds|strided one way, dilated the other|dilated 3×3|1×1 stride 2)/;
  const others = convolutions.flatMap((test) => {
    if (!some.test(test.title)) return [];
    const [first, ...rest] = convChoices(test.kernel, roomy);
    const other = rest.find((one) => one.way === 'tiles' && !(first?.way === 'tiles' && first.order === one.order));
    return other ? [{ title: test.title, test, choice: other as Extract<ConvChoice, { way: 'tiles' }> }] : [];
  });
  it.each(others)('$title', async ({ test, choice }) => {
    const tile = tiles.find(({ m, n }) => m === 32 && n === 32) as Tile;
    await checkChoice(backend, test, { ...choice, tile, splits: 2 });
  });
});

describe('slabs of convolutions dealt to workgroups', () => {
  const some = /(forward|inputGrad|weightGrad): 3 groups/;
  it.each(convolutions.filter(({ title }) => some.test(title)))('$title', async (test) => {
    const choice = convChoices(test.kernel, roomy).find(({ way }) => way === 'tiles') as ConvChoice;
    const tile = tiles.find(({ m, n }) => m === 16 && n === 64) as Tile;
    await checkChoice(backend, test, { ...choice, tile, splits: 1, shares: 5 } as ConvChoice);
  });
});

describe('tiles of convolutions', () => {
  const named = (part: string) => convolutions.find(({ title }) => title.includes(part)) as ConvCase;
  const small = [
    named('forward: 3 groups'),
    named('inputGrad: 5×1 and stride of two kinds'),
    named('weightGrad: dilated 3×3'),
    named('forward: 1×1'),
    named('affine, residual'),
  ];
  it.each(
    tiles.map((tile, i) => {
      const test = small[i % small.length] as ConvCase;
      return { title: `${nameOf(tile)}: ${test.title}`, tile, test };
    }),
  )('$title', async ({ tile, test }) => {
    const choice = convChoices(test.kernel, roomy).find(({ way }) => way === 'tiles') as ConvChoice;
    await checkChoice(backend, test, { ...choice, way: 'tiles', tile, splits: 1 } as ConvChoice);
  });
});
