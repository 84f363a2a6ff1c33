/**
 * A network in TensorFlow.js as it runs best: channels last throughout, a ReLU fused into the convolution or product before it,
 * and the weights of the layer behind `flatten` in the order that channels last gives.
 */
import * as tf from '@tensorflow/tfjs-core';
import { imagesOf, itemAt, type Layer, type Network, type Pair, usesOf, valuesOf } from '../networks/layers.ts';
import type { Shape } from '../work.ts';
import { cannot, type Ready } from './ready.ts';

type Tensor = tf.Tensor;
type Step = (...sources: Tensor[]) => Tensor;
type Activation = 'linear' | 'relu' | 'relu6';
type Relu = Extract<Layer, { kind: 'relu' }>;

export async function networkOf(network: Network): Promise<Ready> {
  const { layers, images } = network;
  const uses = usesOf(network);
  const kept: Tensor[] = [];
  const keep = (make: () => Tensor): Tensor => {
    const made = tf.tidy(make);
    kept.push(made);
    return made;
  };
  const input = keep(() => tf.transpose(tf.tensor(imagesOf(network), images), [0, 2, 3, 1]));
  const shapeOf = (value: number): Shape => (value === 0 ? images : itemAt(layers, value - 1).shape);

  /** The ReLU that alone reads what layer i makes: it becomes part of it. */
  const reluBehind = (i: number): Relu | undefined => {
    const next = layers.find(({ from }) => from.includes(i + 1));
    return uses[i + 1] === 1 && next?.kind === 'relu' ? next : undefined;
  };
  const steps = layers.map((layer, i): Step => {
    const parameter = (place: number, arrange: (x: Tensor) => Tensor): Tensor =>
      keep(() => {
        const { shape } = itemAt(network.parameters, place);
        return arrange(tf.tensor(valuesOf(itemAt(network.parameters, place), place), shape));
      });
    const biasOf = (bias: number | null) => (bias === null ? undefined : parameter(bias, (x) => tf.reshape(x, [-1])));
    switch (layer.kind) {
      case 'conv': {
        const { stride, groups } = layer;
        const bias = biasOf(layer.bias);
        const options = { strides: stride, pad: around(layer.padding), bias, activation: activationOf(reluBehind(i)) };
        const [, c] = shapeOf(itemAt(layer.from, 0));
        if (groups === 1) {
          const filter = parameter(layer.weight, (w) => tf.transpose(w, [2, 3, 1, 0]));
          return (x) => tf.fused.conv2d({ x: x as Tensor, filter, ...options });
        }
        if (groups !== c) return cannot('it has convolutions in one group, or a group for each channel');
        const filter = parameter(layer.weight, (w) => tf.transpose(w, [2, 3, 0, 1]));
        return (x) => tf.fused.depthwiseConv2d({ x: x as Tensor, filter, ...options });
      }
      case 'linear': {
        const before = layers[itemAt(layer.from, 0) - 1];
        const map = before?.kind === 'flatten' ? shapeOf(itemAt(before.from, 0)).slice(1) : null;
        const b = parameter(layer.weight, (w) => {
          const columns = map ? tf.reshape(tf.transpose(tf.reshape(w, [-1, ...map]), [0, 2, 3, 1]), w.shape) : w;
          return tf.transpose(columns, [1, 0]);
        });
        const bias = biasOf(layer.bias);
        const activation = activationOf(reluBehind(i));
        return (a) => tf.fused.matMul({ a: a as Tensor, b, bias, activation });
      }
      case 'relu': {
        const before = itemAt(layer.from, 0) - 1;
        const kind = layers[before]?.kind;
        if ((kind === 'conv' || kind === 'linear') && reluBehind(before) === layer) return (x) => x as Tensor;
        return activationOf(layer) === 'relu' ? (x) => tf.relu(x as Tensor) : (x) => tf.relu6(x as Tensor);
      }
      case 'maxPool':
        return (x) => tf.maxPool(x as Tensor, layer.kernel, layer.stride, around(layer.padding));
      case 'avgPool':
        if (layer.covers) return (x) => tf.mean(x as Tensor, [1, 2], true);
        // its own padding is not counted
        return (x) => tf.avgPool(tf.pad(x as Tensor, around(layer.padding)), layer.kernel, layer.stride, 'valid');
      case 'add':
        return (a, b) => tf.add(a as Tensor, b as Tensor);
      case 'cat':
        return (...maps) => tf.concat(maps, 3);
      case 'flatten': {
        const behind = layers.filter(({ from }) => from.includes(i + 1));
        if (behind.some(({ kind }) => kind !== 'linear')) return cannot('what is flattened goes to a linear layer');
        return (x) => tf.reshape(x as Tensor, layer.shape);
      }
      case 'batchNorm':
        return cannot('its WebAssembly backend has no kernel for the gradient of weights');
      default:
        return layer satisfies never;
    }
  });

  const last = layers.map((_, value) => layers.findLastIndex(({ from }) => from.includes(value)));
  const once = (): Tensor => {
    const values: (Tensor | undefined)[] = [input];
    const mine = new Map<Tensor, number>(); // how many values a tensor stands for
    for (const [i, step] of steps.entries()) {
      const sources = itemAt(layers, i).from.map((value) => itemAt(values, value));
      const made = step(...sources);
      mine.set(made, (mine.get(made) ?? 0) + 1);
      values[i + 1] = made;
      for (const value of new Set(itemAt(layers, i).from)) {
        if (last[value] !== i || value === 0) continue;
        const tensor = itemAt(values, value);
        const left = (mine.get(tensor) as number) - 1;
        mine.set(tensor, left);
        if (left === 0) tensor.dispose();
        values[value] = undefined;
      }
    }
    return itemAt(values, steps.length);
  };
  const logits = once();
  const first = [...(await logits.data())].slice(0, 8);
  logits.dispose();
  return {
    first,
    run: () => once().dispose(),
    dispose: () => {
      for (const tensor of kept) tensor.dispose();
    },
  };
}

/** [height, width] on both sides, of [N,H,W,C]. */
const around = ([h, w]: Pair): [number, number][] => [
  [0, 0],
  [h, h],
  [w, w],
  [0, 0],
];

function activationOf(relu: Relu | undefined): Activation {
  if (!relu) return 'linear';
  if (relu.most === null) return 'relu';
  return relu.most === 6 ? 'relu6' : cannot(`it has no ReLU up to ${relu.most}`);
}
