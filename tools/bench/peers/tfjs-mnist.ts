/** The main job's training step in TensorFlow.js, whatever its backend. NHWC. */
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import * as tf from '@tensorflow/tfjs-core';
import { numbers, product } from '../work.ts';
import type { Ready } from './ready.ts';

type Tensor = tf.Tensor;

/** The main job's network, by its own gradients, and AdamW as it has it: Adam, and the decay by hand. */
export async function mnist(batch: number): Promise<Ready> {
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
