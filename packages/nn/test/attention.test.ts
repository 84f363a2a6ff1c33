import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => t.setBackend(reference()));
beforeEach(() => t.manualSeed(0));

const wave = (...shape: number[]) =>
  t.tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    { shape },
  );
const close = (seen: ArrayLike<number>, wanted: ArrayLike<number>) => {
  expect(seen.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(seen[i]).toBeCloseTo(wanted[i] as number, 5);
};

describe('MultiheadAttention', () => {
  it('has PyTorch’s keys and shapes', () => {
    const layer = new nn.MultiheadAttention(6, 2);
    expect([...layer.stateDict()].map(([key, { shape }]) => `${key} [${shape}]`)).toEqual([
      'in_proj_weight [18,6]',
      'in_proj_bias [18]',
      'out_proj.weight [6,6]',
      'out_proj.bias [6]',
    ]);
    expect(layer.forward(t.meta([null, 5, 6])).shape).toEqual([null, 5, 6]);
    expect(layer.forward(wave(2, 5, 6), wave(2, 3, 6)).shape).toEqual([2, 5, 6]);
  });

  // One head, projections the identity: softmax(x·xᵀ/√E)·x.
  it('is the formula', async () => {
    const layer = new nn.MultiheadAttention(2, 1, { bias: false });
    layer.loadStateDict({
      in_proj_weight: t.tensor([
        [1, 0],
        [0, 1],
        [1, 0],
        [0, 1],
        [1, 0],
        [0, 1],
      ]),
      'out_proj.weight': t.tensor([
        [1, 0],
        [0, 1],
      ]),
    });
    const rows = [
      [1, 2],
      [3, -1],
      [0, 0.5],
    ];
    const wanted = rows.flatMap((q) => {
      const weights = rows.map((k) => Math.exp(((q[0] ?? 0) * (k[0] ?? 0) + (q[1] ?? 0) * (k[1] ?? 0)) / Math.SQRT2));
      const total = weights.reduce((a, b) => a + b, 0);
      return [0, 1].map((c) => rows.reduce((sum, v, i) => sum + ((weights[i] ?? 0) / total) * (v[c] ?? 0), 0));
    });
    close(await layer.forward(t.tensor([rows])).data(), wanted);
  });

  it('heads look at their own part: two of them equal two layers of one', async () => {
    const both = new nn.MultiheadAttention(4, 2, { bias: false });
    nn.init.zeros(both.outProj.weight);
    both.outProj.weight.assign(t.eye(4));
    const x = wave(1, 3, 4);
    const y = both.forward(x);
    const w = both.inProjWeight;
    const head = (h: number) => {
      const part = (i: number) => t.linear(x, t.narrow(w, 0, 4 * i + 2 * h, 2));
      return t.matmul(t.softmax(t.div(t.matmul(part(0), t.transpose(part(1))), Math.SQRT2), -1), part(2));
    };
    close(await y.data(), await t.cat([head(0), head(1)], -1).data());
  });

  it('a mask forbids places: with only the first allowed, all rows are alike', async () => {
    const layer = new nn.MultiheadAttention(4, 2);
    const attnMask = t.tensor([[false, true, true]], { dtype: 'bool' });
    const y = (await layer.forward(wave(1, 3, 4), undefined, undefined, { attnMask }).toArray()) as number[][][];
    close(y[0]?.[1] ?? [], y[0]?.[0] ?? [1]);
  });

  it('names what does not fit', () => {
    expect(() => new nn.MultiheadAttention(5, 2)).toThrow(t.ArgumentError);
    expect(() => new nn.MultiheadAttention(4, 2).forward(wave(3, 4))).toThrow(t.ShapeError);
  });
});
