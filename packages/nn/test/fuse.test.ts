import {
  ArgumentError,
  add,
  cat,
  manualSeed,
  mul,
  ReadError,
  rand,
  relu,
  ShapeError,
  setBackend,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeAll(() => setBackend(reference()));
beforeEach(() => manualSeed(0));

const isNorm = (module: unknown) =>
  [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.FrozenBatchNorm2d].some((kind) => module instanceof kind);
const normsOf = (model: nn.Module<never, unknown>): string[] =>
  model.namedModules().flatMap(([path, module]) => (isNorm(module) ? [path] : []));

/** Gives norms numbers as training would: fresh ones do next to nothing. */
function trained<M extends nn.Module<never, unknown>>(model: M): M {
  let seed = 1;
  for (const [, module] of model.namedModules())
    if (isNorm(module))
      for (const state of Object.values(module as object))
        if (state instanceof nn.Parameter || (state instanceof nn.Buffer && state.dtype === 'float32'))
          state.assign(
            tensor(Float32Array.from({ length: state.shape[0] as number }, () => 0.5 + Math.abs(Math.sin(seed++)))),
          );
  return model;
}
/** The model and its fused copy give the same for an input of this shape, evaluating. */
async function expectEqual(model: nn.Module, fused: nn.Module, shape: readonly number[]): Promise<void> {
  const x = sub(rand([...shape]), 0.5);
  const wanted = await model.clone().eval().forward(x).data();
  const seen = await fused.forward(x).data();
  const scale = Math.max(...wanted.map(Math.abs));
  expect(scale).toBeGreaterThan(0);
  expect(Math.max(...seen.map((value, i) => Math.abs(value - (wanted[i] as number))))).toBeLessThan(1e-5 * scale);
}

/** Parts, and a forward written by hand. */
class Net<Parts extends object> extends nn.Module<[x: Tensor], Tensor> {
  readonly parts: Parts;
  readonly run: (x: Tensor, parts: Parts) => Tensor;
  constructor(parts: Parts, run: (x: Tensor, parts: Parts) => Tensor) {
    super();
    this.parts = parts;
    this.run = run;
  }
  forward(x: Tensor): Tensor {
    return this.run(x, this.parts);
  }
}

describe('fuse folds batch norm', () => {
  it.each([
    ['Conv1d', [new nn.Conv1d(2, 4, 3), new nn.BatchNorm1d(4)], [2, 2, 8]],
    ['Conv2d', [new nn.Conv2d(2, 4, 3), new nn.BatchNorm2d(4)], [2, 2, 6, 6]],
    ['Conv2d without bias', [new nn.Conv2d(2, 4, 3, { bias: false }), new nn.BatchNorm2d(4)], [2, 2, 6, 6]],
    ['Conv2d in groups', [new nn.Conv2d(4, 6, 3, { groups: 2 }), new nn.BatchNorm2d(6)], [2, 4, 6, 6]],
    [
      'Conv2d that mirrors at the border',
      [new nn.Conv2d(2, 4, 3, { padding: 1, paddingMode: 'reflect' }), new nn.BatchNorm2d(4)],
      [2, 2, 6, 6],
    ],
    ['Conv3d', [new nn.Conv3d(2, 3, 2), new nn.BatchNorm3d(3)], [2, 2, 4, 4, 4]],
    ['ConvTranspose1d', [new nn.ConvTranspose1d(2, 4, 3), new nn.BatchNorm1d(4)], [2, 2, 5]],
    ['ConvTranspose2d', [new nn.ConvTranspose2d(3, 5, 3, { stride: 2 }), new nn.BatchNorm2d(5)], [2, 3, 4, 4]],
    [
      'ConvTranspose2d in groups',
      [new nn.ConvTranspose2d(4, 6, 3, { groups: 2, bias: false }), new nn.BatchNorm2d(6)],
      [2, 4, 4, 4],
    ],
    ['ConvTranspose3d', [new nn.ConvTranspose3d(2, 3, 2), new nn.BatchNorm3d(3)], [2, 2, 3, 3, 3]],
    ['Linear', [new nn.Linear(6, 4), new nn.BatchNorm1d(4)], [5, 6]],
    ['of another eps', [new nn.Conv2d(2, 4, 3), new nn.BatchNorm2d(4, { eps: 0.1 })], [2, 2, 6, 6]],
    ['without γ and β', [new nn.Conv2d(2, 4, 3), new nn.BatchNorm2d(4, { affine: false })], [2, 2, 6, 6]],
    ['frozen', [new nn.Conv2d(2, 4, 3), new nn.FrozenBatchNorm2d(4)], [2, 2, 6, 6]],
    ['behind a dropout', [new nn.Conv2d(2, 4, 3), new nn.Dropout2d(), new nn.BatchNorm2d(4)], [2, 2, 6, 6]],
  ] as [string, nn.Module[], number[]][])('%s', async (_, layers, shape) => {
    const model = trained(new nn.Sequential(...layers));
    const fused = nn.fuse(model, shape);
    expect(normsOf(fused)).toEqual([]);
    expect([...fused.stateDict().keys()]).toEqual(['0.weight', '0.bias']);
    await expectEqual(model, fused, shape);
  });

  it('in a forward written by hand, behind the layer that it is called on', async () => {
    const block = {
      norms: [new nn.BatchNorm2d(4), new nn.BatchNorm2d(4), new nn.BatchNorm2d(4)] as const,
      inner: { first: new nn.Conv2d(4, 4, 3, { padding: 1 }), second: new nn.Conv2d(4, 4, 1, { bias: false }) },
      downsample: new nn.Sequential(new nn.Conv2d(4, 4, 1)),
    };
    const model = trained(
      new Net(block, (x, { norms, inner, downsample }) => {
        const half = relu(norms[1].forward(inner.first.forward(x)));
        return relu(add(norms[2].forward(inner.second.forward(half)), norms[0].forward(downsample.forward(x))));
      }),
    );
    const fused = nn.fuse(model, [null, 4, 5, 5]);
    expect(normsOf(fused)).toEqual([]);
    expect(fused.parts.norms[1]).toBeInstanceOf(nn.Identity);
    await expectEqual(model, fused, [2, 4, 5, 5]);
  });

  it('of branches whose maps are concatenated, and leaves a norm that stands before its convolution', async () => {
    const dense = (norm: nn.BatchNorm2d) => ({ norm, conv1: new nn.Conv2d(3, 4, 1), bn: new nn.BatchNorm2d(4) });
    const model = trained(
      new Net({ layers: [dense(new nn.BatchNorm2d(3)), dense(new nn.BatchNorm2d(3))] }, (x, { layers }) =>
        cat(
          layers.map(({ norm, conv1, bn }) => relu(bn.forward(conv1.forward(relu(norm.forward(x)))))),
          1,
        ),
      ),
    );
    const fused = nn.fuse(model, [1, 3, 4, 4]);
    expect(normsOf(fused)).toEqual(['parts.layers.0.norm', 'parts.layers.1.norm']);
    await expectEqual(model, fused, [2, 3, 4, 4]);
  });

  it('of a layer whose weight stands elsewhere too, where it is not called', async () => {
    const conv = new nn.Conv2d(2, 2, 1);
    const auxiliary = new nn.Conv2d(2, 2, 1);
    Object.assign(auxiliary, { weight: conv.weight });
    const model = trained(
      new Net({ conv, bn: new nn.BatchNorm2d(2), auxiliary }, (x, { conv, bn }) => bn.forward(conv.forward(x))),
    );
    const fused = nn.fuse(model, [1, 2, 3, 3]);
    expect(normsOf(fused)).toEqual([]);
    await expectEqual(model, fused, [1, 2, 3, 3]);
    expect(await fused.parts.auxiliary.weight.data()).toEqual(await conv.weight.data());
  });
});

describe('fuse leaves a norm alone', () => {
  const conv = () => new nn.Conv2d(2, 2, 3, { padding: 1 });
  const parts = () => ({ conv: conv(), bn: new nn.BatchNorm2d(2), other: conv() });
  /** A convolution that computes more than one. */
  class Standardised extends nn.Conv2d {
    override forward(x: Tensor): Tensor {
      return relu(super.forward(x));
    }
  }
  const rows: [string, nn.Module, number[]][] = [
    [
      'where what the convolution makes has another user',
      new Net(parts(), (x, { conv, bn }) => {
        const y = conv.forward(x);
        return add(bn.forward(y), y);
      }),
      [2, 2, 4, 4],
    ],
    [
      'where the convolution is called twice',
      new Net(parts(), (x, { conv, bn }) => conv.forward(relu(bn.forward(conv.forward(x))))),
      [2, 2, 4, 4],
    ],
    [
      'where the norm is called on two convolutions',
      new Net(parts(), (x, { conv, bn, other }) => bn.forward(other.forward(relu(bn.forward(conv.forward(x)))))),
      [2, 2, 4, 4],
    ],
    [
      'where the weight is used by itself',
      new Net(parts(), (x, { conv, bn }) => mul(bn.forward(conv.forward(x)), sum(conv.weight))),
      [2, 2, 4, 4],
    ],
    [
      'of the batch’s own statistics',
      new nn.Sequential(conv(), new nn.BatchNorm2d(2, { trackRunningStats: false })),
      [2, 2, 4, 4],
    ],
    ['behind another layer', new nn.Sequential(conv(), new nn.ReLU(), new nn.BatchNorm2d(2)), [2, 2, 4, 4]],
    [
      'of another axis than the features of a linear layer',
      new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(2)),
      [2, 2, 3],
    ],
    [
      'behind a subclass with a forward of its own',
      new nn.Sequential(new Standardised(2, 2, 3), new nn.BatchNorm2d(2)),
      [2, 2, 4, 4],
    ],
  ];
  it.each(rows)('%s', async (_, model, shape) => {
    const fused = nn.fuse(trained(model), shape);
    expect(normsOf(fused)).toHaveLength(1);
    await expectEqual(model, fused, shape);
  });

  it('where the model returns what the convolution makes', async () => {
    class Both extends nn.Module<[x: Tensor], { maps: Tensor[] }> {
      readonly conv = conv();
      readonly bn = new nn.BatchNorm2d(2);
      forward(x: Tensor) {
        const y = this.conv.forward(x);
        return { maps: [this.bn.forward(y), y] };
      }
    }
    expect(normsOf(nn.fuse(new Both(), [1, 2, 4, 4]))).toEqual(['bn']);
  });
});

