/**
 * From a model of ours to the list of its layers, by a forward pass of shapes. Layers with weights are found by hooks, what is
 * between them by the ops that their values came through; what the list has no word for throws.
 */
import { BatchNorm1d, BatchNorm2d, Conv2d, Linear, type Module } from '@tessera/nn';
import { isTensor, meta, type Node, type State, type Tensor } from '@tessera/tensor';
import { product, type Shape } from '../work.ts';
import type { Doing, Layer, Network, Pair, Parameter } from './layers.ts';

export interface Spelled {
  readonly network: Network;
  /** The model's cells, in the order of the network's parameters. */
  readonly cells: readonly State[];
}

/** Layers that have weights. */
const weighted = [Conv2d, Linear, BatchNorm1d, BatchNorm2d] as const;
type Weighted = InstanceType<(typeof weighted)[number]>;

/** @throws TypeError for a layer or an op that has no word in `Doing`. */
export function spell(model: Module, images: Shape): Spelled {
  const calls = new Map<Node, { readonly layer: Weighted; readonly x: Tensor }>();
  const hooks = model.namedModules().flatMap(([, module]) =>
    weighted.some((kind) => module instanceof kind)
      ? (module as unknown as Module).registerForwardHook(([x], y) => {
          calls.set(y.node, { layer: module as unknown as Weighted, x });
        })
      : [],
  );
  const training = model.training;
  const x = meta(images);
  const y = model.eval().forward(x); // training, batch norms would remember statistics of a shape
  model.train(training);
  for (const off of hooks) off();

  const layers: Layer[] = [];
  const parameters: Parameter[] = [];
  const cells: State[] = [];
  const places = new Map<Node, number>([[x.node, 0]]);

  const cell = (state: State | null, scale: number, offset = 0): number | null => {
    if (!state) return null;
    const known = cells.indexOf(state);
    if (known >= 0) return known;
    parameters.push({ shape: state.shape as Shape, scale, offset });
    return cells.push(state) - 1;
  };
  const affine = (layer: Weighted) => {
    if (!layer.weight) throw new TypeError('bench: a batch norm without weight');
    const isNorm = layer instanceof BatchNorm1d || layer instanceof BatchNorm2d;
    const fanIn = product((layer.weight.shape as Shape).slice(1));
    // He's deviation √(2/fanIn), of numbers whose own is √(1/12)
    const weight = isNorm ? cell(layer.weight, 0.5, 1) : cell(layer.weight, Math.sqrt(24 / fanIn));
    return { weight, bias: cell(layer.bias, 0.2) };
  };

  const place = (tensor: Tensor): number => {
    const known = places.get(tensor.node);
    if (known !== undefined) return known;
    const call = calls.get(tensor.node);
    const [doing, sources] = call
      ? ([{ ...describe(call.layer), ...affine(call.layer) } as Doing, [call.x]] as const)
      : between(tensor);
    const from = sources.map(place);
    const made = doing ? layers.push({ ...doing, from, shape: tensor.shape as Shape }) : (from[0] as number);
    places.set(tensor.node, made);
    return made;
  };
  if (!isTensor(y) || place(y) !== layers.length)
    throw new TypeError('bench: the network gives no value of its last layer');
  return { network: { images, layers, parameters, sgd: { lr: 0.01, momentum: 0.9 } }, cells };
}

/** A layer with weights, without them. */
function describe(layer: Weighted): object {
  if (layer instanceof Linear) return { kind: 'linear' };
  if (!(layer instanceof Conv2d)) return { kind: 'batchNorm', eps: layer.eps };
  const { stride, padding, dilation, groups, paddingMode } = layer.options;
  if (typeof padding === 'string' || paddingMode !== 'zeros' || pair(dilation).some((step) => step !== 1))
    throw new TypeError(`bench: a convolution with padding ${padding}, ${paddingMode}, dilation ${dilation}`);
  return { kind: 'conv', stride: pair(stride), padding: pair(padding), groups };
}
const pair = (sizes: number | readonly number[]): Pair =>
  typeof sizes === 'number' ? [sizes, sizes] : (sizes as unknown as Pair);

/** What made a value that no layer with weights made, and of which values; null: it is its source as it was. */
function between(tensor: Tensor): readonly [doing: Doing | null, sources: readonly Tensor[]] {
  const { op, inputs, attributes } = tensor.node;
  const [source] = inputs as [Tensor];
  switch (op?.opName) {
    case 'relu':
      return [{ kind: 'relu', most: null }, inputs];
    case 'hardtanh':
      if (attributes['min'] !== 0) break;
      return [{ kind: 'relu', most: attributes['max'] as number }, inputs];
    case 'add':
      return [{ kind: 'add' }, inputs];
    case 'cat':
      if (attributes['axis'] !== 1) break;
      return [{ kind: 'cat' }, inputs];
    case 'reshape':
      if (source.node.op?.opName === 'maxPool' || source.node.op?.opName === 'avgPool') return pool(source.node);
      if (tensor.rank === 2) return [{ kind: 'flatten' }, inputs];
  }
  throw new TypeError(`bench: no layer is known for ${op?.opName} → [${tensor.shape}]`);
}

/** Pools run over planes [N·C,H,W], between two reshapes. */
function pool({ op, inputs, attributes }: Node): readonly [Doing | null, readonly Tensor[]] {
  const {
    kernel,
    stride,
    padding,
    input,
    output,
    dilation,
    countIncludePad = true,
  } = attributes as Record<string, unknown>;
  const windows = { kernel, stride, padding } as { kernel: Pair; stride: Pair; padding: Pair };
  const [h, w] = windows.kernel;
  const sources = (inputs[0] as Tensor).node.inputs;
  if (h * w === 1 && String(input) === String(output)) return [null, sources];
  const padded = windows.padding.some((zeros) => zeros > 0);
  const inside = (input as Pair).map((size, i) => {
    const [taps, step, zeros] = [windows.kernel[i], windows.stride[i], windows.padding[i]] as [number, number, number];
    return ((output as Pair)[i] as number) === Math.floor((size + 2 * zeros - taps) / step) + 1;
  });
  if (String(dilation) !== '1,1' || inside.includes(false) || (padded && !countIncludePad))
    throw new TypeError(
      `bench: a pool with dilation ${dilation}, windows over the edge, or padding that is not counted`,
    );
  const covers = !padded && String(output) === '1,1';
  return [{ kind: op?.opName as 'maxPool' | 'avgPool', covers, ...windows }, sources];
}
