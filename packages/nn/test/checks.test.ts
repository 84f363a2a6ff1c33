/** Layers that look at values and sizes. */
import * as t from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => t.setBackend(reference()));
afterEach(() => t.setDebug(false));

describe('CheckRange', () => {
  it('hands x through, and is content as long as values lie in its range', async () => {
    const model = new nn.Sequential(new nn.CheckRange(-1, 2), new nn.ReLU());
    await nn.checkRanges(model);
    expect(await model.forward(t.tensor([-1, 0, 2])).toArray()).toEqual([0, 0, 2]);
    await nn.checkRanges(model);
    expect([model.stateDict().size, nn.summary(model, [3]).parameters]).toEqual([0, 0]);
  });

  it.each([
    ['above', [0, 3], 'values from 0 to 3'],
    ['below', [-5, 1], 'values from -5 to 1'],
    ['infinite', [0, Number.POSITIVE_INFINITY], 'values from 0 to Infinity'],
    ['no number', [0, Number.NaN], 'values from NaN to NaN'],
  ])('remembers what is %s, in compiled calls, too', async (_, values, seen) => {
    const model = new nn.Sequential(new nn.ReLU(), new nn.CheckRange(-1, 2, { name: 'pixels' }));
    const run = nn.compile((x: t.Tensor) => model[1]?.forward(x) ?? x);
    run(t.tensor([0, 1]));
    await nn.checkRanges(model);
    run(t.tensor(values));
    run(t.tensor([0, 1]));
    await expect(nn.checkRanges(model)).rejects.toThrow(
      `1 (CheckRange) pixels: ${seen}, wants -1 to 2; normalise what comes in`,
    );
  });

  it('is ±1e5 unless told, and wants a range', () => {
    expect(new nn.CheckRange().range).toEqual([-1e5, 1e5]);
    expect(() => new nn.CheckRange(1, 0)).toThrow(t.ArgumentError);
  });
});

describe('Input with a range', () => {
  const door = () => new nn.Sequential(new nn.Input('BD', { sizes: [null, 2], range: [0, 1] }));

  it('looks at the first batch only: the compiled call is traced anew without it', async () => {
    const model = door();
    const run = nn.compile((x: t.Tensor) => t.relu(model.forward(x)));
    for (let i = 0; i < 3; i++) run(t.full([3, 2], i));
    await nn.checkRanges(model);
    expect(programsOf(run)).toHaveLength(2);
  });

  it('names what the first batch had', async () => {
    const model = door();
    model.forward(t.tensor(Uint8Array.of(0, 255), { shape: [1, 2] }));
    await expect(nn.checkRanges(model)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: 0 (Input): values from 0 to 255, wants 0 to 1; normalise what comes in, or look at the layer before]`,
    );
  });

  it('looks at every batch in debug mode', async () => {
    const model = door();
    t.setDebug(true);
    for (const size of [0, 5]) model.forward(t.full([1, 2], size));
    await expect(nn.checkRanges(model)).rejects.toThrow(/from 0 to 5/);
  });

  it('waits for values where it first sees shapes alone', async () => {
    const model = door();
    nn.summary(model);
    model.forward(t.full([1, 2], 7));
    await expect(nn.checkRanges(model)).rejects.toThrow(/from 7 to 7/);
  });

  it('stops fit after the first batch', async () => {
    const model = new nn.Sequential(...door(), new nn.Linear(2, 1));
    const optimizer = new nn.SGD(model.parameters(), { lr: 0.1 });
    const one = { x: t.full([2, 2], 9), y: t.zeros([2]) };
    const data = {
      async *[Symbol.asyncIterator]() {
        yield one;
      },
    };
    const loss = (y: t.Tensor) => t.mean(y);
    await expect(nn.fit(model, { data, optimizer, loss, epochs: 1 })).rejects.toThrow(
      /0 \(Input\): values from 9 to 9/,
    );
  });
});

describe('CheckSizes', () => {
  it('names the axis by its letter, where it has letters', () => {
    const layer = new nn.CheckSizes([null, 3], { order: 'BD', name: 'head' });
    expect(() => layer.forward(t.zeros([2, 4]))).toThrow('checkSizes head: [2,4] has 4 on axis D');
    expect(() => new nn.CheckSizes([1], { order: 'BD' })).toThrow(t.ArgumentError);
  });
});

describe('Lambda', () => {
  it('may tell its shape where its function wants to know sizes', () => {
    const half = new nn.Lambda((x) => t.slice(x, [null, [0, x.size / 4]]), {
      name: 'half',
      shape: ([n]) => [n ?? null, 2],
    });
    expect(half.forward(t.zeros([2, 4])).shape).toEqual([2, 2]);
    expect(half.forward(t.meta([null, 4])).shape).toEqual([null, 2]);
    expect(nn.toMermaid(new nn.Sequential(half), [null, 4])).toContain('0 Lambda half<br/>[N,2]');
  });
});

describe('InputStats', () => {
  const batches = [
    t.tensor([[0, 2]]),
    t.tensor([
      [1, 5],
      [3, 3],
    ]),
  ];
  const filled = () => {
    const stats = new nn.InputStats({ rank: 2 });
    const run = nn.compile(stats);
    for (const batch of batches) run(batch);
    return stats;
  };

  it('keeps spreads of sizes, and of the batches’ min, max, mean and deviation', async () => {
    const { batches: count, sizes, values } = await filled().report();
    expect(count).toBe(2);
    expect(sizes).toEqual([
      { min: 1, max: 2, mean: 1.5, std: 0.5 },
      { min: 2, max: 2, mean: 2, std: 0 },
    ]);
    expect(values.min).toEqual({ min: 0, max: 1, mean: 0.5, std: 0.5 });
    expect(values.mean).toEqual({ min: 1, max: 3, mean: 2, std: 1 });
    expect(values.std.max).toBeCloseTo(Math.SQRT2, 6);
  });

  it('learns in training only, and is saved with the model', async () => {
    const stats = filled();
    stats.eval().forward(t.tensor([[100, 100]]));
    stats.train().forward(t.meta([1, 2]));
    const other = new nn.InputStats({ rank: 2 });
    other.loadStateDict(nn.loadSafetensors(await nn.saveSafetensors(stats.stateDict())).tensors);
    expect(await other.report()).toEqual(await filled().report());
  });

  it('tells in deviations how far a batch has drifted', async () => {
    const stats = filled();
    const { min, mean } = await stats.drift(t.tensor([[0.5, 11.5]]));
    expect([min, mean]).toEqual([0, 4]);
    const alike = new nn.InputStats({ rank: 1 });
    alike.forward(t.tensor([1, 3]));
    expect((await alike.drift(t.tensor([1, 5]))).max).toBe(Number.POSITIVE_INFINITY);
    expect(() => stats.forward(t.tensor([1]))).toThrow(t.ShapeError);
  });
});
