/** Maps and convolutions without a product, by each tile that a tuner tries, against the reference. */
import {
  applyMoves,
  type ConvKernel,
  type ConvSizes,
  contiguous,
  type Expr,
  expr as e,
  type MapKernel,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import { type KernelCase, kernelCases } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candidates, generate } from '../src/compile';
import { targetOf } from '../src/device';
import { webgpu } from '../src/index';
import { directChoices } from '../src/kernels/direct-choices';
import * as rare from '../src/kernels/rare';
import type { WebgpuBackend } from '../src/runtime';
import { checkChoice, checkEach, numbers } from './choices';
import { emulated } from './emulated';
import { largeDevice } from './target';

let backend: WebgpuBackend;
beforeAll(async () => {
  backend = (await webgpu(await emulated())) as WebgpuBackend;
}, 60_000);
afterAll(() => backend.dispose());

const load = (input: number, view: View): Expr => ({ op: 'load', dtype: 'float32', input, view, at: null });
const caseOf = (title: string, kernel: MapKernel | ConvKernel): KernelCase => ({
  title,
  kernel,
  inputs: kernel.inputs.map(({ size }, i) => numbers(size, i + 1)),
  uniforms: kernel.uniforms.map(() => 0.5),
});
const float32 = (size: number) => ({ dtype: 'float32' as const, size });

describe('maps', () => {
  const [rows, columns] = [33, 20];
  const shape = [rows, columns];
  const expanded = (size: number, moves: Parameters<typeof applyMoves>[1]) =>
    applyMoves(contiguous([size]), moves) as View;
  /** x·row + column, the one in place, of [33, 20]; and squares of a vector: vectors of a buffer that is read element by element, too. */
  const two = (size: number): MapKernel => ({
    kind: 'map',
    parts: [
      {
        shape,
        stores: [
          {
            output: 0,
            view: contiguous(shape),
            expr: e.add(
              e.mul(load(0, contiguous(shape)), load(1, expanded(columns, [{ type: 'expand', shape }]))),
              load(
                2,
                expanded(rows, [
                  { type: 'reshape', shape: [rows, 1] },
                  { type: 'expand', shape },
                ]),
              ),
            ),
          },
        ],
      },
      {
        shape: [size],
        stores: [
          {
            output: 1,
            view: contiguous([size]),
            expr: e.mul(load(3, contiguous([size])), load(3, contiguous([size]))),
          },
        ],
      },
    ],
    inputs: [float32(rows * columns), float32(columns), float32(rows), float32(size)],
    outputs: [float32(rows * columns), float32(size)],
    uniforms: [],
    aliases: [0, -1],
  });

  it('of two parts, with one written in place, ragged', async () => {
    const ways = await checkEach(backend, caseOf('two parts', two(500)), 6);
    expect(ways).toContainEqual({ way: 'only', sizes: { threads: 256, wide: 4 } });
  });
  it('go by vectors only where all parts store some', () => {
    const target = { ...targetOf(backend.device), rare };
    const ways = candidates(two(501), target);
    expect(ways.length).toBeGreaterThan(4);
    expect(ways.filter((way) => 'sizes' in way && way.sizes?.['wide'])).toEqual([]);
  });
  it('have one way where a workgroup has all', () => {
    const few = two(4);
    expect(candidates({ ...few, parts: few.parts.slice(1) }, { ...largeDevice, rare })).toHaveLength(1);
  });

  /** More tensors than any device binds: SGD with momentum of parameters of two kinds, written in place. */
  const update = (sizes: readonly number[]): MapKernel => ({
    kind: 'map',
    parts: sizes.map((size, p) => {
      const of = (input: number) => load(3 * p + input, contiguous([size]));
      const momentum = e.add(e.mul(of(1), e.constant(0.875)), of(2));
      const rate: Expr = { op: 'uniform', dtype: 'float32', index: 0 };
      return {
        shape: [size],
        stores: [e.sub(of(0), e.mul(momentum, rate)), momentum].map((expr, k) => ({
          output: 2 * p + k,
          view: contiguous([size]),
          expr,
        })),
      };
    }),
    inputs: sizes.flatMap((size) => [float32(size), float32(size), float32(size)]),
    outputs: sizes.flatMap((size) => [float32(size), float32(size)]),
    uniforms: ['float32'],
    aliases: sizes.flatMap((_, p) => [3 * p, 3 * p + 1]),
  });
  it('by table', async () => {
    await checkEach(backend, caseOf('updates', update([300, 1, 64, 130, 600])), 8);
  });
});

