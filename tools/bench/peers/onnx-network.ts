/** A network as an ONNX model: images → logits. */
import { type Layer, type Network, valuesOf } from '../networks/layers.ts';
import { encode, type Node } from './onnx.ts';
import { cannot } from './ready.ts';

export function networkModel(network: Network): Uint8Array {
  const { layers, parameters, images } = network;
  const name = (value: number) => (value === 0 ? 'images' : value === layers.length ? 'logits' : `v${value}`);
  return encode({
    nodes: layers.map((layer, i) => {
      const { op, inputs = [], attributes = {} } = nodeOf(layer);
      return { op, inputs: [...layer.from.map(name), ...inputs], outputs: [name(i + 1)], attributes };
    }),
    constants: [
      ...parameters.map((each, i) => ({ name: `p${i}`, dims: each.shape, data: valuesOf(each, i) })),
      ...[...new Set(layers.map(mostOf))].flatMap((most) =>
        most === null ? [] : [{ name: `c${most}`, dims: [], data: Float32Array.of(most) }],
      ),
      { name: 'c0', dims: [], data: Float32Array.of(0) },
    ],
    input: { name: 'images', dims: images },
    output: 'logits',
  });
}
const mostOf = (layer: Layer): number | null => (layer.kind === 'relu' ? layer.most : null);

/** The op, and what it takes behind its layer's sources. */
function nodeOf(layer: Layer): Pick<Node, 'op' | 'attributes'> & Partial<Pick<Node, 'inputs'>> {
  switch (layer.kind) {
    case 'conv': {
      const { stride, padding, groups } = layer;
      const attributes = { strides: stride, pads: [...padding, ...padding], group: groups };
      return { op: 'Conv', inputs: affine(layer), attributes };
    }
    case 'linear':
      return { op: 'Gemm', inputs: affine(layer), attributes: { transB: 1 } };
    case 'relu':
      return layer.most === null ? { op: 'Relu' } : { op: 'Clip', inputs: ['c0', `c${layer.most}`] };
    case 'maxPool':
    case 'avgPool': {
      const max = layer.kind === 'maxPool';
      if (layer.covers) return { op: max ? 'GlobalMaxPool' : 'GlobalAveragePool' };
      const { kernel, stride, padding } = layer;
      const attributes = { kernel_shape: kernel, strides: stride, pads: [...padding, ...padding] };
      return max
        ? { op: 'MaxPool', attributes }
        : { op: 'AveragePool', attributes: { ...attributes, count_include_pad: 1 } };
    }
    case 'add':
      return { op: 'Add' };
    case 'cat':
      return { op: 'Concat', attributes: { axis: 1 } };
    case 'flatten':
      return { op: 'Flatten', attributes: { axis: 1 } };
    case 'batchNorm':
      return cannot('an inference runtime: batch norms are folded before');
    default:
      return layer satisfies never;
  }
}
const affine = ({ weight, bias }: { weight: number; bias: number | null }): string[] =>
  bias === null ? [`p${weight}`] : [`p${weight}`, `p${bias}`];
