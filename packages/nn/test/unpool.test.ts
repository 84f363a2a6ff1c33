/** Unpooling, pooling by drawn windows, trimming. */
import { valueAndGrad } from '@tessera/autograd';
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => {
  t.setBackend(reference());
  t.manualSeed(3);
});
/** [1,1,h,w] whose value at (i, j) is f(i, j). */
const map = (h: number, w: number, f: (i: number, j: number) => number) =>
  t.tensor(
    Float32Array.from({ length: h * w }, (_, at) => f(Math.floor(at / w), at % w)),
    { shape: [1, 1, h, w] },
  );
const flat = async (x: t.Tensor) => Array.from(await x.data());

describe('MaxUnpool', () => {
  it('puts each maximum back where it was', async () => {
    const x = map(3, 4, (i, j) => 4 * i + j);
    const [y, indices] = t.maxPool2d(x, 2, { returnIndices: true });
    expect(await flat(new nn.MaxUnpool2d(2).forward(y, indices))).toEqual([0, 0, 0, 0, 0, 5, 0, 7]);
    const whole = new nn.MaxUnpool2d(2).forward(y, indices, [3, 4]);
    expect(await flat(whole)).toEqual([0, 0, 0, 0, 0, 5, 0, 7, 0, 0, 0, 0]);
  });

  it('is there for one and three axes', () => {
    const [a, i] = t.maxPool1d(t.zeros([2, 3, 8]), 2, { returnIndices: true });
    expect(new nn.MaxUnpool1d(2).forward(a, i).shape).toEqual([2, 3, 8]);
    const [b, j] = t.maxPool3d(t.zeros([1, 2, 4, 4, 6]), 2, { returnIndices: true });
    expect(new nn.MaxUnpool3d(2).forward(b, j).shape).toEqual([1, 2, 4, 4, 6]);
  });
});

describe('FractionalMaxPool2d', () => {
  it('is max pooling where the distance comes out whole', async () => {
    const x = map(6, 6, (i, j) => (7 * i + 5 * j * j) % 11);
    const dense = new nn.FractionalMaxPool2d(2, { outputSize: 5 });
    expect(await flat(dense.forward(x))).toEqual(await flat(t.maxPool2d(x, 2, { stride: 1 })));
    const apart = new nn.FractionalMaxPool2d(2, { outputRatio: 0.5 });
    expect(await flat(apart.forward(x))).toEqual(await flat(t.maxPool2d(x, 2)));
  });

  it('begins at the edge, ends at the edge, and in between steps by α rounded down or up, drawn for each map', async () => {
    const rows = t.expand(
      map(20, 9, (i) => i),
      [4, 3, 20, 9],
    );
    const y = new nn.FractionalMaxPool2d([3, 2], { outputSize: [7, 4] }).forward(rows);
    expect(y.shape).toEqual([4, 3, 7, 4]);
    const values = await flat(y);
    const patterns = Array.from({ length: 12 }, (_, m) =>
      Array.from({ length: 7 }, (_, i) => (values[(m * 7 + i) * 4] as number) - 2),
    );
    for (const starts of patterns) {
      expect([starts[0], starts[6]]).toEqual([0, 17]);
      const steps = starts.slice(1).map((start, i) => start - (starts[i] as number));
      // α = 17/6 = 2.83: the last step takes what is left.
      expect(steps.slice(0, -1).every((step) => step === 2 || step === 3)).toBe(true);
    }
    expect(new Set(patterns.map(String)).size).toBeGreaterThan(1);
  });

  it('sends gradients to the maxima, carries unknown sizes, and refuses what does not fit', async () => {
    const x = map(6, 6, (i, j) => 10 * i + j);
    const { grads } = valueAndGrad(() => t.sum(new nn.FractionalMaxPool2d(2, { outputSize: 3 }).forward(x)), x);
    expect((await flat(grads)).reduce((a, b) => a + b, 0)).toBe(9);
    const layer = new nn.FractionalMaxPool2d(2, { outputRatio: [0.5, 0.7] });
    expect(layer.forward(t.meta([null, 3, 10, null])).shape).toEqual([null, 3, 5, null]);
    expect(() => new nn.FractionalMaxPool2d(2, { outputSize: 6 }).forward(x)).toThrow(t.ShapeError);
    expect(() => new nn.FractionalMaxPool2d(2, { outputRatio: 1 })).toThrow(t.ArgumentError);
    expect(() => layer.forward(t.zeros([3, 4, 4]))).toThrow(t.ShapeError);
  });
});

describe('trimTo', () => {
  const sizes = (tensors: readonly t.Tensor[]) => tensors.map(({ shape }) => shape);

  it('cuts to the least size of each axis behind the channels, or to the first', async () => {
    const [a, b] = [map(3, 5, (i, j) => 10 * i + j), t.zeros([1, 7, 4, 2])];
    expect(sizes(nn.trimTo([a, b]))).toEqual([
      [1, 1, 3, 2],
      [1, 7, 3, 2],
    ]);
    expect(await flat(nn.trimTo([a, b])[0] as t.Tensor)).toEqual([0, 1, 10, 11, 20, 21]);
    expect(sizes(nn.trimTo([t.zeros([2, 2]), t.zeros([3, 2])], { to: 'first', dims: [0] }))).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });

  it('leaves equal tensors as they are, and cuts no more than slop', () => {
    const [a, b] = [t.zeros([1, 1, 4, 4]), t.zeros([1, 2, 4, 4])];
    expect(nn.trimTo([a, b])).toEqual([a, b]);
    expect(() => nn.trimTo([a, t.zeros([1, 1, 4, 7])], { slop: 2 })).toThrow(/slop 2; pad the smaller/);
    expect(() => nn.trimTo([a, t.zeros([1, 1, 3, 4])], { to: 'first' })).toThrow(t.ShapeError);
    expect(() => nn.trimTo([a, t.meta([1, 1, null, 4])])).toThrow(t.ShapeError);
    expect(() => nn.trimTo([])).toThrow(t.ArgumentError);
  });
});

describe('AlphaDropout', () => {
  it('keeps mean and variance of what is standard normal, and lets through when evaluating', async () => {
    const x = t.randn([20_000]);
    const layer = new nn.AlphaDropout(0.2);
    const values = await flat(layer.forward(x));
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.04);
    expect(Math.abs(variance - 1)).toBeLessThan(0.06);
    expect(layer.eval().forward(x)).toBe(x);
  });

  it('puts what it drops at SELU’s lowest value, scaled and shifted as PyTorch does', async () => {
    const p = 0.5;
    const values = await flat(new nn.AlphaDropout(p).forward(t.zeros([64])));
    const low = -1.7580993408473766;
    const a = ((1 - p) * (1 + p * low ** 2)) ** -0.5;
    const found = [...new Set(values.map((value) => value.toFixed(4)))].sort();
    expect(found).toEqual([(a * low - a * p * low).toFixed(4), (-a * p * low).toFixed(4)].sort());
  });

  it('gives zeros for p = 1, and refuses what is no probability', async () => {
    expect(await flat(new nn.AlphaDropout(1).forward(t.ones([2])))).toEqual([0, 0]);
    expect(() => new nn.AlphaDropout(1.5)).toThrow(t.ArgumentError);
  });
});
