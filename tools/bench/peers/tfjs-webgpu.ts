/** TensorFlow.js on its WebGPU backend, in a page: the works of the race, as it runs them best. NHWC. */
import '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { inputsOf, numbers, product, type Work } from '../work.ts';
import { cannot, type Ready } from './ready.ts';
import { mnist } from './tfjs-mnist.ts';
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
