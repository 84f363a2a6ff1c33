/**
 * Keras' Inception v3 as tfjs has it (a layers model: JSON, and shards of weights) → torchvision's keys, for
 * `inceptionV3({ variant: 'keras', … })`. Keras numbers layers in the order in which the network was written down, which is that
 * of torchvision's fields; sizes, strides and constants of every layer are compared before anything is taken.
 */
import type { BatchNorm2d, Conv2d } from '@tessera/nn';
import { LoadError, permute, type Tensor, tensor, transpose, zeros } from '@tessera/tensor';
import { type InceptionOptions, inceptionV3 } from '@tessera/zoo/inception';

/** What is used of a `model.json`. */
export interface LayersModel {
  readonly modelTopology: { readonly model_config: { readonly config: { readonly layers: readonly Layer[] } } };
  readonly weightsManifest: readonly { readonly paths: readonly string[]; readonly weights: readonly Weight[] }[];
}
interface Layer {
  readonly class_name: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inbound_nodes: readonly (readonly (readonly unknown[])[])[];
}
interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: { readonly min: number; readonly scale: number; readonly dtype: string };
}

export interface Converted {
  /** By torchvision's keys. */
  readonly tensors: Map<string, Tensor>;
  /** What `inceptionV3` takes to be the network of these weights. */
  readonly options: InceptionOptions;
}

/** @throws LoadError where it is not that network, or its weights are stored in a way that is not known. */
export function convert(model: LayersModel, shards: readonly Uint8Array[]): Converted {
  const weights = weightsOf(model, shards);
  const { layers } = model.modelTopology.model_config.config;
  const dense = layers.filter((layer) => layer.class_name === 'Dense');
  const widths = dense.map((layer) => layer.config['units'] as number);
  const options: InceptionOptions = {
    variant: 'keras',
    auxLogits: false,
    numClasses: widths.at(-1) ?? 0,
    hidden: widths.slice(0, -1),
  };
  const network = inceptionV3(options);
  const tensors = new Map<string, Tensor>();
  const take = (layer: Layer, name: string): Tensor => {
    const found = weights.get(`${layer.name}/${name}`);
    if (!found) throw new LoadError(`convert: ${layer.name} has no ${name}; is the file whole?`);
    return found();
  };

  const convs = layers.filter((layer) => layer.class_name === 'Conv2D').sort((a, b) => numberOf(a) - numberOf(b));
  const ours = network
    .namedModules()
    .filter((entry): entry is [string, { conv: Conv2d; bn: BatchNorm2d } & (typeof entry)[1]] => 'conv' in entry[1]);
  if (convs.length !== ours.length)
    throw new LoadError(`convert: ${convs.length} convolutions, wants the ${ours.length} of Inception v3`);
  for (const [i, conv] of convs.entries()) {
    const [path, { conv: own, bn }] = ours[i] as (typeof ours)[number];
    const norm = layers.find((layer) => layer.class_name === 'BatchNormalization' && inputOf(layer) === conv.name);
    if (!norm) throw new LoadError(`convert: nothing normalises ${conv.name}; is it Inception v3?`);
    const { stride } = own.options;
    same(conv, 'strides', typeof stride === 'number' ? [stride, stride] : stride);
    same(conv, 'use_bias', false);
    same(norm, 'epsilon', bn.eps);
    const weight = permute(take(conv, 'kernel'), [3, 2, 0, 1]);
    if (String(weight.shape) !== String(own.weight.shape))
      throw new LoadError(`convert: ${conv.name} has weight [${weight.shape}], ${path} wants [${own.weight.shape}]`);
    const channels = weight.shape[0] as number;
    tensors.set(`${path}.conv.weight`, weight);
    tensors.set(`${path}.bn.weight`, norm.config['scale'] ? take(norm, 'gamma') : tensor(ones(channels)));
    tensors.set(`${path}.bn.bias`, norm.config['center'] ? take(norm, 'beta') : zeros([channels]));
    tensors.set(`${path}.bn.running_mean`, take(norm, 'moving_mean'));
    tensors.set(`${path}.bn.running_var`, take(norm, 'moving_variance'));
    tensors.set(`${path}.bn.num_batches_tracked`, tensor(0, { dtype: 'int32' }));
  }
  for (const [i, layer] of dense.entries()) {
    same(layer, 'activation', i < dense.length - 1 ? 'relu' : 'softmax');
    const path = dense.length > 1 ? `fc.${3 * i}` : 'fc';
    tensors.set(`${path}.weight`, transpose(take(layer, 'kernel'), 0, 1));
    tensors.set(`${path}.bias`, take(layer, 'bias'));
  }
  return { tensors, options };
}

const ones = (length: number) => new Float32Array(length).fill(1);
const numberOf = (layer: Layer): number => Number(layer.name.split('_').pop());
const inputOf = (layer: Layer): unknown => layer.inbound_nodes[0]?.[0]?.[0];

function same(layer: Layer, field: string, wanted: unknown): void {
  const saw = JSON.stringify(layer.config[field]);
  if (saw !== JSON.stringify(wanted))
    throw new LoadError(
      `convert: ${layer.name} has ${field} ${saw}, wants ${JSON.stringify(wanted)}; is it Inception v3?`,
    );
}

/** All weights by name, read when asked for. Whole numbers stand for min + scale·q where they are quantised. */
function weightsOf({ weightsManifest }: LayersModel, shards: readonly Uint8Array[]): Map<string, () => Tensor> {
  const bytes = new Uint8Array(Buffer.concat(shards));
  const found = new Map<string, () => Tensor>();
  let place = 0;
  for (const { name, shape, dtype, quantization } of weightsManifest.flatMap(({ weights }) => weights)) {
    const size = shape.reduce((product, length) => product * length, 1);
    const stored = quantization?.dtype ?? dtype;
    const typed = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array }[stored];
    if (!typed || dtype !== 'float32')
      throw new LoadError(
        `convert: ${name} is ${dtype} stored as ${stored}; wants float32 as it is, in uint8 or in uint16`,
      );
    const [begin, end] = [place, place + size * typed.BYTES_PER_ELEMENT];
    if (end > bytes.length) throw new LoadError(`convert: the weights end in ${name}; is a shard missing?`);
    place = end;
    found.set(name, () => {
      const read = new typed(bytes.slice(begin, end).buffer);
      const { min, scale } = quantization ?? { min: 0, scale: 1 };
      const data = new Float32Array(size);
      for (let i = 0; i < size; i++) data[i] = (read[i] as number) * scale + min;
      return tensor(data, { shape });
    });
  }
  if (place !== bytes.length)
    throw new LoadError(
      `convert: ${bytes.length - place} bytes follow the weights; do the shards belong to this model?`,
    );
  return found;
}
