/** New models' values, and what the golden cases do not reach. */

import { cpu } from '@tessera/backend-cpu';
import { Parameter } from '@tessera/nn';
import {
  amax,
  type Backend,
  div,
  manualSeed,
  meta,
  mul,
  rand,
  ShapeError,
  setBackend,
  slice,
  sub,
  tensor,
} from '@tessera/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alexnet, alexnetPaper } from '../src/alexnet';
import { densenet121 } from '../src/densenet';
import { googlenet } from '../src/googlenet';
import { inceptionV3 } from '../src/inception';
import { mobilenetV2 } from '../src/mobilenet';
import { overfeatAccurate } from '../src/overfeat';
import { resnet18, resnet50 } from '../src/resnet';
import { squeezenet1_1 } from '../src/squeezenet';
import { vgg11_bn } from '../src/vgg';

let backend: Backend;
beforeAll(async () => {
  setBackend((backend = await cpu()));
  manualSeed(0);
});
afterAll(() => backend.dispose());

/** Mean and deviation of a parameter. */
async function momentsOf(model: { stateDict(): Map<string, unknown> }, key: string): Promise<[number, number]> {
  const parameter = model.stateDict().get(key);
  if (!(parameter instanceof Parameter)) throw new Error(`no parameter ${key}`);
  const values = Array.from(await parameter.data());
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)];
}

describe('initial values are torchvision’s, or the paper’s', () => {
  it.each([
    ['alexnet', alexnet, 'features.3.weight', 1 / Math.sqrt(3 * 64 * 25)], // PyTorch's default, U(±1/√fanIn)
    ['vgg11_bn', vgg11_bn, 'features.4.weight', Math.sqrt(2 / (128 * 9))],
    ['vgg11_bn', vgg11_bn, 'classifier.6.weight', 0.01],
    ['resnet18', resnet18, 'layer2.0.conv1.weight', Math.sqrt(2 / (128 * 9))],
    ['googlenet', googlenet, 'inception3a.branch2.1.conv.weight', 0.01],
    ['inceptionV3', inceptionV3, 'Mixed_6b.branch1x1.conv.weight', 0.1],
    ['inceptionV3', inceptionV3, 'AuxLogits.conv1.conv.weight', 0.1], // not the 0.01 that torchvision writes and never reads
    ['inceptionV3', inceptionV3, 'AuxLogits.fc.weight', 0.001],
    ['mobilenetV2', mobilenetV2, 'features.18.0.weight', Math.sqrt(2 / 1280)],
    ['mobilenetV2', mobilenetV2, 'classifier.1.weight', 0.01],
    ['densenet121', densenet121, 'features.denseblock4.denselayer16.conv2.weight', Math.sqrt(2 / (128 * 9))],
    ['squeezenet1_1', squeezenet1_1, 'features.12.expand3x3.weight', Math.sqrt(2 / (64 * 9))], // U(±√(6/fanIn))
    ['squeezenet1_1', squeezenet1_1, 'classifier.1.weight', 0.01],
    ['alexnetPaper', alexnetPaper, 'features.8.weight', 0.01],
    ['overfeatAccurate', overfeatAccurate, 'features.3.weight', 0.01],
  ])('%#: %s', async (_, make, key, std) => {
    const [mean, deviation] = await momentsOf(make(), key);
    expect(Math.abs(mean)).toBeLessThan(0.02 * std);
    expect(deviation / std).toBeCloseTo(1, 1.5);
  });

  it('biases of the paper’s AlexNet are 1 behind the first convolution of a tower and in hidden layers, else 0', async () => {
    const model = alexnetPaper();
    const biases = model.namedParameters().filter(([key]) => key.endsWith('bias'));
    const means = await Promise.all(biases.map(([key]) => momentsOf(model, key)));
    expect(means.map(([mean]) => mean)).toEqual([0, 1, 0, 1, 1, 1, 1, 0]);
  });

  it('biases of VGG are 0; zeroInitResidual makes the last norm of a block 0', async () => {
    expect(await momentsOf(vgg11_bn(), 'features.0.bias')).toEqual([0, 0]);
    const model = resnet50({ zeroInitResidual: true });
    expect(await momentsOf(model, 'layer3.1.bn3.weight')).toEqual([0, 0]);
    expect(await momentsOf(model, 'layer3.1.bn2.weight')).toEqual([1, 0]);
  });
});

describe('auxiliary heads', () => {
  it('speak while training only', () => {
    const [google, inception] = [googlenet({ numClasses: 5 }), inceptionV3({ numClasses: 5 })];
    const x = meta([2, 3, 299, 299]);
    const { logits, aux1, aux2 } = google.outputs(x);
    expect([logits.shape, aux1?.shape, aux2?.shape]).toEqual([
      [2, 5],
      [2, 5],
      [2, 5],
    ]);
    expect(inception.outputs(x).aux?.shape).toEqual([2, 5]);
    expect(google.eval().outputs(x)).toMatchObject({ aux1: null, aux2: null });
    expect(inception.eval().outputs(x).aux).toBe(null);
    expect(googlenet({ auxLogits: false }).outputs(x)).toMatchObject({ aux1: null, aux2: null });
  });
});

