/** What one asks of a model's parts: which to decay, which are dead; and rows that stand for nothing. */
import { valueAndGrad } from '@tessera/autograd';
import * as t from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => t.setBackend(reference()));

describe('weightDecayGroups', () => {
  const model = () =>
    new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2), new nn.LayerNorm(4), new nn.Linear(4, 2));
  const keys = (net: nn.Module, options: nn.DecayOptions) => {
    const names = new Map(net.namedParameters().map(([key, parameter]) => [parameter, key]));
    return nn
      .weightDecayGroups(net, options)
      .map(({ weightDecay, parameters }) => [weightDecay, parameters.map((parameter) => names.get(parameter))]);
  };

  it('spares norms and biases', () => {
    expect(keys(model(), { weightDecay: 0.05 })).toEqual([
      [0.05, ['0.weight', '3.weight']],
      [0, ['0.bias', '1.weight', '1.bias', '2.weight', '2.bias', '3.bias']],
    ]);
  });

  it('gives norms and biases what they are told', () => {
    expect(keys(model(), { weightDecay: 0.05, norms: 0.01, biases: 0.05 })).toEqual([
      [0.05, ['0.weight', '0.bias', '3.weight', '3.bias']],
      [0.01, ['1.weight', '1.bias', '2.weight', '2.bias']],
    ]);
    expect(keys(new nn.Linear(2, 2, { bias: false }), { weightDecay: 1 })).toEqual([[1, ['weight']]]);
  });

  it('is what an optimizer takes: with no gradient only weights shrink', async () => {
    const net = model();
    const optimizer = new nn.SGD(nn.weightDecayGroups(net, { weightDecay: 0.5 }), { lr: 1 });
    const before = await net.stateDict().get('1.weight')?.data();
    const weight = await net.stateDict().get('3.weight')?.data();
    optimizer.step(optimizer.parameters.map((parameter) => t.zerosLike(parameter)));
    expect(await net.stateDict().get('1.weight')?.data()).toEqual(before);
    expect(await net.stateDict().get('3.weight')?.data()).toEqual(weight?.map((value) => value / 2));
  });
});

describe('deadUnits', () => {
  it('is the share of channels that are 0 for every sample of every batch', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 4), new nn.ReLU(), new nn.Linear(4, 3), new nn.ReLU6());
    model.loadStateDict({
      '0.weight': t.tensor([
        [1, 0],
        [0, 1],
        [-1, 0],
        [0, 0],
      ]),
      '0.bias': t.tensor([0, 0, 0, -5]),
      '2.weight': t.zeros([3, 4]),
      '2.bias': t.tensor([1, -1, -1]),
    });
    const one = t.tensor([
      [1, -1],
      [2, -2],
    ]);
    const two = t.tensor([[3, 0.5]]);
    const data = {
      async *[Symbol.asyncIterator]() {
        yield { x: one };
        yield { x: two };
      },
    };
    // Units 2 (−x₀ ≤ 0) and 3 (−5) of the first; unit 1 lives by the second batch alone.
    expect(await nn.deadUnits(model, data)).toEqual(
      new Map([
        ['1', 0.5],
        ['3', 2 / 3],
      ]),
    );
    expect(Object.hasOwn(model[1] as object, 'forward')).toBe(false);
    expect(await nn.deadUnits(model, data, { layers: (_, path) => path === '3', input: ({ x }) => t.neg(x) })).toEqual(
      new Map([['3', 2 / 3]]),
    );
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(nn.deadUnits(model, data, { signal })).rejects.toThrow('enough');
    expect(Object.hasOwn(model[1] as object, 'forward')).toBe(false);
  });

  it('takes channels of maps as units, and wants them', async () => {
    const model = new nn.Sequential(new nn.ReLU());
    const of = (x: t.Tensor) => ({
      async *[Symbol.asyncIterator]() {
        yield [x];
      },
    });
    const maps = t.tensor(Float32Array.of(-1, -1, -1, 2, -1, -1, -1, -1), { shape: [1, 2, 2, 2] });
    expect(await nn.deadUnits(model, of(maps))).toEqual(new Map([['0', 0.5]]));
    await expect(nn.deadUnits(model, of(t.zeros([3])))).rejects.toThrow(t.ShapeError);
  });
});

describe('Embedding with paddingIdx', () => {
  it('begins with a row of zeros there, and gives it no gradient', async () => {
    const layer = new nn.Embedding(4, 2, { paddingIdx: -2 });
    expect(layer.paddingIdx).toBe(2);
    expect(Array.from((await layer.weight.data()).slice(4, 6))).toEqual([0, 0]);
    expect((await layer.weight.data()).filter((value) => value === 0)).toHaveLength(2);
    const x = t.tensor([[2, 0, 0]], { dtype: 'int32' });
    const { grads } = valueAndGrad(() => t.sum(layer.forward(x)), layer.weight);
    expect(await grads.toArray()).toEqual([
      [2, 2],
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
  });

  it('reads the row as it is, and refuses what is no row', async () => {
    const layer = new nn.Embedding(2, 2, { paddingIdx: 1 });
    layer.weight.assign(t.ones([2, 2]));
    expect(await layer.forward(t.tensor([1], { dtype: 'int32' })).toArray()).toEqual([[1, 1]]);
    expect(() => new nn.Embedding(2, 2, { paddingIdx: 2 })).toThrow(t.ArgumentError);
  });
});
