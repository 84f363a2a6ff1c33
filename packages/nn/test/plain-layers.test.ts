/** Layers that are a function of tensor's: values by formula, sizes by rule. */
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => t.setBackend(reference()));
beforeEach(() => t.manualSeed(0));

const wave = (...shape: number[]) =>
  t.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 3 * Math.sin(i * 1.7)),
    { shape },
  );

describe('activations', () => {
  it.each<[nn.Module, (x: number) => number]>([
    [new nn.Identity(), (x) => x],
    [new nn.ReLU(), (x) => Math.max(x, 0)],
    [new nn.ReLU6(), (x) => Math.min(Math.max(x, 0), 6)],
    [new nn.LeakyReLU(0.2), (x) => (x > 0 ? x : 0.2 * x)],
    [new nn.PReLU(), (x) => (x > 0 ? x : 0.25 * x)],
    [new nn.ELU(2), (x) => (x > 0 ? x : 2 * Math.expm1(x))],
    [new nn.CELU(2), (x) => (x > 0 ? x : 2 * Math.expm1(x / 2))],
    [new nn.SELU(), (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * Math.expm1(x))],
    [
      new nn.GELU({ approximate: 'tanh' }),
      (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ],
    [new nn.SiLU(), (x) => x / (1 + Math.exp(-x))],
    [new nn.Mish(), (x) => x * Math.tanh(Math.log1p(Math.exp(x)))],
    [new nn.Hardsigmoid(), (x) => Math.min(Math.max(x + 3, 0), 6) / 6],
    [new nn.Hardswish(), (x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6],
    [new nn.Hardtanh(-2, 1), (x) => Math.min(Math.max(x, -2), 1)],
    [new nn.Sigmoid(), (x) => 1 / (1 + Math.exp(-x))],
    [new nn.LogSigmoid(), (x) => -Math.log1p(Math.exp(-x))],
    [new nn.Tanh(), Math.tanh],
    [new nn.Softsign(), (x) => x / (1 + Math.abs(x))],
    [new nn.Softplus({ beta: 2 }), (x) => Math.log1p(Math.exp(2 * x)) / 2],
  ])('%o is its formula', async (layer, formula) => {
    const x = wave(3, 5);
    const [seen, given] = [await layer.forward(x).data(), await x.data()];
    for (const [i, value] of given.entries()) expect(seen[i]).toBeCloseTo(formula(value), 5);
    expect(layer.forward(t.meta([null, 5])).shape).toEqual([null, 5]);
  });

  it('PReLU learns one slope or one a channel', () => {
    expect([...new nn.PReLU({ numParameters: 4 }).stateDict()].map(([key, { shape }]) => [key, shape])).toEqual([
      ['weight', [4]],
    ]);
    expect(() => new nn.PReLU({ numParameters: 4 }).forward(wave(1, 3, 2))).toThrow(t.ArgumentError);
  });

  it('Softmax and LogSoftmax go along the last axis, or another', async () => {
    const x = wave(2, 3);
    expect(await new nn.Softmax().forward(x).data()).toEqual(await t.softmax(x, -1).data());
    expect(await new nn.LogSoftmax(0).forward(x).data()).toEqual(await t.logSoftmax(x, 0).data());
  });
});

describe('pooling', () => {
  it.each<[string, nn.Module, number[], number[]]>([
    ['MaxPool1d', new nn.MaxPool1d(3, { stride: 2, ceilMode: true }), [1, 2, 8], [1, 2, 4]],
    ['MaxPool2d', new nn.MaxPool2d([3, 2], { stride: 1, padding: [1, 0] }), [2, 3, 4, 6], [2, 3, 4, 5]],
    ['MaxPool2d with dilation', new nn.MaxPool2d(2, { dilation: 2, stride: 1 }), [2, 3, 4, 6], [2, 3, 2, 4]],
    ['MaxPool3d', new nn.MaxPool3d(2), [1, 1, 4, 5, 6], [1, 1, 2, 2, 3]],
    ['AvgPool1d', new nn.AvgPool1d(2), [1, 2, 8], [1, 2, 4]],
    ['AvgPool2d', new nn.AvgPool2d(3, { stride: 1, padding: 1, countIncludePad: false }), [2, 3, 4, 6], [2, 3, 4, 6]],
    ['AvgPool3d', new nn.AvgPool3d([1, 2, 3]), [1, 1, 4, 5, 6], [1, 1, 4, 2, 2]],
    ['AdaptiveAvgPool1d', new nn.AdaptiveAvgPool1d(3), [1, 2, 7], [1, 2, 3]],
    ['AdaptiveAvgPool2d', new nn.AdaptiveAvgPool2d([6, null]), [1, 2, 4, 5], [1, 2, 6, 5]],
    ['AdaptiveAvgPool3d', new nn.AdaptiveAvgPool3d(1), [1, 2, 3, 4, 5], [1, 2, 1, 1, 1]],
    ['AdaptiveMaxPool1d', new nn.AdaptiveMaxPool1d(2), [1, 2, 7], [1, 2, 2]],
    ['AdaptiveMaxPool2d', new nn.AdaptiveMaxPool2d([2, 3]), [1, 2, 4, 5], [1, 2, 2, 3]],
    ['AdaptiveMaxPool3d', new nn.AdaptiveMaxPool3d([1, 2, null]), [1, 2, 3, 4, 5], [1, 2, 1, 2, 5]],
  ])('%s makes PyTorch’s sizes', async (_, layer, from, to) => {
    const y = layer.forward(wave(...from));
    expect(y.shape).toEqual(to);
    expect((await y.data()).every(Number.isFinite)).toBe(true);
    expect(layer.forward(t.meta([null, ...from.slice(1)])).shape).toEqual([null, ...to.slice(1)]);
  });

  it('averages and takes maxima', async () => {
    const x = t.tensor([
      [
        [
          [1, 2, 5],
          [3, 4, 9],
        ],
      ],
    ]);
    expect(Array.from(await new nn.AvgPool2d(2, { ceilMode: true }).forward(x).data())).toEqual([2.5, 7]);
    expect(Array.from(await new nn.AdaptiveAvgPool2d(1).forward(x).data())).toEqual([4]);
    expect(Array.from(await new nn.AdaptiveMaxPool2d([2, 1]).forward(x).data())).toEqual([5, 9]);
    expect(() => new nn.MaxPool2d(4).forward(x)).toThrow(t.ShapeError);
  });
});

describe('leaving out', () => {
  it('Dropout2d leaves out whole maps, and keeps the mean', async () => {
    const y = await new nn.Dropout2d(0.25).forward(t.ones([100, 100, 2, 2])).data();
    let dropped = 0;
    for (let i = 0; i < y.length; i += 4) {
      expect(new Set(y.slice(i, i + 4)).size).toBe(1);
      if (y[i] === 0) dropped++;
      else expect(y[i]).toBeCloseTo(4 / 3, 6);
    }
    // 2,500 ± 5 standard deviations of a binomial.
    expect(Math.abs(dropped - 2500)).toBeLessThan(217);
  });

  it('StochasticDepth leaves out samples, or the batch', async () => {
    expect(() => new nn.StochasticDepth(0.5, 'rows' as 'row')).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: StochasticDepth: mode is 'rows', wants 'row' or 'batch']`,
    );
    const rows = await new nn.StochasticDepth(0.5).forward(t.ones([64, 3])).toArray();
    const kinds = new Set((rows as number[][]).map(String));
    expect(kinds).toEqual(new Set(['0,0,0', '2,2,2']));
    const all = new Set(await new nn.StochasticDepth(0.5, 'batch').forward(t.ones([64, 3])).data());
    expect(all.size).toBe(1);
    expect(new nn.DropPath().p).toBe(0);
  });

  it.each([new nn.Dropout2d(), new nn.Dropout(), new nn.StochasticDepth(0.9)])(
    '%o does nothing when evaluating',
    async (layer) => {
      const x = wave(2, 3, 2, 2);
      expect(layer.eval().forward(x)).toBe(x);
    },
  );

  it('refuses what is no probability, and other ranks', () => {
    expect(() => new nn.Dropout2d(1.5)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Dropout2d: p is 1.5, wants 0 ≤ p ≤ 1]`,
    );
    expect(() => new nn.Dropout2d().forward(wave(2, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Dropout2d: input [2,3] has rank 2, wants [N,C,H,W]; reshape it first]`,
    );
    expect(new nn.Dropout1d(0.5).forward(t.meta([null, 3, null])).shape).toEqual([null, 3, null]);
    expect(new nn.Dropout3d(0.5).forward(wave(1, 2, 2, 2, 2)).shape).toEqual([1, 2, 2, 2, 2]);
  });
});

describe('BatchNorm2d', () => {
  it('takes eps and momentum', () => {
    const layer = new nn.BatchNorm2d(3, { eps: 0.001, momentum: 0.01 });
    expect([layer.eps, layer.momentum]).toEqual([0.001, 0.01]);
  });
});

describe('LocalResponseNorm', () => {
  it('is PyTorch’s, given a size', async () => {
    const x = wave(2, 6, 3, 2);
    for (const size of [1, 4, 5]) {
      const seen = await new nn.LocalResponseNorm(size, { alpha: 0.5, beta: 0.6, k: 2 }).forward(x).data();
      const wanted = await t.localResponseNorm(x, size, { alpha: 0.5, beta: 0.6, k: 2 }).data();
      for (const [i, value] of wanted.entries()) expect(seen[i]).toBeCloseTo(value, 6);
    }
  });

  it('equals it with the paper’s numbers: alpha times the size', async () => {
    const x = wave(1, 8, 2, 2);
    const seen = await new nn.LocalResponseNorm(nn.responseSettings.paper).forward(x).data();
    const wanted = await t.localResponseNorm(x, 5, { alpha: 5e-4, k: 2 }).data();
    for (const [i, value] of wanted.entries()) expect(seen[i]).toBeCloseTo(value, 6);
  });

  it.each([
    ['box', 25],
    ['disk', 21],
  ] as const)('over a %s of 5 × 5 places sums %d of them', async (kernel, taps) => {
    const layer = new nn.LocalResponseNorm({ window: 'spatial', size: 5, kernel, k: 0, beta: 1 });
    const y = await layer.forward(t.ones([1, 1, 9, 9])).data();
    expect(y[40]).toBeCloseTo(1 / taps, 6);
    expect(y[0] as number).toBeGreaterThan(1 / taps);
  });

  it('divides by the deviation', async () => {
    const y = await new nn.LocalResponseNorm(nn.responseSettings.variance).forward(t.full([1, 2, 9, 9], 7)).data();
    expect(y[40]).toBeCloseTo(1, 4);
  });

  it('names what does not fit', () => {
    expect(() => new nn.LocalResponseNorm(0)).toThrow(t.ArgumentError);
    expect(() => new nn.LocalResponseNorm({ window: 'channel', size: 5, kernel: 'disk' })).toThrow(t.ArgumentError);
    expect(() => new nn.LocalResponseNorm(5).forward(wave(2, 3))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: localResponseNorm: input [2,3] has rank 2, wants [N,C,…]; reshape it first]`,
    );
    expect(new nn.LocalResponseNorm(nn.responseSettings.slide).forward(t.meta([null, 3, 8, 8])).shape).toEqual([
      null,
      3,
      8,
      8,
    ]);
  });
});