describe('files with auxiliary heads', () => {
  it.each([
    ['googlenet', googlenet, 'aux1.fc2.weight'],
    ['inceptionV3', inceptionV3, 'AuxLogits.fc.weight'],
  ] as const)(
    'load without them into a model that has none, and into no model without other keys: %s',
    async (_, make, key) => {
      const [file, model] = [make({ numClasses: 2 }).stateDict(), make({ numClasses: 2, auxLogits: false })];
      expect(file.has(key)).toBe(true);
      expect(model.loadStateDict(file)).toEqual({ missing: [], unexpected: [] });
      expect(await model.stateDict().get('fc.bias')?.data()).toEqual(await file.get('fc.bias')?.data());
      expect(() => model.loadStateDict(new Map([...file, ['auxiliary', file.get('fc.bias') as Parameter]]))).toThrow(
        'unexpected: auxiliary;',
      );
      expect(() => make({ numClasses: 2 }).loadStateDict(model.stateDict())).toThrow(`missing: ${key.split('.')[0]}`);
    },
  );
});

describe('transformInput', () => {
  it('undoes ImageNet’s normalisation to [−1,1]', async () => {
    const plain = googlenet({ numClasses: 4, auxLogits: false }).eval();
    const turned = googlenet({ numClasses: 4, auxLogits: false, transformInput: true }).eval();
    turned.loadStateDict(plain.stateDict());
    const pixels = rand([1, 3, 64, 64]);
    const perChannel = (values: readonly number[]) => tensor([values.map((value) => [[value]])]);
    const normalised = div(sub(pixels, perChannel([0.485, 0.456, 0.406])), perChannel([0.229, 0.224, 0.225]));
    const [a, b] = [await plain.forward(sub(mul(pixels, 2), 1)).data(), await turned.forward(normalised).data()];
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 4);
  });
});

describe('transformInput of other channels than three', () => {
  it('is refused', () => {
    for (const make of [googlenet, inceptionV3])
      expect(() => make({ transformInput: true, inChannels: 1 })).toThrow(
        "transformInput with inChannels 1, wants 3, as ImageNet's mean and deviation have; leave it out",
      );
  });
});

describe('OverFeat', () => {
  it('gives of each class the largest of a map of logits, whose places are windows 36 pixels apart', async () => {
    const model = overfeatAccurate({ numClasses: 2, inChannels: 1 }).eval();
    const image = rand([1, 1, 257, 257]);
    const dense = model.dense(model.features(image));
    expect(dense.shape).toEqual([1, 2, 2, 2]);
    expect(await model.forward(image).data()).toEqual(await amax(dense, [2, 3]).data());
  });
});

describe('DenseNet’s old files', () => {
  it('load, with dots in the names of layers', async () => {
    const [old, model] = [densenet121({ numClasses: 2 }), densenet121({ numClasses: 2 })];
    const file = [...old.stateDict()].map(
      ([key, state]) => [key.replace(/(norm|conv)([12])\./, '$1.$2.'), state] as const,
    );
    expect(file.map(([key]) => key)).toContain('features.denseblock1.denselayer1.norm.1.weight');
    model.loadStateDict(new Map(file));
    const key = 'features.denseblock4.denselayer16.conv2.weight';
    expect(await model.stateDict().get(key)?.data()).toEqual(await old.stateDict().get(key)?.data());
  });
});

describe('dropRate', () => {
  it('leaves out what DenseNet’s layers add, while training', async () => {
    const model = densenet121({ dropRate: 1, numClasses: 2 });
    const block = model.layers.features.get('denseblock1');
    const x = rand([2, 64, 4, 4]);
    const added = async () => await slice(block.forward(x), [null, [64]]).data();
    expect((await added()).every((value) => value === 0)).toBe(true);
    model.eval();
    expect((await added()).every((value) => value === 0)).toBe(false);
  });
});

describe('images that are too small', () => {
  it.each([
    ['alexnet', alexnet, 32, 'features.12 (MaxPool2d): maxPool2d: windows'],
    ['inceptionV3', inceptionV3, 40, 'Mixed_6a.branch3x3.conv (Conv2d): conv2d: a window'],
    ['googlenet', googlenet, 8, 'GoogLeNet: maxPool2d: windows'],
    ['squeezenet1_1', squeezenet1_1, 16, 'features.8 (MaxPool2d): maxPool2d: windows'],
    ['overfeatAccurate', overfeatAccurate, 220, 'classifier.0 (Conv2d): conv2d: a window'],
    ['densenet121', densenet121, 28, 'features.transition3.pool (AvgPool2d): avgPool2d: windows'],
  ] as const)('are refused with the path of the layer, and what would fit: %s', (_, make, side, place) => {
    const forward = () =>
      make()
        .eval()
        .forward(meta([1, 3, side, side]));
    expect(forward).toThrow(ShapeError);
    expect(forward).toThrow(place);
    expect(forward).toThrow('the smallest input that fits is [1,3,');
  });
  it('to train on, though they would do to evaluate, are refused with the place in the row', () =>
    expect(() => resnet18().forward(meta([1, 3, 32, 32]))).toThrow(
      '0 (BasicBlock): batchNorm: input [1,512,1,1] has one value a channel',
    ));
  it('or of other channels are refused with the path', () =>
    expect(() => resnet18().forward(meta([1, 1, 64, 64]))).toThrow('conv1 (Conv2d): '));
});
