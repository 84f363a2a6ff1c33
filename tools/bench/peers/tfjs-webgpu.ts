/** TensorFlow.js on its WebGPU backend, in a page: the works of the race, as it runs them best. NHWC. */
import '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import * as tf from '@tensorflow/tfjs-core';
import { inputsOf, numbers, product, type Work } from '../work.ts';
import { cannot, type Ready } from './ready.ts';
import { networkOf } from './tfjs-network.ts';

type Tensor = tf.Tensor;

export async function startTfjs(): Promise<string> {
  await tf.setBackend('webgpu');
  await tf.ready();
  return tf.version_core;
}

/** Everything that was queued is through. It gathers commands, and computes small tensors on the processor. */
async function settle(): Promise<void> {
  const backend = tf.backend();
  if (backend.commandEncoder) {
    backend.endComputePassEncoder();
    backend.submitQueue();
  }
  await backend.queue.onSubmittedWorkDone();
}

export async function prepareTfjs(work: Work): Promise<Ready & { settle(): Promise<void> }> {
  if (work.op === 'mnist') return { ...(await mnist(work.batch)), settle };
  if (work.op === 'network' && work.pass === 'forward' && work.network)
    return { ...(await networkOf(work.network)), settle };
  if (work.op !== 'matmul') return cannot(`${work.op} is no work of the race`);
  const inputs = inputsOf(work).map((shape, seed) => tf.tensor(numbers(product(shape), seed), shape));
  const once = () => tf.matMul(inputs[0] as Tensor, inputs[1] as Tensor);
  const answer = once();
  const first = (await answer.data())[0] ?? null;
  answer.dispose();
  return {
    first,
    settle,
    run: () => once().dispose(),
    dispose: () => {
      for (const tensor of inputs) tensor.dispose();
    },
  };
}

/** The main job's network, by its own gradients, and AdamW as it has it: Adam, and the decay by hand. */
async function mnist(batch: number): Promise<Ready> {
  const shapes = [
    ...[[5, 5, 1, 16], [16], [16], [16]],
    ...[[3, 3, 16, 32], [32], [32], [32]],
    ...[[3, 3, 32, 64], [64], [64], [64]],
    ...[[3136, 10], [10]],
  ];
  const parameters = shapes.map((shape, i) => tf.variable(tf.tensor(numbers(product(shape), i), shape)));
  const images = tf.tensor(numbers(batch * 784, 0), [batch, 28, 28, 1]);
  const labels = tf.oneHot(
    tf.tensor(
      Int32Array.from({ length: batch }, (_, i) => i % 10),
      [batch],
      'int32',
    ),
    10,
  );
  const at = (i: number) => parameters[i] as Tensor;
  const block = (x: Tensor, i: number) => {
    const y = tf.add(tf.conv2d(x, at(i), 1, 'same'), at(i + 1));
    const { mean, variance } = tf.moments(y, [0, 1, 2], false);
    return tf.relu(tf.batchNorm(y, mean, variance, at(i + 3), at(i + 2), 1e-5));
  };
  const pool = (x: Tensor) => tf.maxPool(x, [2, 2], [2, 2], 'valid');
  const loss = () => {
    const h = block(pool(block(pool(block(images, 0)), 4)), 8);
    const logits = tf.add(tf.matMul(tf.reshape(h, [batch, 3136]), at(12)), at(13));
    return tf.losses.softmaxCrossEntropy(labels, logits);
  };
  const optimizer = tf.train.adam(0.001);
  const run = () => {
    optimizer.minimize(loss, false);
    tf.tidy(() => {
      for (const parameter of parameters) parameter.assign(tf.mul(parameter, 1 - 0.001 * 0.01));
    });
  };
  run();
  return {
    first: null,
    run,
    dispose: () => {
      for (const tensor of [...parameters, images, labels]) tensor.dispose();
      optimizer.dispose();
    },
  };
}
