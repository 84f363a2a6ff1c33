/** What one does with a whole model: apply, hooks, clone. */
import { valueAndGrad } from '@tessera/autograd';
import { compile, manualSeed, mul, setBackend, sum, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => setBackend(reference()));
beforeEach(() => manualSeed(0));

const model = () => new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3), new nn.ReLU());
const x = () =>
  tensor([
    [1, 2],
    [3, -4],
    [0.5, 1],
  ]);

describe('apply', () => {
  it('visits inner modules first, and the model last', () => {
    const seen: string[] = [];
    new nn.Sequential(model(), new nn.ReLU()).apply((module, path) => seen.push(`${path} ${module.constructor.name}`));
    expect(seen).toEqual(['1 ReLU', '0.2 ReLU', '0.1 BatchNorm1d', '0.0 Linear', '0 Sequential', ' Sequential']);
  });
});

describe('hooks', () => {
  it('see inputs and output, may replace it, and come off', async () => {
    const layer = new nn.ReLU();
    const seen: unknown[] = [];
    const off = layer.registerForwardHook(([input], output) => void seen.push(input, output));
    const off2 = layer.registerForwardHook((_, output) => mul(output, 2));
    const input = tensor([-1, 2]);
    const net = new nn.Sequential(layer);
    expect(Array.from(await net.forward(input).data())).toEqual([0, 4]);
    expect(seen[0]).toBe(input);
    expect(Array.from(await (seen[1] as Tensor).data())).toEqual([0, 2]);
    off();
    off2();
    off2();
    expect(Array.from(await net.forward(input).data())).toEqual([0, 2]);
    expect(seen.length).toBe(2);
    expect(Object.hasOwn(layer, 'forward')).toBe(false);
  });

  it('leave a forward that is a field where it was', () => {
    class Arrow extends nn.Module {
      override forward = (input: Tensor): Tensor => mul(input, 3);
    }
    const layer = new Arrow();
    const { forward } = layer;
    layer.registerForwardHook(() => undefined)();
    expect(layer.forward).toBe(forward);
  });

  it('see the gradient of a layer’s output, and may change it', async () => {
    const layer = new nn.ReLU();
    const net = new nn.Sequential(new nn.Identity(), layer, new nn.Identity());
    const gradients: Tensor[] = [];
    const off = layer.registerGradientHook((g) => void gradients.push(g));
    const input = new nn.Parameter(tensor([-1, 2]));
    const slope = () =>
      valueAndGrad(() => sum(mul(net.forward(input.read()), tensor([5, 7]))), [input]).grads[0] as Tensor;
    expect(Array.from(await slope().data())).toEqual([0, 7]);
    expect(Array.from((await gradients[0]?.data()) ?? [])).toEqual([5, 7]);
    off();
    layer.registerGradientHook((g) => mul(g, 10));
    expect(Array.from(await slope().data())).toEqual([0, 70]);
    expect(gradients.length).toBe(1);
  });
});

describe('clone', () => {
  it('has values, keys, modes and frozen ones alike, and its own state', async () => {
    const from = model();
    from[0]?.freeze();
    from[1]?.eval();
    const twin = from.clone();
    expect(twin).toBeInstanceOf(nn.Sequential);
    expect([...twin.stateDict().keys()]).toEqual([...from.stateDict().keys()]);
    expect(twin.trainableParameters().length).toBe(2);
    expect([twin.training, twin[1]?.training]).toEqual([true, false]);
    expect(await twin.forward(x()).data()).toEqual(await from.forward(x()).data());
    const before = await from.forward(x()).data();
    for (const parameter of twin.parameters()) nn.init.zeros(parameter);
    expect(await from.forward(x()).data()).toEqual(before);
    expect(twin.stateDict().get('1.num_batches_tracked')).toMatchObject({ storedAs: 'int64' });
  });

  it('trains as its model does', async () => {
    const [from, twin] = (() => {
      const first = model();
      return [first, first.clone()];
    })();
    for (const each of [from, twin]) compile((input: Tensor) => each.forward(input))(x());
    const [a, b] = [from, twin].map((each) => each[1] as nn.BatchNorm1d);
    expect(await b?.runningMean?.data()).toEqual(await a?.runningMean?.data());
    expect(await a?.numBatchesTracked?.item()).toBe(1);
  });

  it('keeps what is shared within shared', () => {
    const shared = new nn.Linear(2, 2);
    const twin = new nn.Sequential(shared, shared).clone();
    expect(twin[0]).toBe(twin[1]);
    expect(twin[0]).not.toBe(shared);
  });
});
