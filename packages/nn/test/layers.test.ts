import { compile, manualSeed, meta, relu, ShapeError, setBackend, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => setBackend(reference()));
beforeEach(() => manualSeed(0));

const counting = (...shape: number[]) => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 1.7) + i / size),
    { shape },
  );
};
const close = (seen: ArrayLike<number>, wanted: number[], digits = 5) => {
  expect(seen.length).toBe(wanted.length);
  for (const [i, value] of wanted.entries()) expect(seen[i]).toBeCloseTo(value, digits);
};

describe('Conv2d', () => {
  it.each([
    [{}, [2, 6, 5, 5]],
    [{ padding: 1, stride: 2 }, [2, 6, 4, 4]],
    [{ padding: 'same' as const }, [2, 6, 7, 7]],
    [{ dilation: 2, groups: 2, bias: false }, [2, 6, 3, 3]],
  ])('with %o gives the sizes that PyTorch gives', (options, shape) => {
    expect(new nn.Conv2d(4, 6, 3, options).forward(counting(2, 4, 7, 7)).shape).toEqual(shape);
  });

  it('takes a window of two sizes', () => {
    const layer = new nn.Conv2d(1, 1, [3, 1]);
    expect(layer.weight.shape).toEqual([1, 1, 3, 1]);
    expect(layer.forward(counting(1, 1, 5, 5)).shape).toEqual([1, 1, 3, 5]);
  });

  it('starts uniform in ±1/√(inputs of one output), weight and bias, as the seed says', async () => {
    const layer = new nn.Conv2d(8, 64, 5, { groups: 2 });
    const bound = 1 / Math.sqrt(4 * 25);
    const weight = await layer.weight.data();
    expect(Math.max(...weight.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...weight.map(Math.abs))).toBeGreaterThan(0.99 * bound);
    const mean = Array.from(weight).reduce((a, b) => a + b, 0) / weight.length;
    expect(Math.abs(mean)).toBeLessThan((4 * bound) / Math.sqrt(3 * weight.length));
    expect(Math.max(...((await layer.bias?.data()) ?? []).map(Math.abs))).toBeLessThanOrEqual(bound);
    manualSeed(0);
    expect(await new nn.Conv2d(8, 64, 5, { groups: 2 }).weight.data()).toEqual(weight);
    expect(await new nn.Conv2d(8, 64, 5, { groups: 2 }).weight.data()).not.toEqual(weight);
  });

  it('names what does not fit', () => {
    expect(() => new nn.Conv2d(4, 6, 3, { groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: 4 in-channels and 6 out-channels do not make 4 groups; wants multiples]`,
    );
    expect(() => new nn.Conv2d(4, 0, 3)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: outChannels is 0, wants an integer of at least 1]`,
    );
    expect(() => new nn.Conv2d(4, 6, 3).forward(counting(1, 3, 8, 8))).toThrow(ShapeError);
  });
});

describe('Linear', () => {
  it('is x·wᵀ + b over the last axis', async () => {
    const layer = new nn.Linear(2, 3);
    layer.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      bias: tensor([0.5, 0, -0.5]),
    });
    close(await layer.forward(tensor([[[1, 1]], [[2, 0]]])).data(), [3.5, 7, 10.5, 2.5, 6, 9.5]);
    expect(layer.forward(tensor([[[1, 1]], [[2, 0]]])).shape).toEqual([2, 1, 3]);
    expect(new nn.Linear(2, 3, { bias: false }).bias).toBe(null);
  });
});

