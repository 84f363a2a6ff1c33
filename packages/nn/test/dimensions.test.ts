/** Convolutions, their transposes and normalisations in one to three dimensions. */
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => t.setBackend(reference({ dtype: 'float64' })));
beforeEach(() => t.manualSeed(0));

const wave = (...shape: number[]) =>
  t.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7) + i / 50),
    { shape },
  );
const close = (seen: ArrayLike<number>, wanted: ArrayLike<number>, digits = 5) => {
  expect(seen.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(seen[i]).toBeCloseTo(wanted[i] as number, digits);
};

describe('convolutions', () => {
  it.each<[string, nn.Module & { weight: nn.Parameter }, number[], number[], number[]]>([
    ['Conv1d', new nn.Conv1d(4, 6, 3, { stride: 2 }), [2, 4, 9], [6, 4, 3], [2, 6, 4]],
    ['Conv3d', new nn.Conv3d(2, 4, [1, 2, 3], { groups: 2 }), [1, 2, 3, 4, 5], [4, 1, 1, 2, 3], [1, 4, 3, 3, 3]],
    ['ConvTranspose1d', new nn.ConvTranspose1d(4, 6, 3, { stride: 2 }), [2, 4, 5], [4, 6, 3], [2, 6, 11]],
    [
      'ConvTranspose2d as U-Net’s',
      new nn.ConvTranspose2d(4, 6, 3, { stride: 2, padding: 1, outputPadding: 1 }),
      [2, 4, 5, 6],
      [4, 6, 3, 3],
      [2, 6, 10, 12],
    ],
    [
      'ConvTranspose3d',
      new nn.ConvTranspose3d(4, 6, 2, { groups: 2 }),
      [1, 4, 2, 2, 2],
      [4, 3, 2, 2, 2],
      [1, 6, 3, 3, 3],
    ],
  ])('%s has PyTorch’s weight and sizes', (_, layer, from, weight, to) => {
    expect(layer.weight.shape).toEqual(weight);
    expect(layer.forward(wave(...from)).shape).toEqual(to);
    expect(layer.forward(t.meta([null, ...from.slice(1)])).shape).toEqual([null, ...to.slice(1)]);
  });

  it('a transpose starts within ±1/√(weights of one input)', async () => {
    const layer = new nn.ConvTranspose2d(8, 16, 3);
    const most = Math.max(...(await layer.weight.data()).map(Math.abs));
    expect(most).toBeLessThanOrEqual(1 / Math.sqrt(16 * 9));
    expect(most).toBeGreaterThan(0.99 / Math.sqrt(16 * 9));
    expect(layer.bias?.shape).toEqual([16]);
  });

  it.each(['reflect', 'replicate', 'circular'] as const)('Conv2d pads by %s', async (paddingMode) => {
    const layer = new nn.Conv2d(2, 3, [3, 5], { padding: [1, 2], paddingMode });
    const x = wave(1, 2, 6, 7);
    const padded = t.pad(x, [2, 2, 1, 1], { mode: paddingMode });
    close(await layer.forward(x).data(), await t.conv2d(padded, layer.weight, { bias: layer.bias }).data());
    const same = new nn.Conv2d(2, 3, [2, 5], { padding: 'same', paddingMode });
    expect(same.forward(x).shape).toEqual([1, 3, 6, 7]);
  });

  it('names what does not fit', () => {
    expect(() => new nn.Conv3d(1, 1, [3, 3])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv3d: kernelSize [3,3], wants one size or 3 of them]`,
    );
    expect(() => new nn.ConvTranspose2d(3, 4, 3, { groups: 2 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ConvTranspose2d: 3 in-channels and 4 out-channels do not make 2 groups; wants multiples]`,
    );
    expect(() => new nn.ConvTranspose2d(3, 4, 3).forward(wave(1, 2, 3, 3))).toThrow(t.ShapeError);
  });
});

