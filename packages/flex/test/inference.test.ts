import * as nn from '@tessera/nn';
import { cat, manualSeed, meta, rand, randomState, runtime, setBackend, type Tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import * as flex from '../src/index';

/** No backend is set: nothing here can compute. */
const small = () =>
  new nn.Sequential(
    new flex.Conv2d(4, 3),
    new flex.BatchNorm(),
    new nn.Dropout(),
    new flex.MaxPool2d(),
    new nn.Flatten(),
    new flex.Linear(10),
  );

/** A model whose forward is its own, with layers wherever they may stand. */
class Own extends nn.Module {
  readonly stem = new flex.Conv2d(4, 3);
  readonly branches = [new flex.Conv2d(2, 5), new flex.Conv2d(3, 5)];
  readonly heads: Record<string, nn.Module> = { classes: new flex.Linear(7) };
  readonly aux = new flex.Linear(1);
  forward(x: Tensor): Tensor {
    const y = this.stem.forward(x);
    const [left, right] = this.branches.map((branch) => branch.forward(y)) as [Tensor, Tensor];
    const maps = cat([left, right], 1);
    return (this.heads['classes'] as nn.Module).forward(maps);
  }
}

describe('shapeInference', () => {
  it('gives the output’s shape and puts layers of nn in the place of flex layers', () => {
    const model = small();
    expect(flex.shapeInference(model, [null, 3, 10, 12])).toEqual([null, 10]);
    expect(model.namedModules().map(([path, module]) => `${path} ${module.constructor.name}`)).toEqual([
      ' Sequential',
      '0 Conv2d',
      '1 BatchNorm2d',
      '2 Dropout',
      '3 MaxPool2d',
      '4 Flatten',
      '5 Linear',
    ]);
    expect(model[0]).toBeInstanceOf(nn.Conv2d);
    expect([...model.stateDict().keys()]).toContain('1.running_mean');
    expect(model.stateDict().get('5.weight')?.shape).toEqual([10, 80]);
    expect(flex.shapeInference(model, [5, 3, 10, 12])).toEqual([5, 10]);
  });

  it('leaves unknown sizes unknown, and takes them where no layer needs them', () => {
    const model = new nn.Sequential(
      new flex.Conv2d(4, 3),
      new nn.AdaptiveAvgPool2d(2),
      new nn.Flatten(),
      new flex.Linear(5),
    );
    expect(flex.shapeInference(model, [null, 3, null, null])).toEqual([null, 5]);
    expect(flex.shapeInference(new nn.Sequential(new flex.Conv2d(4, 3)), [null, 3, null, 9])).toEqual([
      null,
      4,
      null,
      7,
    ]);
    expect(() => flex.shapeInference(small(), [null, 3, null, null])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: 5 (Linear): Linear: the features of [?,?] are not known; infer with that size as a number]`,
    );
  });

  it('touches neither modes nor running statistics nor the random sequence', () => {
    manualSeed(3);
    const model = small();
    model[2]?.eval();
    const draws = randomState().version;
    flex.shapeInference(model, [2, 3, 10, 10]);
    expect(randomState().version).toBe(draws);
    expect(model.namedModules().map(([, module]) => module.training)).toEqual([
      true,
      true,
      true,
      false,
      true,
      true,
      true,
    ]);
    expect(model.namedBuffers().map(([, buffer]) => buffer.version)).toEqual([0, 0, 0]);
    const evaluating = small().eval();
    flex.shapeInference(evaluating, [2, 3, 10, 10]);
    expect(evaluating.namedModules().some(([, module]) => module.training)).toBe(false);
    expect(runtime.layer).toBeNull();
  });

  it('runs nothing however deep the model is', async () => {
    const backend = reference();
    setBackend(backend);
    const model = new nn.Sequential(
      ...Array.from({ length: 300 }, () => [new flex.Linear(2), new flex.BatchNorm()]).flat(),
    );
    const { buffers } = backend.memory();
    flex.shapeInference(model, [null, 3]);
    expect(backend.memory().buffers).toBe(buffers);
    runtime.backend = null;
    backend.dispose();
    manualSeed(0); // its numbers were on that backend
  });

  it('takes one image where training would want more', () => {
    const model = new nn.Sequential(new flex.Linear(4), new flex.BatchNorm());
    expect(flex.shapeInference(model, [1, 3])).toEqual([1, 4]);
    expect(() => model.forward(meta([1, 3]))).toThrow(/one value a channel/);
  });

  it('finds flex layers in models of one’s own, also in arrays, objects and made by other flex layers', () => {
    const model = new Own();
    expect(flex.shapeInference(model as nn.Module, [null, 3, 8, 9])).toEqual([null, 5, 2, 7]);
    expect(() => model.parameters()).toThrow(/aux \(Linear\) has no parameters before it has seen an input/);
    expect(
      [model.stem, model.branches[0], model.heads['classes'], model.aux].map((layer) => layer instanceof nn.OpenLayer),
    ).toEqual([false, false, false, true]);
    const nested = new nn.Sequential(new flex.Flex(() => new nn.Sequential(new flex.Linear(4), new flex.Linear(2))));
    flex.shapeInference(nested, [null, 3]);
    expect([...nested.stateDict()].map(([key, { shape }]) => `${key} [${shape}]`)).toEqual([
      '0.0.weight [4,3]',
      '0.0.bias [4]',
      '0.1.weight [2,4]',
      '0.1.bias [2]',
    ]);
    expect(nested.namedModules().some(([, module]) => module instanceof nn.OpenLayer)).toBe(false);
  });

  it('names path and layer of what does not fit in any model, and the smallest input that does', () => {
    expect(() => flex.shapeInference(new Own() as nn.Module, [null, 3, 5, 6])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: branches.0 (Conv2d): conv2d: a window of 5 does not fit input [?,4,3,4], which is 3 on spatial axis 0 with its padding; enlarge input or padding; the smallest input that fits is [?,3,7,9]]`,
    );
    const misfit: nn.Module = new nn.Conv2d(8, 8, 3); // of unknown type, or it would not compile
    const net = new nn.Sequential(new nn.Sequential(new flex.Conv2d(4, 3, { stride: 2 }), misfit));
    expect(() => flex.shapeInference(net, [null, 3, 32, 32])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: 0.1 (Conv2d): conv2d: input has 4 channels but weight [8,8,3,3] wants 8 (groups 1); it saw [?,4,15,15]]`,
    );
    expect(() =>
      flex.shapeInference(new nn.Sequential(new flex.Conv2d(4, 3, { groups: 2 })), [null, 3, 8, 8]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: shapeInference: 0 (Conv2d): Conv2d: 3 in-channels and 4 out-channels do not make 2 groups; wants multiples; it saw [?,3,8,8]]`,
    );
    const door = new nn.Sequential(new nn.Input('BDHW', { sizes: [null, 3, 64, 64] }), new flex.Conv2d(4, 3));
    expect(() => flex.shapeInference(door, [null, 3, 32, 32])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: shapeInference: 0 (Input): input: [?,3,32,32] has 32 on axis H, wants [any,3,64,64]; resize or reorder the input; the smallest input that fits is [?,3,64,64]]`,
    );
  });

  it('finds the smallest input also where larger ones do not all fit', () => {
    const halves = () =>
      new nn.Sequential(
        new nn.Shortcut([new flex.MaxPool2d(4), new flex.ConvTranspose2d(2, 4, { stride: 4 })]),
        new flex.Conv2d(2, 1),
      );
    expect(() => flex.shapeInference(halves(), [null, 3, 30, 30])).toThrow(
      /smallest input that fits is \[\?,3,32,32\]/,
    );
    expect(() => flex.shapeInference(halves(), [null, 3, 30, 40])).toThrow(
      /smallest input that fits is \[\?,3,32,40\]/,
    );
    expect(flex.shapeInference(halves(), [null, 3, 32, 40])).toEqual([null, 2, 32, 40]);
  });

  it('settles nothing where a layer does not fit, so that another shape may be tried', () => {
    const model = small();
    expect(() => flex.shapeInference(model, [null, 1, 3, 3])).toThrow(
      /3 \(MaxPool2d\).*smallest input that fits is \[\?,1,4,4\]/,
    );
    expect(() => model.parameters()).toThrow(/0 \(Conv2d\) has no parameters/);
    expect(Object.hasOwn(model, 'forward')).toBe(false);
    expect(flex.shapeInference(model, [null, 3, 10, 10])).toEqual([null, 10]);
  });

  it('lets errors pass that are no fault of shapes, as they are', () => {
    const fault = new TypeError('mine');
    const model = new nn.Sequential(
      new nn.Lambda(() => {
        throw fault;
      }),
    );
    expect(() => flex.shapeInference(model.eval(), [1])).toThrow(fault);
    expect(Object.hasOwn(model, 'forward')).toBe(false);
  });

  it('takes integers for models that look things up', () => {
    const model = new nn.Sequential(new nn.Embedding(10, 4), new flex.Linear(2));
    expect(flex.shapeInference(model, [null, 5], { dtype: 'int32' })).toEqual([null, 5, 2]);
  });
});

describe('freeze', () => {
  it('lists what has seen no input, or with partial leaves it', () => {
    const model = small();
    (model[0] as nn.Module).forward(rand([1, 3, 8, 8]));
    expect(() => flex.freeze(model)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: freeze: 1 (BatchNorm), 5 (Linear) have seen no input; call flex.shapeInference first, or freeze the others with partial: true]`,
    );
    expect(flex.freeze(model, { partial: true })).toBe(model);
    expect([model[0] instanceof nn.Conv2d, model[1] instanceof flex.BatchNorm]).toEqual([true, true]);
    model.forward(rand([2, 3, 8, 8]));
    expect(
      flex
        .freeze(model)
        .namedModules()
        .some(([, module]) => module instanceof nn.OpenLayer),
    ).toBe(false);
  });

  it('returns the layer that a lone flex layer has become', () => {
    const lone = new flex.Linear(2);
    lone.forward(rand([1, 3]));
    expect(lone.parameters().map(({ shape }) => shape)).toEqual([[2, 3], [2]]);
    expect(flex.freeze(lone as nn.Module)).toBeInstanceOf(nn.Linear);
  });
});

describe('summary', () => {
  it('wants the shapes settled first', () => {
    expect(() => nn.summary(small(), [null, 3, 10, 10])).toThrow(/call flex.shapeInference first/);
  });
});
