import { BatchNorm2d, Conv2d, Flatten, fuse, Linear, MaxPool2d, Module, ReLU, ReLU6, Sequential } from '@tessera/nn';
import {
  add,
  avgPool2d,
  cat,
  clamp,
  conv2d,
  flatten,
  linear,
  maxPool2d,
  setBackend,
  sigmoid,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { flopsOf, imagesOf, itemAt, labelsOf, type Network, usesOf, valuesOf } from '../networks/layers.ts';
import { type NetName, nets } from '../networks/nets.ts';
import { answerOf, inferenceOf, inputsOf, modelOf, trainingOf } from '../networks/ours.ts';
import { type Spelled, spell } from '../networks/spell.ts';

beforeAll(() => setBackend(reference({ dtype: 'float32' })));

/** One of each layer, with a shortcut, branches, and a value that two layers read. */
class Tiny extends Module {
  readonly stem = new Sequential(new Conv2d(3, 4, 3, { stride: 2, padding: 1 }), new BatchNorm2d(4), new ReLU6());
  readonly wide = new Conv2d(4, 4, [1, 3], { padding: [0, 1], groups: 2 });
  readonly norm = new BatchNorm2d(4, { eps: 1e-3 });
  readonly pool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly head = new Sequential(new Flatten(), new Linear(8, 5));
  forward(x: Tensor): Tensor {
    const map = this.stem.forward(x);
    const sum = add(this.norm.forward(this.wide.forward(map)), map);
    const both = cat([this.pool.forward(new ReLU().forward(sum)), avgPool2d(sum, 3, { stride: 2, padding: 1 })], 1);
    return this.head.forward(avgPool2d(both, 2));
  }
}
const images = [3, 3, 8, 8];
const kinds = ({ network }: Spelled) => network.layers.map(({ kind }) => kind);

/** The list as its comments tell it, with the ops of PyTorch's names. */
function run({ layers, parameters, images }: Network): Tensor {
  const values = [tensor(imagesOf({ images, layers, parameters, sgd: { lr: 0, momentum: 0 } }), { shape: images })];
  const parameter = (i: number) => tensor(valuesOf(itemAt(parameters, i), i), { shape: itemAt(parameters, i).shape });
  for (const layer of layers) {
    const sources = layer.from.map((value) => itemAt(values, value));
    const [x] = sources as [Tensor];
    const bias = 'bias' in layer && layer.bias !== null ? parameter(layer.bias) : null;
    const make = (): Tensor => {
      switch (layer.kind) {
        case 'conv': {
          const { stride, padding, groups } = layer;
          return conv2d(x, parameter(layer.weight), { bias, stride, padding, groups });
        }
        case 'linear':
          return linear(x, parameter(layer.weight), bias);
        case 'relu':
          return clamp(x, 0, layer.most ?? Infinity);
        case 'maxPool':
          return maxPool2d(x, layer.kernel, { stride: layer.stride, padding: layer.padding });
        case 'avgPool':
          return avgPool2d(x, layer.kernel, { stride: layer.stride, padding: layer.padding });
        case 'add':
          return add(x, sources[1] as Tensor);
        case 'cat':
          return cat(sources, 1);
        case 'flatten':
          return flatten(x, 1);
        default:
          throw new TypeError(`no ${layer.kind} in networks for inference`);
      }
    };
    values.push(make());
    expect(itemAt(values, values.length - 1).shape).toEqual(layer.shape);
  }
  return itemAt(values, values.length - 1);
}

function fill({ network, cells }: Spelled): void {
  for (const [i, cell] of cells.entries())
    cell.assign(tensor(valuesOf(itemAt(network.parameters, i), i), { shape: cell.shape as number[] }));
}

describe('a network as a list of layers', () => {
  it('has them in the order they run, whatever way the model calls them', () => {
    const spelled = spell(new Tiny(), images);
    expect(kinds(spelled).join(' ')).toBe(
      'conv batchNorm relu conv batchNorm add relu maxPool avgPool cat avgPool flatten linear',
    );
    expect(spelled.network.layers.map(({ from }) => from)).toEqual([
      ...[[0], [1], [2], [3], [4], [5, 3], [6], [7], [6], [8, 9], [10], [11], [12]],
    ]);
    expect(spelled.network.layers[2]).toMatchObject({ most: 6 });
    expect(spelled.network.layers[3]).toMatchObject({ stride: [1, 1], padding: [0, 1], groups: 2 });
    expect(spelled.network.layers[10]).toMatchObject({ covers: true });
    expect(usesOf(spelled.network)).toEqual([1, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1]);
  });
  it('computes what the model does', async () => {
    const model = fuse(new Tiny(), images);
    const spelled = spell(model, images);
    expect(kinds(spelled)).not.toContain('batchNorm');
    fill(spelled);
    const [x] = inputsOf(spelled.network, 'forward') as [Tensor];
    const ours = await model.forward(x).data();
    expect(await run(spelled.network).data()).toEqual(ours);
    expect(new Set(ours).size).toBe(15);
  });
  it('names a weight that two layers share once', () => {
    const shared = new Linear(4, 4);
    const { network, cells } = spell(new Sequential(shared, new ReLU(), shared), [2, 4]);
    expect(cells).toEqual([shared.weight, shared.bias]);
    expect(network.layers.filter(({ kind }) => kind === 'linear')).toHaveLength(2);
  });
  it('leaves the mode and the running statistics of the model alone', async () => {
    const model = new Tiny().train();
    spell(model, images);
    expect(model.training).toBe(true);
    expect([...((await model.norm.runningMean?.data()) ?? [])]).toEqual([0, 0, 0, 0]);
  });
  it('throws for what it has no word for, naming it', () => {
    class Strange extends Tiny {
      override forward(x: Tensor): Tensor {
        return sigmoid(super.forward(x));
      }
    }
    expect(() => spell(new Strange(), images)).toThrow('no layer is known for sigmoid → [3,5]');
    expect(() => spell(new Sequential(new Conv2d(3, 4, 3, { dilation: 2 })), images)).toThrow('dilation 2');
    const hanging = new Sequential(new MaxPool2d(3, { stride: 2, ceilMode: true }));
    expect(() => spell(hanging, images)).toThrow('windows over the edge');
  });
  it('counts multiply-adds of convolutions and products', () => {
    const { network } = spell(new Tiny(), images);
    expect(flopsOf(network)).toBe(2 * (3 * 4 * 16 * 27 + 3 * 4 * 16 * 6 + 3 * 5 * 8));
  });
});

describe('what contestants are compared by', () => {
  it('is the first logits, and in training the loss and how much a step lowers it', async () => {
    const forward = spell(fuse(new Tiny(), images), images);
    const model = fuse(new Tiny(), images);
    const spelled = spell(model, images);
    fill(spelled);
    const logits = await answerOf(inferenceOf(model), inputsOf(forward.network, 'forward'), 'forward');
    expect(logits).toEqual([...(await run(spelled.network).data())].slice(0, 8));

    const learner = new Tiny();
    const training = spell(learner, images);
    fill(training);
    const inputs = inputsOf(training.network, 'train');
    const { step } = trainingOf(learner, training.network);
    const [loss, fall] = (await answerOf(step, inputs, 'train')) as [number, number];
    expect(loss).toBeGreaterThan(0.5);
    // one per cent of it is what two contestants may differ by: a wrong gradient does not hide there
    expect(fall).toBeGreaterThan(0.01);
  });
  it('is of labels that differ from image to image', () => {
    const { network } = spell(new Tiny(), images);
    expect([...labelsOf(network)]).toEqual([1, 0, 4]);
  });
});

describe('the networks of the bench', () => {
  // torchvision’s counts; of the lecture’s cells, counted by hand for these sizes
  const parameters: Record<NetName, number> = {
    lectureAlexnet: 200_671_336,
    vggLike: 104_773_928,
    alexnet: 61_100_840,
    vgg16: 138_357_544,
    resnet18: 11_689_512,
    resnet50: 25_557_032,
    inceptionV3: 23_834_568,
    mobilenetV2: 3_504_872,
  };
  it.each(Object.keys(nets) as NetName[])('%s is spelled with all of its parameters', async (net) => {
    const { network, cells, model } = await modelOf({ net, batch: 2, pass: 'train' });
    expect(network.parameters.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)).toBe(
      parameters[net],
    );
    expect(new Set(cells)).toEqual(new Set(model.parameters()));
    expect(network.layers.at(-1)?.shape).toEqual([2, 1000]);
  });
});
