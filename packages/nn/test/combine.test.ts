import { ArgumentError, cat, manualSeed, meta, ShapeError, setBackend, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => setBackend(reference()));
beforeEach(() => manualSeed(0));

const x = () =>
  tensor(
    Float32Array.from({ length: 48 }, (_, i) => Math.sin(i)),
    { shape: [2, 3, 2, 4] },
  );

describe('Sequential with names', () => {
  const model = () =>
    new nn.Sequential({ conv1: new nn.Conv2d(3, 4, 1), relu: new nn.ReLU(), lastNorm: new nn.Flatten() });

  it('has the names in its keys, in order, and finds layers by them', () => {
    expect([...model().stateDict().keys()]).toEqual(['conv1.weight', 'conv1.bias']);
    expect(model().names).toEqual(['conv1', 'relu', 'lastNorm']);
    expect(model().get('relu')).toBeInstanceOf(nn.ReLU);
    expect(model().forward(x()).shape).toEqual([2, 32]);
  });

  it('names the layer an error comes from', () => {
    expect(() => model().forward(meta([1, 5, 2, 2]))).toThrow(/^conv1 \(Conv2d\): conv2d: input has 5 channels/);
  });

  it('refuses names that every model has, and unknown ones', () => {
    expect(() => new nn.Sequential({ forward: new nn.ReLU() })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Sequential: a layer cannot be named 'forward', which every model has; rename it]`,
    );
    expect(() => model().get('conv2')).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Sequential: no layer 'conv2'; there are conv1, relu, lastNorm]`,
    );
  });
});

describe('ModuleList', () => {
  it('holds modules by place, more of them later, and runs none', () => {
    const list = new nn.ModuleList<nn.Linear>([new nn.Linear(2, 2, { bias: false })]).append(
      new nn.Linear(2, 3, { bias: false }),
    );
    expect([...list.stateDict().keys()]).toEqual(['0.weight', '1.weight']);
    expect([list.length, [...list].length]).toEqual([2, 2]);
    expect(() => list.forward()).toThrow(ArgumentError);
  });
});

describe('branches', () => {
  it('Parallel joins what its branches make along the channels', async () => {
    const parallel = new nn.Parallel([new nn.Identity(), new nn.ReLU(), new nn.Conv2d(3, 5, 1)]);
    expect(parallel.forward(x()).shape).toEqual([2, 11, 2, 4]);
    expect([...parallel.stateDict().keys()]).toEqual(['2.weight', '2.bias']);
    const along = new nn.Parallel([new nn.Identity(), new nn.Identity()], { dim: -1 });
    expect(await along.forward(x()).data()).toEqual(await cat([x(), x()], -1).data());
    expect(parallel.forward(meta([null, 3, null, 4])).shape).toEqual([null, 11, null, 4]);
    expect(() => new nn.Parallel([])).toThrow(ArgumentError);
    expect(() => parallel.forward(meta([1, 4, 2, 2]))).toThrow(/^2 \(Conv2d\): /);
  });

  it('Additive adds them, and applies post', async () => {
    const plain = await x().data();
    const twice = await new nn.Additive([new nn.Identity(), new nn.Identity()]).forward(x()).data();
    expect(twice).toEqual(plain.map((value) => 2 * value));
    const post = await new nn.Additive([new nn.Identity(), new nn.Identity()], { post: new nn.ReLU() })
      .forward(x())
      .data();
    expect(post).toEqual(plain.map((value) => Math.max(0, 2 * value)));
    expect(() => new nn.Additive([new nn.Identity(), new nn.Conv2d(3, 1, 1)]).forward(x())).toThrow(ShapeError);
  });

  it('Shortcut puts the input before what its block makes', async () => {
    const shortcut = new nn.Shortcut([new nn.Conv2d(3, 2, 1), new nn.ReLU()]);
    const y = shortcut.forward(x());
    expect(y.shape).toEqual([2, 5, 2, 4]);
    expect((await y.data()).slice(0, 24)).toEqual((await x().data()).slice(0, 24));
    expect([...shortcut.stateDict().keys()]).toEqual(['block.0.weight', 'block.0.bias']);
  });
});
