/** What is done with a trained model: statistics of averaged weights, and samples of its dropout. */
import { add, manualSeed, ones, randn, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => setBackend(reference()));
beforeEach(() => manualSeed(0));

async function* loader(...batches: number[][][]): AsyncGenerator<{ x: Tensor }> {
  for (const batch of batches) yield { x: tensor(batch) };
}
const values = async (state: nn.Buffer | null): Promise<number[]> => (state ? Array.from(await state.data()) : []);

describe('updateBatchNorm', () => {
  it('averages the statistics of the batches, as if none had been seen before', async () => {
    const norm = new nn.BatchNorm1d(2, { momentum: 0.3 });
    norm.runningMean?.assign(tensor([7, 7]));
    norm.numBatchesTracked?.assign(tensor(9, { dtype: 'int32' }));
    const model = new nn.Sequential(norm, new nn.Identity()).eval();
    // means [2,10], [6,1], [1,4]; unbiased variances [2,8], [4.5,4.5], [2,0]
    const batches = [
      [[1, 8], [3, 12]],
      [[4.5, -0.5], [7.5, 2.5]],
      [[0, 4], [2, 4]],
    ]; // biome-ignore format: a row a batch
    await nn.updateBatchNorm(model, loader(...batches));
    expect(await values(norm.runningMean)).toEqual([3, 5]);
    const variances = await values(norm.runningVar);
    expect(variances[0]).toBeCloseTo((2 + 4.5 + 2) / 3, 5);
    expect(variances[1]).toBeCloseTo((8 + 4.5 + 0) / 3, 5);
    expect(await values(norm.numBatchesTracked)).toEqual([3]);
    expect(norm.momentum).toBe(0.3);
    expect(model.training).toBe(false);
    expect(norm.training).toBe(false);
  });

  it('gives averaged weights the statistics that they make', async () => {
    const model = new nn.Sequential(new nn.Linear(1, 1, { bias: false }), new nn.BatchNorm1d(1));
    const linear = model.get(0) as nn.Linear;
    const average = new nn.AveragedModel(model);
    for (const weight of [2, 4]) {
      linear.weight.assign(tensor([[weight]]));
      average.update();
    }
    await nn.updateBatchNorm(average.model, loader([[1], [3]], [[2], [6]]));
    const norm = average.model.get(1) as nn.BatchNorm1d;
    expect(await values(norm.runningMean)).toEqual([9]); // 3·2 and 3·4
    expect((await values(norm.runningVar))[0]).toBeCloseTo((9 * 2 + 9 * 8) / 2, 4);
    expect(await values((model.get(1) as nn.BatchNorm1d).runningMean)).toEqual([0]);
  });

  it('takes what the option input tells, and leaves momenta alone where the data throws', async () => {
    const norm = new nn.BatchNorm1d(2);
    async function* breaking() {
      yield [ones([2, 1]), tensor([[1, 2], [3, 6]])] as const; // biome-ignore format: two rows
      throw new Error('gone');
    }
    await expect(nn.updateBatchNorm(norm, breaking(), { input: ([, x]) => x })).rejects.toThrow('gone');
    expect(await values(norm.runningMean)).toEqual([2, 4]);
    expect(norm.momentum).toBe(0.1);
  });

  it('ends between two batches when it is told to, with the reason and what it has seen', async () => {
    const norm = new nn.BatchNorm1d(2);
    const control = new AbortController();
    async function* told() {
      yield [tensor([[1, 2], [3, 6]])]; // biome-ignore format: two rows
      control.abort(new Error('enough'));
      yield [ones([2, 2])];
    }
    await expect(nn.updateBatchNorm(norm, told(), { signal: control.signal })).rejects.toThrow('enough');
    expect(await values(norm.runningMean)).toEqual([2, 4]);
    expect(norm.momentum).toBe(0.1);
  });

  it('wants a batch, unless there is nothing to do', async () => {
    const norm = new nn.BatchNorm1d(2);
    norm.runningMean?.assign(tensor([7, 7]));
    await expect(nn.updateBatchNorm(norm, loader())).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: updateBatchNorm: the data has no batch; hand in a loader that begins anew]`,
    );
    expect(await values(norm.runningMean)).toEqual([7, 7]);
    await nn.updateBatchNorm(new nn.ReLU(), loader());
  });
});

describe('mcDropout', () => {
  it('gives mean and deviation of outputs whose dropout draws', async () => {
    const model = new nn.Sequential(new nn.Dropout(0.5));
    const { mean, std } = nn.mcDropout(model, ones([4, 100]), { samples: 40 });
    expect([mean.shape, std.shape]).toEqual([[4, 100], [4, 100]]); // biome-ignore format: two shapes
    const average = (data: ArrayLike<number>) => Array.from(data).reduce((a, b) => a + b, 0) / data.length;
    // each output is 0 or 2 with the same chance: mean 1, deviation 1, over 16,000 draws
    expect(Math.abs(average(await mean.data()) - 1)).toBeLessThan(0.04);
    expect(Math.abs(average(await std.data()) - 1)).toBeLessThan(0.04);
  });

  it.each([true, false])('keeps batch norm evaluating and modes as they are (training: %s)', async (training) => {
    const norm = new nn.BatchNorm1d(3);
    norm.runningMean?.assign(tensor([1, 2, 3]));
    const model = new nn.Sequential(norm, new nn.AlphaDropout(0)).train(training);
    const x = randn([5, 3]);
    const { mean, std } = nn.mcDropout(model, x, { samples: 3 });
    const wanted = await model.clone().eval().forward(x).data();
    for (const [i, value] of (await mean.data()).entries()) expect(value).toBeCloseTo(wanted[i] as number, 5);
    expect(Math.max(...(await std.data()))).toBeLessThan(1e-6);
    expect(await values(norm.numBatchesTracked)).toEqual([0]);
    expect(model.namedModules().map(([, module]) => module.training)).toEqual([training, training, training]);
  });

  it('draws in attention, too', async () => {
    const attention = new nn.MultiheadAttention(4, 2, { dropout: 0.5 });
    const { std } = nn.mcDropout(attention as unknown as nn.Module, randn([1, 3, 4]), { samples: 8 });
    expect(Math.max(...(await std.data()))).toBeGreaterThan(0);
  });

  it('wants dropout, and two samples', () => {
    const x = add(ones([1, 2]), 0);
    expect(() => nn.mcDropout(new nn.Linear(2, 2), x)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: mcDropout: the model has no dropout layer, so all samples would be alike; train it with one]`,
    );
    expect(() => nn.mcDropout(new nn.Dropout(), x, { samples: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: mcDropout: samples is 1, wants an integer of at least 2]`,
    );
  });
});
