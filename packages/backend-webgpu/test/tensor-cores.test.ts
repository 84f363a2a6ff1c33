/** Numbers of products on tensor cores, where no device has any (halves.ts). Slabs, blocks, parts of k and stores are the generator's own. */
import { compareKernelCase, type KernelCase, kernelCases } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { conv } from '../src/kernels/conv';
import { matmul } from '../src/kernels/matmul';
import * as by from '../src/kernels/matrix';
import type { Target } from '../src/shader';
import { emulatedAdapter } from './emulated';
import { lanes, run, size } from './halves';
import { largeDevice } from './target';

const target: Target = {
  ...largeDevice,
  room: { buffers: 10, bytes: 2 ** 27 },
  threads: 256,
  shared: 32768,
  scratch: 2 ** 26,
  matrix: { m: size, n: size, k: size, lanes, by },
  subgroup: lanes,
};

let device: GPUDevice;
beforeAll(async () => {
  const requiredLimits = { maxStorageBuffersPerShaderStage: 10, maxComputeWorkgroupStorageSize: target.shared };
  device = await (await emulatedAdapter()).requestDevice({ requiredLimits });
});
afterAll(() => device.destroy());

describe('products on tensor cores, multiplied by loops', () => {
  const tile = by.matrixTiles.find(({ m }) => m === 32) as by.MatrixTile;
  it.each([
    ['matmul 64×64 by 64×64', 2, 'flat'], // vectors stored, and joined
    ['matmul 65×67 by 67×130, both transposed', 1, 'flat'],
    ['conv forward: 3 groups', 2, 'taps'], // behind weights that are laid out
  ] as const)('%s, k in %i, %s', async (title, splits, order) => {
    const test = kernelCases.find((one) => one.title === title) as KernelCase;
    const { kernel } = test;
    const choice = { way: 'matrix', tile, splits } as const;
    const program =
      kernel.kind === 'matmul'
        ? matmul(kernel, target, choice)
        : conv(kernel as Extract<typeof kernel, { kind: 'conv' }>, target, { ...choice, order });
    const outputs = await run(device, test, program);
    expect(await compareKernelCase(test, outputs, { accuracy: 'shader' })).toEqual([]);
  });
});
