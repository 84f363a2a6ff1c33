/** TensorFlow.js on its WebAssembly backend. NHWC; no threads in Node; it has no kernel for a convolution's weight gradient. */
import { createRequire } from 'node:module';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { inputsOf, numbers, product, type Work } from '../work.ts';
import { cannot } from './ready.ts';
import { serve } from './serve.ts';
import { networkOf } from './tfjs-network.ts';

type Tensor = tf.Tensor;

/** NCHW → NHWC, and [O,I,R,S] → [R,S,I,O]. */
const channelsLast = (x: Tensor) => tf.transpose(x, [0, 2, 3, 1]);
const filter = (w: Tensor) => tf.transpose(w, [2, 3, 1, 0]);

/** Inputs laid out as the library wants them, made once, and what is done with them. */
function stepOf(work: Work): { arrange?: (inputs: Tensor[]) => Tensor[]; step: (...inputs: Tensor[]) => Tensor } {
  switch (work.op) {
    case 'matmul':
      return { step: (a, b) => tf.matMul(a as Tensor, b as Tensor, work.form === 'tn', work.form === 'nt') };
    case 'conv': {
      const { direction, x, stride, padding, groups } = work;
      if (direction === 'weightGrad') cannot('its WebAssembly backend has no kernel for the gradient of weights');
      if (groups > 1) {
        if (direction !== 'forward')
          cannot('its WebAssembly backend has no kernel for gradients of depthwise convolution');
        const depthwise = (w: Tensor) => tf.transpose(w, [2, 3, 0, 1]);
        return {
          arrange: ([a, b]) => [channelsLast(a as Tensor), depthwise(b as Tensor)],
          step: (a, b) => tf.depthwiseConv2d(a as Tensor, b as Tensor, stride, 'same'),
        };
      }
      const arrange = ([a, b]: Tensor[]) => [channelsLast(a as Tensor), filter(b as Tensor)];
      if (direction === 'forward')
        return { arrange, step: (a, b) => tf.conv2d(a as Tensor, b as Tensor, stride, padding) };
      const [n, c, h, w] = x as [number, number, number, number];
      return { arrange, step: (g, b) => tf.conv2dTranspose(g as Tensor, b as Tensor, [n, h, w, c], stride, padding) };
    }
    case 'softmax':
      return { step: (x) => tf.softmax(x as Tensor) };
    case 'layerNorm':
      return {
        step: (x, weight, bias) => {
          const { mean, variance } = tf.moments(x as Tensor, [1], true);
          const scaled = tf.mul(tf.sub(x as Tensor, mean), tf.rsqrt(tf.add(variance, 1e-5)));
          return tf.add(tf.mul(scaled, weight as Tensor), bias as Tensor);
        },
      };
    case 'batchNorm':
      return {
        arrange: ([x, weight, bias]) => [channelsLast(x as Tensor), weight as Tensor, bias as Tensor],
        step: (x, weight, bias) => {
          const { mean, variance } = tf.moments(x as Tensor, [0, 1, 2], false);
          return tf.batchNorm(x as Tensor, mean, variance, bias as Tensor, weight as Tensor, 1e-5);
        },
      };
    case 'sum':
      return { step: (x) => tf.sum(x as Tensor) };
    case 'transpose':
      return { step: (x) => tf.transpose(x as Tensor) };
    case 'chain':
      return {
        step: (x) => tf.abs(tf.sub(tf.mul(tf.relu(tf.add(tf.mul(x as Tensor, 1.5), 0.25)), x as Tensor), 0.75)),
      };
    case 'network':
    case 'mnist':
      return cannot('cannot train convolutions: its WebAssembly backend has no kernel for the gradient of weights');
    default:
      return cannot(`${work.op} is no work of a peer`);
  }
}

setWasmPaths(
  createRequire(import.meta.url)
    .resolve('@tensorflow/tfjs-backend-wasm/package.json')
    .replace(/package\.json$/, 'dist/'),
);
await tf.setBackend('wasm');
await tf.ready();

await serve(tf.version_core, async (work) => {
  if (work.op === 'network' && work.pass === 'forward' && work.network) return networkOf(work.network);
  const { arrange, step } = stepOf(work);
  const given = inputsOf(work).map((shape, seed) => tf.tensor(numbers(product(shape), seed), shape));
  const inputs = arrange ? arrange(given) : given;
  if (arrange) for (const tensor of given) if (!inputs.includes(tensor)) tensor.dispose();
  const once = () => tf.tidy(() => step(...inputs));
  const answer = once();
  const first = (await answer.data())[0] ?? null;
  answer.dispose();
  return {
    first,
    run: () => once().dispose(),
    dispose: () => {
      for (const tensor of inputs) tensor.dispose();
    },
  };
});
