/** Winograd's convolution and input gradient, tiles of 2×2 and of 4×4, on the emulated GPU against the reference. */
import type { ConvKernel } from '@tessera/tensor/backend';
import { type KernelCase, kernelCases } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { webgpu } from '../src/index';
import { convChoices } from '../src/kernels/conv';
import { tiles } from '../src/kernels/tiles';
import { transformsOf } from '../src/kernels/transforms';
import { winogradChoices } from '../src/kernels/winograd';
import type { WebgpuBackend } from '../src/runtime';
import type { Target } from '../src/shader';
import { checkChoice } from './choices';
import { emulated } from './emulated';
import { largeDevice } from './target';

let backend: WebgpuBackend;
beforeAll(async () => {
  backend = (await webgpu(await emulated())) as WebgpuBackend;
});
afterAll(() => backend.dispose());

const target: Target = { ...largeDevice, threads: 256, shared: 65536 };
const named = (part: string) =>
  kernelCases.find(({ title }) => title.includes(part)) as KernelCase & { kernel: ConvKernel };
/** Times the error of a plain sum, as backend-cpu allows its own. */
const factor = 4;
const small = tiles.find(({ m, staging }) => m === 16 && staging === 'none') as (typeof tiles)[number];

describe('Winograd', () => {
  it.each([
    ['conv forward: 3 groups', 2],
    ['conv forward: 3 groups', 4, 128],
    ['conv inputGrad: 3 groups', 4],
    ['conv inputGrad: zeros in front only', 2],
    ['conv with affine, residual and relu behind it', 4],
    ['conv of a normalised input', 2],
  ] as const)('%s, tiles of %i', async (title, outputs, threads?: number) => {
    const choice = { way: 'winograd', outputs, tile: small, splits: 1, ...(threads && { threads }) } as const;
    await checkChoice(backend, named(title), choice, { factor: () => factor });
  });

  it('is a candidate of windows of 3×3 with stride 1, and never the first', () => {
    const ways = convChoices(named('conv forward: 3×3, 64 to 64').kernel, target).map(({ way }) => way);
    expect(ways[0]).toBe('tiles');
    expect(ways).toContain('winograd');
    for (const other of ['conv weightGrad: 3×3, 64 to 64', 'conv forward: dilated 3×3', 'conv forward: 5×1'])
      expect(winogradChoices(named(other).kernel, target)).toEqual([]);
  });

  it.each([2, 4] as const)('transforms for %i results are those of a correlation', (outputs) => {
    const { toData, toWeights, toResults } = transformsOf(outputs);
    const [data, weights] = [Array.from({ length: outputs + 2 }, (_, i) => Math.sin(i + 1)), [0.3, -0.7, 0.2]];
    const times = (by: typeof toData, values: readonly number[]) =>
      by.map((row) => row.reduce((sum, x, i) => sum + x * (values[i] as number), 0));
    const [v, u] = [times(toData, data), times(toWeights, weights)];
    const results = times(
      toResults,
      v.map((x, i) => x * (u[i] as number)),
    );
    results.forEach((y, i) => {
      expect(y).toBeCloseTo(
        weights.reduce((sum, w, r) => sum + w * (data[i + r] as number), 0),
        12,
      );
    });
  });
});