describe('BatchNorm2d', () => {
  it('remembers nothing of a tensor without values', async () => {
    const layer = new nn.BatchNorm2d(2);
    expect(layer.forward(meta([4, 2, 3, 3])).shape).toEqual([4, 2, 3, 3]);
    expect(await layer.runningVar?.data()).toEqual(Float32Array.of(1, 1));
    expect(await layer.numBatchesTracked?.item()).toBe(0);
  });

  const batch = [1, 2, 3, 4, 10, 20, 30, 60];
  const x = () => tensor(batch, { shape: [2, 2, 1, 2] });
  // Channel 0 holds 1 2 10 20 (mean 8.25, biased variance 58.1875), channel 1 holds 3 4 30 60.
  const statistics = [
    { mean: 8.25, variance: 58.1875 },
    { mean: 24.25, variance: 543.1875 },
  ];

  it('normalises with the batch and moves its running statistics as PyTorch does', async () => {
    const layer = new nn.BatchNorm2d(2);
    const y = await layer.forward(x()).data();
    close(
      y,
      batch.map((value, i) => {
        const { mean, variance } = statistics[(i >> 1) & 1] as { mean: number; variance: number };
        return (value - mean) / Math.sqrt(variance + 1e-5);
      }),
    );
    close((await layer.runningMean?.data()) ?? [], [0.825, 2.425]);
    close((await layer.runningVar?.data()) ?? [], [0.9 + (0.1 * 58.1875 * 4) / 3, 0.9 + (0.1 * 543.1875 * 4) / 3], 4);
    expect(await layer.numBatchesTracked?.item()).toBe(1);
  });

  it('evaluates with the running statistics, and leaves them', async () => {
    const layer = new nn.BatchNorm2d(2);
    layer.runningMean?.assign(tensor([1, 2]));
    layer.runningVar?.assign(tensor([4, 9]));
    layer.weight?.assign(tensor([2, 3]));
    layer.bias?.assign(tensor([0.5, -1]));
    layer.eval();
    close(await layer.forward(x()).data(), [0.5, 1.5, 0, 1, 9.5, 19.5, 27, 57], 3);
    expect(await layer.numBatchesTracked?.item()).toBe(0);
  });

  it('averages all batches alike with momentum null', async () => {
    const layer = new nn.BatchNorm2d(1, { momentum: null });
    const means: number[] = [];
    for (const shift of [0, 5, -3]) {
      layer.forward(tensor([shift, shift + 2], { shape: [2, 1, 1, 1] }));
      means.push((await layer.runningMean?.item()) ?? Number.NaN);
    }
    close(means, [1, 3.5, 5 / 3]);
  });

  it('uses the batch even when evaluating, where it keeps no statistics', async () => {
    const layer = new nn.BatchNorm2d(2, { trackRunningStats: false, affine: false }).eval();
    expect([...layer.stateDict().keys()]).toEqual([]);
    expect((await layer.forward(x()).data())[0]).toBeCloseTo((1 - 8.25) / Math.sqrt(58.1875), 4);
  });

  it('takes another path in a compiled step when the mode changes', async () => {
    const layer = new nn.BatchNorm2d(2);
    let traces = 0;
    const forward = compile((input: ReturnType<typeof x>) => {
      traces++;
      return layer.forward(input);
    });
    const first = await forward(x()).data();
    await forward(x()).data();
    expect(await layer.numBatchesTracked?.item()).toBe(2);
    layer.eval();
    expect(await forward(x()).data()).not.toEqual(first);
    expect(await layer.numBatchesTracked?.item()).toBe(2);
    layer.train();
    close(await forward(x()).data(), Array.from(first));
    expect(traces).toBe(2);
  });

  it('refuses one value a channel in training, and other ranks', () => {
    expect(() => new nn.BatchNorm2d(2).forward(counting(1, 2, 1, 1))).toThrow(ShapeError);
    expect(() => new nn.BatchNorm2d(2).forward(counting(2, 2))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: batchNorm2d: input [2,2] has rank 2, wants [N,C,H,W]; reshape it first]`,
    );
    expect(() => new nn.BatchNorm2d(3).forward(x())).toThrow(ShapeError);
  });
});

describe('layers without parameters', () => {
  it('ReLU is relu, MaxPool2d halves, Flatten keeps the batch', async () => {
    const x = counting(2, 3, 4, 6);
    expect(await new nn.ReLU().forward(x).data()).toEqual(await relu(x).data());
    expect(new nn.MaxPool2d(2).forward(x).shape).toEqual([2, 3, 2, 3]);
    expect(new nn.MaxPool2d([3, 2], { stride: 1, padding: [1, 0] }).forward(x).shape).toEqual([2, 3, 4, 5]);
    expect(new nn.Flatten().forward(x).shape).toEqual([2, 72]);
    expect(new nn.Flatten(0, 1).forward(x).shape).toEqual([6, 4, 6]);
  });

  it('Dropout drops in training only, and keeps the sum', async () => {
    const layer = new nn.Dropout(0.25);
    const ones = tensor(new Float32Array(10_000).fill(1), { shape: [100, 100] });
    const y = await layer.forward(ones).data();
    const kept = y.filter((value) => value !== 0);
    // 7,500 ± 5 standard deviations of a binomial.
    expect(Math.abs(kept.length - 7500)).toBeLessThan(217);
    for (const value of kept) expect(value).toBeCloseTo(4 / 3, 6);
    expect(await layer.eval().forward(ones).data()).toEqual(new Float32Array(10_000).fill(1));
  });

  it('Dropout with another p traces a compiled step anew', async () => {
    const layer = new nn.Dropout(0);
    const forward = compile((x: ReturnType<typeof counting>) => layer.forward(x));
    expect(Math.min(...(await forward(tensor(new Float32Array(100).fill(1))).data()))).toBe(1);
    layer.p = 1;
    expect(Math.max(...(await forward(tensor(new Float32Array(100).fill(1))).data()))).toBe(0);
  });
});
