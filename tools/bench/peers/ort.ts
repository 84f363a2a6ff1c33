/**
 * ONNX Runtime on WebAssembly. A model a row, made here. Inputs are the model's constants and only one number comes out, so
 * that no copying between JavaScript and the runtime is measured; without optimization nothing is computed beforehand.
 */
import * as ort from 'onnxruntime-web';
import { imagesOf, type Network } from '../networks/layers.ts';
import { inputsOf, type Shape, type Work } from '../work.ts';
import { type Model, modelBytes } from './onnx.ts';
import { networkModel } from './onnx-network.ts';
import { cannot, type Ready } from './ready.ts';
import { serve } from './serve.ts';

const names = ['a', 'b', 'c'];
const noGradients = 'an inference runtime: it has no gradients';

/** The nodes that make y of the inputs a, b, c, and constants that they want. */
function nodesOf(work: Work): Pick<Model, 'nodes' | 'constants'> {
  switch (work.op) {
    case 'matmul':
      if (!work.form) return { nodes: [{ op: 'MatMul', inputs: ['a', 'b'] }] };
      if (work.a.length > 2) return cannot('Gemm, its product with transposed operands, takes no batch');
      return {
        nodes: [
          {
            op: 'Gemm',
            inputs: ['a', 'b'],
            attributes: { transA: +(work.form === 'tn'), transB: +(work.form === 'nt') },
          },
        ],
      };
    case 'conv': {
      const { direction, x, w, stride, padding, groups } = work;
      const attributes = { strides: [stride, stride], pads: Array<number>(4).fill(padding), group: groups };
      if (direction === 'forward') return { nodes: [{ op: 'Conv', inputs: ['a', 'b'], attributes }] };
      if (direction === 'weightGrad') return cannot(noGradients);
      // In x the gradient is a transposed convolution, which it has.
      const places = (axis: number) => x[axis] as number;
      const covered = (axis: number) =>
        Math.floor((places(axis) + 2 * padding - (w[axis] as number)) / stride) * stride +
        (w[axis] as number) -
        2 * padding;
      const output_padding = [2, 3].map((axis) => places(axis) - covered(axis));
      return { nodes: [{ op: 'ConvTranspose', inputs: ['a', 'b'], attributes: { ...attributes, output_padding } }] };
    }
    case 'softmax':
      return { nodes: [{ op: 'Softmax', inputs: ['a'], attributes: { axis: -1 } }] };
    case 'layerNorm':
      return { nodes: [{ op: 'LayerNormalization', inputs: ['a', 'b', 'c'], attributes: { axis: -1 } }] };
    case 'batchNorm':
      return {
        nodes: [
          {
            op: 'BatchNormalization',
            inputs: ['a', 'b', 'c', 'mean', 'variance'],
            outputs: ['y', 'newMean', 'newVariance'],
            attributes: { training_mode: 1 },
          },
        ],
        constants: {
          mean: { shape: work.x.slice(1, 2), value: 0 },
          variance: { shape: work.x.slice(1, 2), value: 1 },
        },
      };
    case 'sum':
      return { nodes: [{ op: 'ReduceSum', inputs: ['a'], attributes: { keepdims: 1 } }] };
    case 'transpose':
      return { nodes: [{ op: 'Transpose', inputs: ['a'], attributes: { perm: [1, 0] } }] };
    case 'chain': {
      const scalar = (value: number) => ({ shape: [] as Shape, value });
      return {
        nodes: [
          { op: 'Mul', inputs: ['a', 'p'], outputs: ['t1'] },
          { op: 'Add', inputs: ['t1', 'q'], outputs: ['t2'] },
          { op: 'Relu', inputs: ['t2'], outputs: ['t3'] },
          { op: 'Mul', inputs: ['t3', 'a'], outputs: ['t4'] },
          { op: 'Sub', inputs: ['t4', 'r'], outputs: ['t5'] },
          { op: 'Abs', inputs: ['t5'] },
        ],
        constants: { p: scalar(1.5), q: scalar(0.25), r: scalar(0.75) },
      };
    }
    case 'network':
    case 'mnist':
      return cannot(noGradients);
    default:
      return cannot(`${work.op} is no work of a peer`);
  }
}

ort.env.wasm.numThreads = Number(process.argv[2] ?? 1);

/** A network's images are an input, and the runtime may optimize what it can. */
async function inference(network: Network): Promise<Ready> {
  const session = await ort.InferenceSession.create(networkModel(network), {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
    extra: { session: { 'intra_op.allow_spinning': '0' } },
  });
  const feeds = { images: new ort.Tensor('float32', imagesOf(network), network.images) };
  const run = async () => (await session.run(feeds))['logits']?.data ?? cannot('the model gave no logits');
  return {
    first: [...(await run()).slice(0, 8)],
    run: async () => {
      await run();
    },
    dispose: () => session.release(),
  };
}

await serve(ort.env.versions.web ?? '', async (work) => {
  if (work.op === 'network' && work.pass === 'forward' && work.network) return inference(work.network);
  const inputs = inputsOf(work).map((shape, seed) => ({ name: names[seed] as string, shape, seed }));
  const model = modelBytes({ inputs, ...nodesOf(work) });
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled',
    extra: { session: { 'intra_op.allow_spinning': '0' } },
  });
  const first = (await session.run({}))['first']?.data[0] ?? null;
  return {
    first,
    run: async () => {
      await session.run({});
    },
    dispose: () => session.release(),
  };
});
