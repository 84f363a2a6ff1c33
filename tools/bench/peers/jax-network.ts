/** A network in jax-js, op by op: under `jit` its convolutions miss the tiled matrix product (jax.ts). */
import type * as Jax from '@jax-js/jax';
import {
  flopsOf,
  imagesOf,
  itemAt,
  type Layer,
  labelsOf,
  type Network,
  type Pair,
  usesOf,
  valuesOf,
} from '../networks/layers.ts';
import type { Pass } from '../networks/nets.ts';
import { cannot, type Ready } from './ready.ts';

type Array1 = Jax.Array;

/** What its convolutions reach here in FLOP/s, measured with ResNet-18; what would take more seconds a run is left out. */
const rate = 0.6e9;
const patience = 8;

export async function networkOf(jax: typeof Jax, network: Network, pass: Pass): Promise<Ready> {
  const { numpy: np, nn, valueAndGrad, blockUntilReady } = jax;
  const { sgd } = network;
  const seconds = (flopsOf(network) * (pass === 'train' ? 3 : 1)) / rate;
  if (seconds > patience) cannot(`left out: at its 0.6 GFLOP/s a run takes about ${Math.round(seconds)} s`);
  const images = np.array(imagesOf(network)).reshape(network.images);
  let parameters = network.parameters.map((each, i) => np.array(valuesOf(each, i)).reshape(each.shape));
  const forward = (given: readonly Array1[]): Array1 => runLayers(jax, network, given, images.ref);
  if (pass === 'forward') {
    const once = () => forward(parameters);
    return {
      first: [...(await once().data())].slice(0, 8),
      run: async () => (await blockUntilReady(once())).dispose(),
      dispose: () => free([images, ...parameters]),
    };
  }

  const labels = np.array(labelsOf(network));
  const [classes, batch] = [network.layers.at(-1)?.shape[1] as number, network.images[0] as number];
  const loss = (given: Array1[]): Array1 => {
    const logits = forward(given);
    free(given);
    const picked = nn.logSoftmax(logits, -1).mul(nn.oneHot(labels.ref, classes));
    return picked.sum().mul(-1 / batch);
  };
  let moments: Array1[] | null = null;
  const step = async (): Promise<Array1> => {
    const [value, slopes] = valueAndGrad(loss)(parameters.map((each) => each.ref));
    const before = moments;
    moments = slopes.map((slope, i) => (before ? itemAt(before, i).mul(sgd.momentum).add(slope) : slope));
    parameters = parameters.map((each, i) => each.sub(itemAt(moments as Array1[], i).ref.mul(sgd.lr)));
    await blockUntilReady([...parameters, ...moments]);
    return value;
  };
  const read = async () => (await (await step()).data())[0] as number;
  const before = await read();
  return {
    first: [before, before - (await read())],
    run: async () => (await step()).dispose(),
    dispose: () => free([images, labels, ...parameters, ...(moments ?? [])]),
  };
}

const free = (arrays: readonly Array1[]) => {
  for (const each of arrays) each.dispose();
};

/** A function takes over what it is handed: a value's last reader gets it, those before it a reference. Parameters stay. */
function runLayers(jax: typeof Jax, network: Network, parameters: readonly Array1[], images: Array1): Array1 {
  const left = usesOf(network);
  const values = [images];
  const take = (value: number): Array1 => {
    left[value] = (left[value] as number) - 1;
    return left[value] ? itemAt(values, value).ref : itemAt(values, value);
  };
  for (const layer of network.layers) values.push(apply(jax, layer, layer.from.map(take), parameters));
  return take(network.layers.length);
}

function apply(
  { numpy: np, lax, nn }: typeof Jax,
  layer: Layer,
  sources: Array1[],
  parameters: readonly Array1[],
): Array1 {
  const [x] = sources as [Array1];
  const at = (place: number) => itemAt(parameters, place).ref;
  const channel = (place: number) => at(place).reshape([1, -1, ...layer.shape.slice(2).map(() => 1)]);
  const withBias = (y: Array1, bias: number | null) => (bias === null ? y : y.add(channel(bias)));
  switch (layer.kind) {
    case 'conv': {
      const { stride, padding, groups } = layer;
      const around = padding.map((zeros) => [zeros, zeros]);
      return withBias(
        lax.convGeneralDilated(x, at(layer.weight), stride, around, { featureGroupCount: groups }),
        layer.bias,
      );
    }
    case 'linear':
      return withBias(np.matmul(x, np.matrixTranspose(at(layer.weight))), layer.bias);
    case 'batchNorm': {
      const axes = layer.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
      const scaled = nn.standardize(x, axes, { epsilon: layer.eps }).mul(channel(layer.weight));
      return withBias(scaled, layer.bias);
    }
    case 'relu':
      return layer.most === null ? nn.relu(x) : np.clip(x, 0, layer.most);
    case 'maxPool':
      // what stands before these pools is not below 0, so that the padding's zeros never win wrongly
      return lax.reduceWindow(padded(np, x, layer.padding), np.max, [1, 1, ...layer.kernel], [1, 1, ...layer.stride]);
    case 'avgPool':
      if (layer.covers) return x.mean([2, 3], { keepdims: true });
      return lax.reduceWindow(padded(np, x, layer.padding), np.mean, [1, 1, ...layer.kernel], [1, 1, ...layer.stride]);
    case 'add':
      return x.add(sources[1] as Array1);
    case 'cat':
      return np.concatenate(sources, 1);
    case 'flatten':
      return x.reshape(layer.shape);
    default:
      return layer satisfies never;
  }
}

function padded(np: typeof Jax.numpy, x: Array1, [h, w]: Pair): Array1 {
  if (h + w === 0) return x;
  return np.pad(x, [
    [0, 0],
    [0, 0],
    [h, h],
    [w, w],
  ]);
}