describe('a fused model', () => {
  const model = () =>
    trained(
      new nn.Sequential(
        new nn.Input('BDHW', { sizes: [null, 2, 6, 6] }),
        new nn.Conv2d(2, 4, 3, { bias: false }),
        new nn.BatchNorm2d(4),
        new nn.Dropout(),
        new nn.Sequential(new nn.StochasticDepth(0.5), new nn.Flatten()),
      ),
    );

  it('has no dropout, and takes its shape from the Input', async () => {
    const own = model();
    const fused = nn.fuse(own);
    expect(fused.namedModules().map(([, module]) => module.constructor.name)).toEqual([
      'Sequential',
      'Input',
      'Conv2d',
      'Identity',
      'Identity',
      'Sequential',
      'Identity',
      'Flatten',
    ]);
    await expectEqual(own, fused, [2, 2, 6, 6]);
  });

  it('evaluates, and is frozen where the model was', () => {
    const own = model();
    (own.get(1) as nn.Conv2d).weight.requiresGrad = false;
    const fused = nn.fuse(own);
    expect(fused.namedModules().map(([, module]) => module.training)).not.toContain(true);
    expect(fused.trainableParameters()).toEqual([]);
  });

  it('leaves the model as it was, and keeps its own values when that trains on', async () => {
    const own = model();
    const before = await Promise.all([...own.stateDict()].map(async ([key, state]) => [key, await state.data()]));
    const fused = nn.fuse(own);
    const x = rand([1, 2, 6, 6]);
    const y = await fused.forward(x).data();
    expect(await Promise.all([...own.stateDict()].map(async ([key, state]) => [key, await state.data()]))).toEqual(
      before,
    );
    expect(own.training).toBe(true);
    expect(own.get(3)).toBeInstanceOf(nn.Dropout);
    for (const parameter of own.parameters()) parameter.assign(mul(parameter, 2));
    expect(await fused.forward(x).data()).toEqual(y);
  });

  it.each([
    ['Conv2d', [new nn.Conv2d(2, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU()], [2, 2, 6, 6]],
    ['Conv1d in groups', [new nn.Conv1d(4, 6, 3, { groups: 2 }), new nn.BatchNorm1d(6)], [2, 4, 6]],
    ['Conv3d', [new nn.Conv3d(2, 3, 2), new nn.BatchNorm3d(3)], [2, 2, 4, 4, 4]],
    ['ConvTranspose2d', [new nn.ConvTranspose2d(3, 5, 3), new nn.BatchNorm2d(5)], [2, 3, 4, 4]],
    ['Linear', [new nn.Linear(6, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2)], [5, 6]],
    [
      'Conv2d before a classifier',
      [
        new nn.Conv2d(2, 4, 3),
        new nn.BatchNorm2d(4),
        new nn.MaxPool2d(2),
        new nn.AdaptiveAvgPool2d(2),
        new nn.Flatten(),
        new nn.Linear(16, 3),
      ],
      [2, 2, 8, 8],
    ],
  ] as [string, nn.Module[], number[]][])(
    'takes its shape from the first layer where nobody tells one: %s',
    async (_, layers, shape) => {
      const model = trained(new nn.Sequential(...layers));
      const fused = nn.fuse(model);
      expect(normsOf(fused)).toEqual([]);
      await expectEqual(model, fused, shape);
    },
  );

  it('has no AlphaDropout either', () => {
    expect(nn.fuse(new nn.Sequential(new nn.Linear(2, 2), new nn.AlphaDropout())).get(1)).toBeInstanceOf(nn.Identity);
  });

  it('wants a shape where no layer tells it, or the model wants to know more of it', () => {
    const error = (model: nn.Module) => {
      try {
        nn.fuse(model);
      } catch (thrown) {
        return thrown;
      }
    };
    expect(error(new nn.Sequential(new nn.ReLU()))).toMatchInlineSnapshot(
      `[ArgumentError: fuse: no shape, and no Input or first layer that tells it; wants one such as [null, 3, 224, 224]]`,
    );
    const parts = { conv: new nn.Conv2d(2, 4, 3), bn: new nn.BatchNorm2d(4) };
    const asking = error(new Net(parts, (x, { conv, bn }) => mul(bn.forward(conv.forward(x)), x.size)));
    expect(asking).toMatchInlineSnapshot(
      `[ArgumentError: fuse: no shape, and no Input layer that tells it; the model does not take [?,2,?,?], as its first layer would; wants one such as [null, 3, 224, 224]]`,
    );
    expect((asking as Error).cause).toBeInstanceOf(ReadError);
    expect(asking).toBeInstanceOf(ArgumentError);
  });

  it('wants a shape that fits', () => {
    const plain = new nn.Sequential(new nn.Conv2d(2, 4, 3), new nn.BatchNorm2d(4));
    expect(() => nn.fuse(plain, [1, 3, 6, 6])).toThrow(ShapeError);
  });

  it('wants layers that know their input side', () => {
    class Open extends nn.OpenLayer {
      readonly hasState = true;
      settleBy(): void {}
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    expect(() => nn.fuse(new nn.Sequential(new Open()), [1, 2, 6, 6])).toThrow(/call flex.shapeInference first/);
  });
});
