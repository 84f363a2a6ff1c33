import { valueAndGrad } from '@tessera/autograd';
import * as nn from '@tessera/nn';
import {
  compile,
  LoadError,
  manualSeed,
  meta,
  ones,
  rand,
  runtime,
  type Shape,
  setBackend,
  sum,
  type Tensor,
  zeros,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { afterEach, describe, expect, it } from 'vitest';
import * as flex from '../src/index';

afterEach(() => {
  runtime.backend?.dispose();
  runtime.backend = null;
  manualSeed(0); // its numbers were on that backend
});

/** Flex layer, input, the plain layer that it becomes, an input with another width, and a rank that is refused. */
const rows: [string, () => nn.Module, Shape, () => nn.Module, Shape, Shape][] = [
  ['Conv1d', () => new flex.Conv1d(4, 3), [2, 6, 8], () => new nn.Conv1d(6, 4, 3), [2, 4, 8], [6, 8]],
  [
    'Conv2d',
    () => new flex.Conv2d(4, 3, { groups: 2, bias: false }),
    [2, 6, 8, 8],
    () => new nn.Conv2d(6, 4, 3, { groups: 2, bias: false }),
    [2, 4, 8, 8],
    [6, 8, 8],
  ],
  ['Conv3d', () => new flex.Conv3d(4, 3), [2, 6, 8, 8, 8], () => new nn.Conv3d(6, 4, 3), [2, 4, 8, 8, 8], [6, 8, 8, 8]],
  [
    'ConvTranspose1d',
    () => new flex.ConvTranspose1d(4, 3),
    [2, 6, 8],
    () => new nn.ConvTranspose1d(6, 4, 3),
    [2, 4, 8],
    [6, 8],
  ],
  [
    'ConvTranspose2d',
    () => new flex.ConvTranspose2d(4, 3, { groups: 2 }),
    [2, 6, 8, 8],
    () => new nn.ConvTranspose2d(6, 4, 3, { groups: 2 }),
    [2, 4, 8, 8],
    [6, 8, 8],
  ],
  [
    'ConvTranspose3d',
    () => new flex.ConvTranspose3d(4, 3),
    [2, 6, 8, 8, 8],
    () => new nn.ConvTranspose3d(6, 4, 3),
    [2, 4, 8, 8, 8],
    [6, 8, 8, 8],
  ],
  ['Linear', () => new flex.Linear(4), [2, 3, 6], () => new nn.Linear(6, 4), [2, 3, 4], [6]],
  ['BatchNorm', () => new flex.BatchNorm(), [2, 6], () => new nn.BatchNorm1d(6), [2, 4], [2, 6, 1, 1, 1, 1]],
  ['BatchNorm', () => new flex.BatchNorm(), [2, 6, 8], () => new nn.BatchNorm1d(6), [2, 4, 8], [6]],
  ['BatchNorm', () => new flex.BatchNorm(), [2, 6, 8, 8], () => new nn.BatchNorm2d(6), [2, 4, 8, 8], [6]],
  [
    'BatchNorm',
    () => new flex.BatchNorm({ momentum: null }),
    [2, 6, 8, 8, 8],
    () => new nn.BatchNorm3d(6),
    [2, 4, 8, 8, 8],
    [6],
  ],
  ['BatchNorm1d', () => new flex.BatchNorm1d(), [2, 6], () => new nn.BatchNorm1d(6), [2, 4], [2, 6, 8, 8]],
  ['BatchNorm2d', () => new flex.BatchNorm2d(), [2, 6, 8, 8], () => new nn.BatchNorm2d(6), [2, 4, 8, 8], [2, 6]],
  ['BatchNorm3d', () => new flex.BatchNorm3d(), [2, 6, 8, 8, 8], () => new nn.BatchNorm3d(6), [2, 4, 8, 8, 8], [2, 6]],
  [
    'InstanceNorm1d',
    () => new flex.InstanceNorm1d({ affine: true }),
    [2, 6, 8],
    () => new nn.InstanceNorm1d(6, { affine: true }),
    [2, 4, 8],
    [2, 6],
  ],
  [
    'InstanceNorm2d',
    () => new flex.InstanceNorm2d({ trackRunningStats: true }),
    [2, 6, 8, 8],
    () => new nn.InstanceNorm2d(6, { trackRunningStats: true }),
    [2, 4, 8, 8],
    [2, 6],
  ],
  [
    'InstanceNorm3d',
    () => new flex.InstanceNorm3d({ affine: true }),
    [2, 6, 8, 8, 8],
    () => new nn.InstanceNorm3d(6, { affine: true }),
    [2, 4, 8, 8, 8],
    [2, 6],
  ],
  ['GroupNorm', () => new flex.GroupNorm(2), [2, 6, 8], () => new nn.GroupNorm(2, 6), [2, 4, 8], [6]],
  ['LayerNorm', () => new flex.LayerNorm(), [2, 3, 6], () => new nn.LayerNorm(6), [2, 3, 4], [6]],
  [
    'PReLU',
    () => new flex.PReLU({ init: 0.5 }),
    [2, 6, 8],
    () => new nn.PReLU({ numParameters: 6, init: 0.5 }),
    [2, 4, 8],
    [6],
  ],
];

const shapesOf = (model: nn.Module) => [...model.stateDict()].map(([key, { shape }]) => `${key} [${shape}]`);

describe.each(rows)('flex.%s', (name, open, shape, plain, wider, refused) => {
  const within = (layer: nn.Module) => new nn.Sequential(new nn.Identity(), layer);

  it(`becomes its layer of nn at [${shape}], under the keys and with the values of that`, async () => {
    setBackend(reference());
    const model = within(open());
    const afterFlex = await rand([2]).data();
    const y = await model.forward(ones(shape)).data();
    manualSeed(0);
    const other = within(plain());
    expect(await rand([2]).data()).toEqual(afterFlex);
    expect(shapesOf(model)).toEqual(shapesOf(other));
    expect(flex.freeze(model)[1]?.constructor).toBe(other[1]?.constructor);
    expect(y).toEqual(await other.forward(ones(shape)).data());
  });

  it('settles by a state dict, too, and gives its values back', async () => {
    setBackend(reference());
    const [from, to] = [within(plain()), within(open())];
    to.loadStateDict(from.stateDict());
    expect(shapesOf(to)).toEqual(shapesOf(from));
    expect(await to.eval().forward(ones(shape)).data()).toEqual(await from.eval().forward(ones(shape)).data());
    expect(flex.freeze(to)[1]?.constructor).toBe(from[1]?.constructor);
  });

  it('names the width that it was made for when another comes', () => {
    const layer = open();
    layer.forward(meta(shape));
    expect(() => layer.forward(meta(wider))).toThrow(
      new RegExp(`^${name}: the layer was made for 6 .*\\[${wider}\\] has 4`),
    );
  });

  it('refuses other ranks and unknown widths, and stays open', () => {
    const layer = open();
    expect(() => layer.forward(meta(refused))).toThrow(
      `${name}: input [${refused}] has ${refused.length} axes, wants [`,
    );
    expect(() => layer.forward(meta(shape.map(() => null)))).toThrow(/are not known/);
    expect(() => layer.parameters()).toThrow(/call flex.shapeInference first/);
  });
});

describe('flex layers', () => {
  it('throw for arguments that make no sense when they are made, and for groups that do not divide at the first input', () => {
    expect(() => new flex.Conv2d(5, 3, { groups: 2 })).toThrow(/5 out-channels do not make 2 groups/);
    expect(() => new flex.Conv2d(4, 0)).toThrow(/kernelSize is 0/);
    expect(() => new flex.Linear(-1)).toThrow(/outFeatures is -1/);
    expect(() => new flex.Conv2d(4, 3, { groups: 2 }).forward(meta([1, 3, 8, 8]))).toThrow(/3 in-channels/);
    expect(() => new flex.GroupNorm(4).forward(meta([1, 6, 8, 8]))).toThrow(/6 channels do not make 4 equal groups/);
  });

  it('pool in windows of two, unless told', () => {
    expect(new flex.MaxPool2d().forward(meta([1, 3, 9, 8])).shape).toEqual([1, 3, 4, 4]);
    expect(new flex.AvgPool2d().forward(meta([1, 3, 9, 8])).shape).toEqual([1, 3, 4, 4]);
    expect(new flex.MaxPool2d(3, { stride: 2 }).forward(meta([1, 3, 9, 9])).shape).toEqual([1, 3, 4, 4]);
    expect(new flex.MaxPool2d()).toBeInstanceOf(nn.MaxPool2d);
  });

  it('run their hooks before and after they are settled and frozen, until those are taken off', () => {
    const model = new nn.Sequential(new flex.Linear(2));
    const seen: string[] = [];
    const off = (model[0] as flex.Linear).registerForwardHook((_, y) => void seen.push(String(y.shape)));
    model.forward(meta([1, 3]));
    model.forward(meta([4, 3]));
    flex.freeze(model).forward(meta([5, 3]));
    expect(model[0]).toBeInstanceOf(nn.Linear);
    expect(seen).toEqual(['1,2', '4,2', '5,2']);
    off();
    model.forward(meta([6, 3]));
    expect(seen).toHaveLength(3);
  });

  it('take over the mode that they were in, and follow later ones', () => {
    const model = new nn.Sequential(new flex.BatchNorm(), new flex.BatchNorm()).eval();
    model.forward(meta([2, 3]));
    expect(model.namedModules().map(([, module]) => module.training)).toEqual([false, false, false]);
    expect(
      model
        .train()
        .namedModules()
        .every(([, module]) => module.training),
    ).toBe(true);
  });

  it('settle within a compiled function and a derivative, and train from there', async () => {
    setBackend(reference());
    const model = new nn.Sequential(new flex.Linear(3), new nn.ReLU(), new flex.Linear(1));
    const predict = compile((x: Tensor) => model.forward(x));
    const [before] = await predict(ones([1, 2])).data();
    expect(await predict(ones([1, 2])).item()).toBe(before);
    expect(await model.forward(ones([1, 2])).item()).toBeCloseTo(before as number, 5);
    const { grads } = valueAndGrad(() => sum(model.forward(ones([4, 2]))), model.parameters());
    expect(grads.map(({ shape }) => shape)).toEqual([[3, 2], [3], [1, 3], [1]]);
    const late = new nn.Sequential(new flex.Linear(1));
    const { value } = valueAndGrad(() => sum(late.forward(ones([4, 2]))), []);
    expect(await value.item()).toBeCloseTo((await sum(late.forward(ones([4, 2]))).item()) as number, 5);
  });

  it('are drawn alike by all copies of a model', async () => {
    setBackend(reference());
    const model = new nn.Sequential(new flex.Linear(2), new flex.Flex(({ length }) => new nn.Linear(length, 1)));
    const copy = model.clone();
    expect(await copy.forward(ones([1, 3])).data()).toEqual(await model.forward(ones([1, 3])).data());
    expect(copy.stateDict().get('0.weight')).not.toBe(model.stateDict().get('0.weight'));
  });
});

describe('flex.Flex', () => {
  it('is made from a shape, and its layer has the keys of its place', () => {
    const model = new nn.Sequential(new flex.Flex((shape) => new nn.Linear(shape[1] as number, 5)));
    expect(() => model.parameters()).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: parameters: 0 (Flex) has no parameters before it has seen an input; call flex.shapeInference first]`,
    );
    expect(model.forward(meta([null, 7])).shape).toEqual([null, 5]);
    expect(shapesOf(model)).toEqual(['0.weight [5,7]', '0.bias [5]']);
  });

  it('draws from a sequence of its own: the program’s goes on the same, whatever is made', async () => {
    setBackend(reference());
    const after = async (make: () => nn.Module) => {
      manualSeed(7);
      const layer = new flex.Flex(make);
      layer.forward(meta([1, 2]));
      return { next: await rand([1]).item(), drawn: layer.parameters()[0]?.data() };
    };
    const one = await after(() => new nn.Linear(2, 2));
    const many = await after(() => new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 2)));
    expect(one.next).toBe(many.next);
    expect(await one.drawn).toEqual(await many.drawn);
    manualSeed(8);
    const other = new flex.Flex(() => new nn.Linear(2, 2));
    other.forward(meta([1, 2]));
    expect(await other.parameters()[0]?.data()).not.toEqual(await one.drawn);
  });

  it('refuses what is no module, and a state dict before it has seen a shape', () => {
    expect(() => new flex.Flex(() => 3 as never).forward(meta([1]))).toThrow(/create made a number, wants a module/);
    const model = new nn.Sequential(new flex.Flex(() => new nn.ReLU()));
    expect(() => model.loadStateDict({})).toThrow(/0 \(Flex\) is made from a shape.*flex.shapeInference first/);
  });
});

describe('loading into open layers', () => {
  it('names the key that would have told the input side, and settles nothing where anything does not fit', () => {
    const model = new nn.Sequential(new flex.Linear(2), new flex.Linear(1));
    const [a, b] = [zeros([2, 3]), zeros([2])];
    expect(() => model.loadStateDict({ '0.weight': a, '0.bias': b })).toThrow(LoadError);
    expect(() => model.loadStateDict({ '0.weight': a, '0.bias': b })).toThrow(/1 \(Linear\) is open, and no 1.weight/);
    expect(() =>
      model.loadStateDict({ '0.weight': zeros([4, 3]), '0.bias': b, '1.weight': zeros([1, 2]), '1.bias': zeros([1]) }),
    ).toThrow(/of another shape: 0.weight \[4,3\] \(wants \[2,3\]\)/);
    expect(() => model.parameters()).toThrow(/0 \(Linear\)/);
    model.forward(meta([1, 9]));
    expect(shapesOf(model)[0]).toBe('0.weight [2,9]');
  });

  it('leaves layers open that have no values to load', () => {
    const model = new nn.Sequential(new flex.InstanceNorm2d(), new flex.LayerNorm({ elementwiseAffine: false }));
    expect(model.parameters()).toEqual([]);
    expect(model.loadStateDict({})).toEqual({ missing: [], unexpected: [] });
    expect(() => flex.freeze(model)).toThrow(/0 \(InstanceNorm2d\), 1 \(LayerNorm\) have seen no input/);
  });

  it('keeps the parameters of a BatchNorm when its input tells the rank', () => {
    const model = new nn.Sequential(new flex.BatchNorm());
    model.loadStateDict(new nn.Sequential(new nn.BatchNorm2d(3)).stateDict());
    const held = model.parameters();
    model.forward(meta([2, 3, 4, 4]));
    expect(model.parameters()).toEqual(held);
    expect(flex.freeze(model)[0]).toBeInstanceOf(nn.BatchNorm2d);
  });
});
