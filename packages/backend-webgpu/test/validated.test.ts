/**
 * Shaders for what no emulator has (float16, tensor cores, subgroups): Dawn's null backend has every feature and runs nothing,
 * so here the language's own checks say whether they are right to the letter; their numbers need a GPU.
 */
import { type ConvKernel, expr, type Kernel } from '@tessera/tensor/backend';
import { kernelCases } from '@tessera/testkit';
import { beforeAll, describe, expect, it } from 'vitest';
import { candidates, generate } from '../src/compile';
import { columnsOf, conv, convChoices } from '../src/kernels/conv';
import { matmul, matmulChoices } from '../src/kernels/matmul';
import * as by from '../src/kernels/matrix';
import { operandsOf } from '../src/pages';
import type { Program, Target } from '../src/shader';
import { dawnOf } from './emulated';
import { largeDevice } from './target';

const target: Target = { ...largeDevice, matrix: { m: 16, n: 16, k: 16, lanes: 32, by }, subgroup: 32 };

let dawn: GPU; // must outlive its device
let device: GPUDevice;
beforeAll(async () => {
  dawn = await dawnOf(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = await dawn.requestAdapter();
  const requiredFeatures = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'] as GPUFeatureName[];
  device = (await adapter?.requestDevice({ requiredFeatures })) as GPUDevice;
});

async function faultsOf({ dispatches }: Program): Promise<string[]> {
  const faults: string[] = [];
  for (const { source } of dispatches) {
    device.pushErrorScope('validation');
    const { messages } = await device.createShaderModule({ code: source }).getCompilationInfo();
    await device.popErrorScope();
    for (const { type, message, lineNum } of messages) {
      if (type === 'error') faults.push(`${message}: ${source.split('\n')[lineNum - 1]}`);
    }
  }
  return faults;
}

/** The kernel with float16 in place of float32 buffers. */
const halved = <K extends Kernel>(kernel: K): K => {
  const half = (operands: Kernel['inputs']) =>
    operands.map((one) => (one.dtype === 'float32' ? { ...one, dtype: 'float16' as const } : one));
  const halves = (kernel.kind === 'conv' || kernel.kind === 'matmul') && { halves: true };
  return { ...kernel, ...halves, inputs: half(kernel.inputs), outputs: half(kernel.outputs) };
};

describe('shaders of float16', () => {
  it.each(kernelCases)('$title', async ({ kernel }) => {
    expect(await faultsOf(generate(halved(kernel), target))).toEqual([]);
    expect(await faultsOf(generate(halved(kernel), { ...target, matrix: null, subgroup: null }))).toEqual([]);
  });
});

describe('tiles that a tuner tries', () => {
  it.each(['map', 'reduce', 'pool', 'conv'] as const)('of %s, float32 and float16', async (kind) => {
    for (const { kernel, title } of kernelCases.filter((test) => test.kernel.kind === kind)) {
      for (const each of [kernel, halved(kernel)]) {
        const ways = candidates(each, target).slice(1);
        for (const choice of kind === 'conv' ? ways.filter(({ way }) => way === 'direct') : ways)
          expect(await faultsOf(generate(each, target, choice)), `${title}, ${JSON.stringify(choice)}`).toEqual([]);
      }
    }
  });
});

describe('shaders that find operands by a table', () => {
  const few = { ...target, room: { buffers: 5, bytes: 2 ** 31 }, matrix: null };
  const many = kernelCases.filter(({ kernel }) => operandsOf(kernel).length >= few.room.buffers);
  it('are those with as many operands as a device has bindings', () => expect(many.length).toBeGreaterThan(20));
  it.each(many)('$title', async ({ kernel }) => {
    for (const each of [kernel, halved(kernel)]) {
      const program = generate(each, few);
      expect(await faultsOf(program)).toEqual([]);
      expect(program.dispatches[0]?.source ?? 'table').toContain('table');
    }
  });
});

describe('products on tensor cores', () => {
  const named = (title: string) => halved(kernelCases.find((test) => test.title === title)?.kernel as Kernel);
  it.each(by.matrixTiles)('tile $m × $n × $k', async (tile) => {
    for (const title of ['matmul 64×64 by 64×64', 'matmul 65×67 by 67×130, both transposed']) {
      const kernel = named(title) as Extract<Kernel, { kind: 'matmul' }>;
      expect(matmulChoices(kernel, target)[0]?.way).toBe('matrix');
      for (const splits of [1, 2])
        expect(await faultsOf(matmul(kernel, target, { way: 'matrix', tile, splits }))).toEqual([]);
    }
    for (const direction of ['forward', 'inputGrad', 'weightGrad']) {
      for (const what of ['3×3, 64 to 64 channels on 14²', '5×1 and stride of two kinds', '3 groups']) {
        const kernel = named(`conv ${direction}: ${what}`) as Extract<Kernel, { kind: 'conv' }>;
        const choices = convChoices(kernel, target).filter((choice) => choice.way === 'matrix');
        for (const order of new Set(choices.map(({ order }) => order))) {
          expect(
            await faultsOf(conv(kernel, target, { way: 'matrix', tile, order, splits: tile.m > 64 ? 2 : 1 })),
          ).toEqual([]);
        }
      }
    }
  });
  it.each(['forward', 'inputGrad'] as const)('leave sums of a float16 map, %s', async (direction) => {
    const kernel = named(`conv ${direction}: 3×3, 64 to 64 channels on 14²`) as ConvKernel;
    const ways = convChoices(kernel, target).filter((choice) => choice.way === 'matrix' || choice.way === 'tiles');
    for (const way of new Map(ways.map((one) => [`${one.way} ${columnsOf(one)}`, one])).values()) {
      const columns = columnsOf(way);
      if (!columns) continue;
      const parts = Math.ceil((kernel.sizes.n * 14 * 14) / columns);
      const leaving: ConvKernel = {
        ...kernel,
        partials: { output: 1, columns, sums: [expr.acc(1)], half: 0, squares: true },
        outputs: [...kernel.outputs, { dtype: 'float32', size: 2 * 64 * parts }],
        aliases: [-1, -1],
      };
      expect(convChoices(leaving, target).map(columnsOf)).toContain(columns);
      const program = conv(leaving, target, way);
      expect(await faultsOf(program)).toEqual([]);
      expect(program.dispatches.at(-1)?.source).toMatch(/f32\(f16\(.*acc0/s);
    }
  });
  it('are taken for float16 values, and only there', () => {
    const float32 = kernelCases.find(({ title }) => title === 'matmul 64×64 by 64×64')?.kernel as Kernel;
    expect(candidates(halved(float32), target)[0]?.way).toBe('matrix');
    expect(candidates(float32, target)[0]?.way).toBe('tiles');
    expect(candidates(halved(float32), { ...target, matrix: null })[0]?.way).toBe('tiles');
  });
});
