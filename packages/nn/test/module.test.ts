import { LoadError, meta, ones, runtime, State, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import * as nn from '../src/index';

const small = () =>
  new nn.Sequential(
    new nn.Conv2d(1, 2, 3),
    new nn.BatchNorm2d(2),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Linear(8, 3),
  );

/** A model that holds its parts in every way a field can. */
class Odd extends nn.Module {
  readonly layers = [new nn.Linear(2, 2), new nn.Linear(2, 2, { bias: false })];
  readonly named = { first: new nn.Linear(1, 1, { bias: false }) };
  readonly positionEmbedding = new nn.Parameter(tensor([1]));
  readonly AuxLogits = new nn.Linear(1, 1, { bias: false });
  readonly shared = this.named.first;
  readonly innerModel = new nn.Sequential(new nn.BatchNorm2d(1, { affine: false }));
  readonly notMine = new State(tensor(1));
  readonly sizes = [1, 2, [3]];
  readonly circle: { self?: object } = {};
  constructor() {
    super();
    this.circle.self = this.circle;
  }
  forward(x: never) {
    return x;
  }
}

describe('Module', () => {
  it('finds parameters and buffers under PyTorch’s keys, in PyTorch’s order', () => {
    expect([...small().stateDict().keys()]).toEqual([
      '0.weight',
      '0.bias',
      '1.weight',
      '1.bias',
      '1.running_mean',
      '1.running_var',
      '1.num_batches_tracked',
      '4.weight',
      '4.bias',
    ]);
    expect(
      small()
        .namedParameters()
        .map(([key]) => key),
    ).toEqual(['0.weight', '0.bias', '1.weight', '1.bias', '4.weight', '4.bias']);
    expect(
      small()
        .namedBuffers()
        .map(([key]) => key),
    ).toEqual(['1.running_mean', '1.running_var', '1.num_batches_tracked']);
  });

  it('looks into arrays, plain objects and nested modules, in camelCase or not', () => {
    expect([...new Odd().stateDict().keys()]).toEqual([
      'position_embedding',
      'layers.0.weight',
      'layers.0.bias',
      'layers.1.weight',
      'named.first.weight',
      'AuxLogits.weight',
      'shared.weight',
      'inner_model.0.running_mean',
      'inner_model.0.running_var',
      'inner_model.0.num_batches_tracked',
    ]);
  });

  it('gives what a field holds the keys that keyOf says: another name, or none', () => {
    class Named extends nn.Module {
      readonly rows = { features: new nn.Linear(1, 1), norm: new nn.LayerNorm(1) };
      readonly inner = new nn.Sequential({ fc: new nn.Linear(1, 1, { bias: false }) });
      readonly head = new nn.Linear(1, 1);
      override keyOf(field: string): string {
        return { rows: '', inner: '', head: 'last.0' }[field] ?? super.keyOf(field);
      }
      /** Beside the layer of this name. */
      features(x: Tensor): Tensor {
        return this.rows.features.forward(x);
      }
      forward(x: Tensor): Tensor {
        return this.head.forward(this.inner.forward(this.rows.norm.forward(this.features(x))));
      }
    }
    const named = new Named();
    const keys = [
      'features.weight',
      'features.bias',
      'norm.weight',
      'norm.bias',
      'fc.weight',
      'last.0.weight',
      'last.0.bias',
    ];
    expect([...named.stateDict().keys()]).toEqual(keys);
    expect(named.namedParameters().map(([key]) => key)).toEqual(keys);
    expect(named.namedModules().map(([path]) => path)).toEqual(['', 'features', 'norm', '', 'fc', 'last.0']);
    expect([...new nn.Sequential({ net: named.clone() }).stateDict().keys()]).toEqual(keys.map((key) => `net.${key}`));
    const seen: string[] = [];
    nn.replaceModules(named, (_, path) => {
      seen.push(path);
      return null;
    });
    expect(seen).toEqual(['', 'features', 'norm', '', 'fc', 'last.0']);
  });

  it('lists a shared parameter once for optimizers, under each key for files', () => {
    const model = new Odd();
    expect(model.namedParameters().map(([key]) => key)).not.toContain('shared.weight');
    expect(model.stateDict().get('shared.weight')).toBe(model.stateDict().get('named.first.weight'));
  });

  it('does not lose itself in a module that contains itself', () => {
    class Loop extends Odd {
      readonly me = this;
    }
    expect(new Loop().stateDict().size).toBe(10);
    expect(new Loop().namedModules().map(([path]) => path)[0]).toBe('');
  });

  it('sets the mode of every module in it', () => {
    const model = new Odd().eval();
    expect(model.namedModules().every(([, module]) => !module.training)).toBe(true);
    expect(model.train().innerModel[0]?.training).toBe(true);
  });
});

describe('Sequential', () => {
  it('leaves on each op the path of the layer it was made in', () => {
    const inner = new nn.Sequential(new nn.ReLU());
    const y = new nn.Sequential(new nn.ReLU(), inner).forward(meta([1, 2]));
    expect(y.node.layer).toBe('1.0');
    expect(runtime.layer).toBeNull();
  });

  it('is its layers, by place and in order', () => {
    const model = small();
    expect(model.length).toBe(5);
    expect(model[2]).toBeInstanceOf(nn.ReLU);
    expect([...model].map((layer) => layer.constructor.name)).toEqual([
      'Conv2d',
      'BatchNorm2d',
      'ReLU',
      'Flatten',
      'Linear',
    ]);
  });

  it('names the layer an error comes from, through models within models, once', () => {
    expect(() =>
      small().forward(tensor(new Float32Array(2 * 9), { shape: [1, 2, 3, 3] })),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: 0 (Conv2d): conv2d: input has 2 channels but weight [2,1,3,3] wants 1 (groups 1)]`,
    );
    const nested = new nn.Sequential(new nn.ReLU(), new nn.Sequential(new nn.Flatten(), new nn.Linear(4, 1)));
    expect(() => nested.forward(tensor([[[1, 2, 3]]]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: 1.1 (Linear): linear: input [1,3] has 3 features but weight [1,4] wants 4; flatten the input or size the layer to it]`,
    );
  });

  it('refuses what is no module', () => {
    expect(() => new nn.Sequential((() => 1) as never)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Sequential: layer 0 is a function, wants a module; wrap a function in a class with forward]`,
    );
  });
});

describe('loadStateDict', () => {
  describe('asks modules for the keys that are here what a file has', () => {
    /** Its files once had the weight as `w.0`, and a count that nobody wants. */
    class Renamed extends nn.Module {
      readonly weight = new nn.Parameter(tensor([0]));
      override keyFrom(given: string): string | null {
        return given === 'count' ? null : given.replace(/^w\.0$/, 'weight');
      }
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    it('wherever they stand, and under every path of one that is shared', async () => {
      const [own, twice] = [new Renamed(), new Renamed()];
      const model = new nn.Sequential({ a: own, b: new nn.Sequential(twice), c: twice });
      const given = { 'a.w.0': tensor([1]), 'a.count': tensor(9), 'b.0.w.0': tensor([2]), 'c.w.0': tensor([2]) };
      expect(model.loadStateDict(given)).toEqual({ missing: [], unexpected: [] });
      const before = runtime.backend;
      setBackend(reference());
      expect([...(await own.weight.data()), ...(await twice.weight.data())]).toEqual([1, 2]);
      runtime.backend = before;
    });
    it('outer ones first, and not of others’ keys', () => {
      class Outer extends nn.Module {
        readonly inner = new Renamed();
        readonly plain = new nn.Sequential();
        override keyFrom(given: string): string {
          return given.replace('old.', 'inner.');
        }
        forward(x: Tensor): Tensor {
          return x;
        }
      }
      expect(new Outer().loadStateDict({ 'old.w.0': tensor([1]) })).toEqual({ missing: [], unexpected: [] });
      expect(() => new Outer().loadStateDict({ 'old.weight': tensor([1]), count: tensor(1) })).toThrow(
        /unexpected: count/,
      );
    });
  });

  it('takes the values of another model', async () => {
    const [from, to] = [small(), small()];
    const values = [...from.stateDict()].map(
      ([key, state]) =>
        [
          key,
          tensor(new Float32Array(state.shape.reduce<number>((a, b) => a * (b ?? 0), 1)).fill(3), {
            shape: state.shape as number[],
          }),
        ] as const,
    );
    expect(to.loadStateDict(new Map(values))).toEqual({ missing: [], unexpected: [] });
    expect(to.stateDict().get('1.num_batches_tracked')?.dtype).toBe('int32');
  });

  it('lists every fault at once, and then assigns nothing', () => {
    const model = small();
    const given = new Map<string, nn.Parameter | nn.Buffer | ReturnType<typeof tensor>>(model.stateDict());
    given.delete('1.running_mean');
    given.delete('4.bias');
    given.set('5.weight', tensor([1]));
    given.set('0.weight', tensor([1, 2]));
    const versions = [...model.stateDict().values()].map((state) => state.version);
    expect(() => model.loadStateDict(given)).toThrowErrorMatchingInlineSnapshot(
      `[LoadError: loadStateDict: the values do not fit Sequential: missing: 1.running_mean, 4.bias; unexpected: 5.weight; of another shape: 0.weight [2] (wants [2,1,3,3]); is it the same architecture?]`,
    );
    expect(() => model.loadStateDict(given)).toThrow(LoadError);
    expect(() => model.loadStateDict(given, { strict: false })).toThrowErrorMatchingInlineSnapshot(
      `[LoadError: loadStateDict: the values do not fit Sequential: of another shape: 0.weight [2] (wants [2,1,3,3]); is it the same architecture?]`,
    );
    expect([...model.stateDict().values()].map((state) => state.version)).toEqual(versions);
  });

  it('reports instead, where it need not be strict', () => {
    const model = small();
    const given = Object.fromEntries([...model.stateDict()].filter(([key]) => !key.startsWith('4')));
    expect(model.loadStateDict({ ...given, other: tensor(1) }, { strict: false })).toEqual({
      missing: ['4.weight', '4.bias'],
      unexpected: ['other'],
    });
  });

  it('cuts long lists short, and has them whole in its fields', () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`extra${i}`, tensor(1)]));
    const load = () => new nn.Linear(2, 3).loadStateDict({ ...many, bias: ones([4]) });
    expect(load).toThrow(nn.StateDictError);
    expect(load).toThrow('extra29, … 20 more');
    expect(load).toThrow(
      expect.objectContaining({
        missing: ['weight'],
        unexpected: Object.keys(many),
        mismatched: [{ key: 'bias', wanted: [3], given: [4] }],
      }),
    );
  });
});