describe('convolutions without a product', () => {
  type Options = Partial<Pick<ConvSizes, 'stride' | 'dilation' | 'padding'>>;
  function convCase(
    direction: ConvKernel['direction'],
    [n, c, o, groups]: readonly [number, number, number, number],
    input: readonly number[],
    kernel: readonly number[],
    options: Options = {},
  ): KernelCase & { readonly kernel: ConvKernel } {
    const ones = input.map(() => 1);
    const { stride = ones, dilation = ones, padding = input.map(() => 0) } = options;
    const output = input.map((size, i) => {
      const [p, d, k, s] = [padding, dilation, kernel, stride].map((list) => list[i] as number) as [
        number,
        number,
        number,
        number,
      ];
      return Math.floor((size + 2 * p - d * (k - 1) - 1) / s) + 1;
    });
    const sizes = { n, c, o, groups, input, kernel, output, stride, dilation, padding };
    const [x, w, y] = [
      [n, c, ...input],
      [o, c / groups, ...kernel],
      [n, o, ...output],
    ];
    const [a, b, shape] = ({ forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] } as const)[direction];
    const made: ConvKernel = {
      kind: 'conv',
      direction,
      sizes,
      a: load(0, contiguous(a)),
      b: load(1, contiguous(b)),
      stores: [{ output: 0, view: contiguous(shape), expr: e.acc(0) }],
      inputs: [float32(sizeOf(a)), float32(sizeOf(b))],
      outputs: [float32(sizeOf(shape))],
      uniforms: [],
      aliases: [-1],
    };
    const title = `${direction}: [${x}] ∗ [${w}] stride ${stride} dilation ${dilation} padding ${padding}`;
    return { ...caseOf(title, made), kernel: made };
  }
  const both = ['forward', 'inputGrad'] as const;
  const cases = [
    ...both.map((of) => convCase(of, [2, 3, 3, 3], [7, 5], [3, 3], { padding: [1, 1] })),
    ...both.map((of) => convCase(of, [1, 4, 6, 2], [9, 6], [3, 2], { stride: [2, 1], padding: [1, 0] })),
    ...both.map((of) =>
      convCase(of, [1, 2, 4, 2], [13, 8], [4, 3], { stride: [4, 3], dilation: [3, 2], padding: [5, 1] }),
    ),
    ...both.map((of) => convCase(of, [1, 4, 2, 2], [3, 6, 5], [2, 3, 2], { stride: [2, 2, 1], padding: [0, 2, 1] })),
    convCase('forward', [1, 2, 2, 2], [11, 4], [3, 3], { stride: [3, 1], padding: [2, 1] }),
    convCase('weightGrad', [3, 2, 4, 2], [20, 9], [3, 1], { padding: [1, 0] }),
  ];
  it.each(cases)('$title', async (test) => {
    const ways = directChoices(test.kernel, targetOf(backend.device));
    const eachs = ways.filter(({ threads }) => threads === ways[0]?.threads);
    for (const way of test === cases[0] || test.kernel.direction === 'weightGrad' ? ways : eachs)
      await checkChoice(backend, test, way);
    expect(eachs).toHaveLength(test.title.includes('inputGrad') && test.title.includes('stride 4') ? 2 : 3);
  });
  it('have one result a thread where those below each other are met by other places of the window', () => {
    const eachs = (test: { kernel: ConvKernel }) => directChoices(test.kernel, largeDevice).map(({ each }) => each);
    const strided = convCase('inputGrad', [1, 2, 2, 2], [11, 4], [3, 3], { stride: [3, 1], padding: [2, 1] });
    expect(new Set(eachs(strided))).toEqual(new Set([1]));
    expect(new Set(eachs(convCase('forward', [1, 2, 2, 2], [9], [3])))).toEqual(new Set([1]));
    expect(new Set(eachs(convCase('forward', [1, 2, 2, 2], [30, 9], [9, 3])))).toEqual(new Set([1]));
  });
  it('are tried behind products where groups have more channels', async () => {
    const test = kernelCases.find(({ title }) => title === 'conv forward: 3 groups') as KernelCase;
    const ways = candidates(test.kernel, { ...targetOf(backend.device), rare });
    const direct = ways.filter(({ way }) => way === 'direct');
    expect(ways[0]?.way).toBe('tiles');
    expect(direct.length).toBeGreaterThan(3);
    for (const way of direct.slice(0, 3)) await checkChoice(backend, test, way);
    const narrow = convCase('forward', [2, 3, 3, 3], [7, 5], [3, 3], { padding: [1, 1] });
    expect(candidates(narrow.kernel, largeDevice)[0]).toEqual({ way: 'direct', threads: 128, each: 1 });
    expect(generate(narrow.kernel, largeDevice).dispatches).toHaveLength(1);
  });
});