describe('batch normalisation', () => {
  it('BatchNorm1d takes [N,C] and [N,C,L], BatchNorm3d [N,C,D,H,W]', async () => {
    const x = wave(4, 3, 5);
    const rows = t.reshape(t.permute(x, [0, 2, 1]), [20, 3]);
    const [layer, twin] = [new nn.BatchNorm1d(3), new nn.BatchNorm1d(3)];
    const y = await t.reshape(t.permute(layer.forward(x), [0, 2, 1]), [20, 3]).data();
    close(y, await twin.forward(rows).data());
    close((await layer.runningVar?.data()) ?? [], (await twin.runningVar?.data()) ?? [0]);
    expect(new nn.BatchNorm3d(2).forward(wave(2, 2, 2, 2, 2)).shape).toEqual([2, 2, 2, 2, 2]);
    expect(new nn.BatchNorm1d(3).forward(t.meta([null, 3])).shape).toEqual([null, 3]);
  });

  it('refuses to train with one value a channel, and other ranks', () => {
    expect(() => new nn.BatchNorm1d(3).forward(wave(1, 3))).toThrow(t.ShapeError);
    expect(new nn.BatchNorm1d(3).eval().forward(wave(1, 3)).shape).toEqual([1, 3]);
    expect(() => new nn.BatchNorm1d(3).forward(wave(1, 3, 2, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batchNorm1d: input [1,3,2,2] has rank 4, wants [N,C] or [N,C,L]; reshape it first]`,
    );
    expect(() => new nn.BatchNorm2d(0)).toThrow(t.ArgumentError);
  });

  it('FrozenBatchNorm2d is BatchNorm2d evaluating, in both modes, with nothing to train', async () => {
    const [frozen, plain] = [new nn.FrozenBatchNorm2d(2, { eps: 0.01 }), new nn.BatchNorm2d(2, { eps: 0.01 }).eval()];
    const values = { weight: [2, 3], bias: [-1, 1], running_mean: [0.5, 2], running_var: [4, 0.25] };
    const given = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, t.tensor(value)]));
    frozen.loadStateDict(given);
    plain.loadStateDict(given, { strict: false });
    const x = wave(2, 2, 3, 3);
    close(await frozen.forward(x).data(), await plain.forward(x).data());
    expect(frozen.parameters()).toEqual([]);
    expect(() => frozen.forward(wave(1, 3, 2, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: frozenBatchNorm2d: input [1,3,2,2] has 3 channels, wants 2; make it with numFeatures 3]`,
    );
  });
});

describe('FrozenBatchNorm2d', () => {
  it('loads the file of a model with BatchNorm2d in its place', async () => {
    const [trained, frozen] = [new nn.BatchNorm2d(2), new nn.FrozenBatchNorm2d(2)];
    trained.runningMean?.assign(t.tensor([3, 4]));
    const model = new nn.Sequential(new nn.Conv2d(1, 2, 1), frozen);
    const file = new nn.Sequential(new nn.Conv2d(1, 2, 1), trained).stateDict();
    expect([...file.keys()]).toContain('1.num_batches_tracked');
    expect(model.loadStateDict(file)).toEqual({ missing: [], unexpected: [] });
    close(await frozen.runningMean.data(), [3, 4]);
  });
});

describe('normalisation within a sample', () => {
  const moments = (values: ArrayLike<number>) => {
    const all = Array.from(values);
    const mean = all.reduce((a, b) => a + b, 0) / all.length;
    return [mean, all.reduce((a, b) => a + (b - mean) ** 2, 0) / all.length];
  };

  it('GroupNorm, LayerNorm and InstanceNorm make mean 0 and variance 1 of what they name', async () => {
    const x = wave(2, 4, 3, 3);
    close(moments((await new nn.GroupNorm(2, 4).forward(x).data()).slice(0, 18)), [0, 1], 3);
    close(moments((await new nn.LayerNorm([3, 3]).forward(x).data()).slice(0, 9)), [0, 1], 3);
    close(moments((await new nn.InstanceNorm2d(4).forward(x).data()).slice(9, 18)), [0, 1], 3);
  });

  it('have PyTorch’s keys', () => {
    const keys = (module: nn.Module) => [...module.stateDict()].map(([key, { shape }]) => `${key} [${shape}]`);
    expect(keys(new nn.GroupNorm(2, 4))).toEqual(['weight [4]', 'bias [4]']);
    expect(keys(new nn.LayerNorm([4, 5]))).toEqual(['weight [4,5]', 'bias [4,5]']);
    expect(keys(new nn.LayerNorm(4, { bias: false }))).toEqual(['weight [4]']);
    expect(keys(new nn.RMSNorm(4))).toEqual(['weight [4]']);
    expect(keys(new nn.InstanceNorm1d(4))).toEqual([]);
    expect(keys(new nn.InstanceNorm3d(4, { affine: true, trackRunningStats: true }))).toEqual([
      'weight [4]',
      'bias [4]',
      'running_mean [4]',
      'running_var [4]',
      'num_batches_tracked []',
    ]);
  });

  it('InstanceNorm keeps running statistics on request, as the mean over samples', async () => {
    const layer = new nn.InstanceNorm1d(1, { trackRunningStats: true });
    layer.forward(t.tensor([[[1, 3]], [[10, 30]]]));
    close((await layer.runningMean?.data()) ?? [], [1.1]);
    close((await layer.runningVar?.data()) ?? [], [0.9 + 0.1 * ((2 + 200) / 2)]);
    close(
      await layer
        .eval()
        .forward(t.tensor([[[1.1, 2.1]]]))
        .data(),
      [0, 1 / Math.sqrt(11 + 1e-5)],
    );
  });

  it('RMSNorm divides by the root of the mean square', async () => {
    close(await new nn.RMSNorm(2).forward(t.tensor([[3, 4]])).data(), [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)]);
  });

  it('name what does not fit', () => {
    expect(() => new nn.GroupNorm(3, 4)).toThrow(t.ArgumentError);
    expect(() => new nn.LayerNorm(4).forward(wave(2, 3))).toThrow(t.ShapeError);
    expect(() => new nn.InstanceNorm2d(4).forward(wave(2, 4, 3))).toThrow(t.ShapeError);
    expect(() => new nn.InstanceNorm1d(4).forward(wave(2, 4, 1))).toThrow(t.ShapeError);
  });
});
