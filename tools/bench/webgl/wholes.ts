/** Rows of more than a kernel: steps, networks, what comes before the first result, and the way to the device and back. */
import { MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import * as tf from '@tensorflow/tfjs-core';
import { webgl } from '@tessera/backend-webgl';
import { fuse, type Module } from '@tessera/nn';
import { getBackend, manualSeed, mul, setBackend, tensor } from '@tessera/tensor';
import { prepareStep } from '../gpu/steps.ts';
import { fill, inferenceOf, inputsOf, modelOf, prepareNetwork } from '../networks/ours.ts';
import { type Spelled, spell } from '../networks/spell.ts';
import { mnist } from '../peers/tfjs-mnist.ts';
import { networkOf } from '../peers/tfjs-network.ts';
import { mnistNet } from '../tessera.ts';
import { numbers } from '../work.ts';
import type { Row, Run } from './row.ts';

/** A training step, or a network of the zoo. */
const step: Row = {
  name: 'MNIST training step, batch 16',
  goal: 0.4,
  long: true,
  ours: async () => {
    const { step, inputs } = await prepareStep({ net: 'mnist', pass: 'train', batch: 16 });
    return () => step(...inputs)?.dispose();
  },
  theirs: async () => (await mnist(16)).run as Run,
};

const forward = (size: number, pace: Pick<Row, 'slow'> = {}): Row => ({
  name: `ResNet-18 forward, ${size}², batch 1`,
  goal: 0.6,
  long: true,
  ...pace,
  ours: async () => {
    const { step, inputs } = await prepareNetwork({ net: 'resnet18', batch: 1, pass: 'forward', size });
    return () => step(...inputs).dispose();
  },
  theirs: async () => {
    const { network } = await modelOf({ net: 'resnet18', batch: 1, pass: 'forward', size });
    return (await networkOf(network)).run as Run;
  },
});

/** A backend of its own for each of theirs, too. */
let made = 0;
async function onNewTfjs(work: () => Promise<unknown>): Promise<void> {
  const before = tf.getBackend();
  const name = `webgl-${made++}`;
  tf.registerBackend(name, () => new MathBackendWebGL(new OffscreenCanvas(1, 1)));
  tf.copyRegisteredKernels('webgl', name);
  await tf.setBackend(name);
  try {
    await work();
  } finally {
    await tf.setBackend(before);
    tf.removeBackend(name);
  }
}

/** The MNIST network for inference, batch norms folded, and its layers. */
async function mnistOf(batch: number): Promise<Spelled & { readonly model: Module }> {
  const shape = [batch, 1, 28, 28];
  const model = fuse(await mnistNet(), shape);
  return { model, ...spell(model, shape) };
}

/**
 * From weights in memory to the first answer, on a new device and with another batch each turn: none of its programs was made
 * before, so none is in a cache of the browser.
 */
const first: Row = {
  name: 'first inference, MNIST network',
  goal: 0.7,
  long: true,
  fresh: true,
  ours: () => async (turn) => {
    const before = getBackend();
    const backend = await webgl();
    setBackend(backend);
    manualSeed(0); // its state lives on a backend too
    const { model, ...spelled } = await mnistOf(turn + 1);
    fill(spelled);
    await inferenceOf(model)(...inputsOf(spelled.network, 'forward')).data();
    setBackend(before);
    manualSeed(0);
    backend.dispose();
  },
  theirs: () => async (turn) => {
    const { network } = await mnistOf(turn + 1);
    await onNewTfjs(async () => (await networkOf(network)).dispose());
  },
};

/** An operation between: what is only handed over never leaves their memory. */
const transfer: Row = {
  name: 'upload, one op and readback of 4M',
  goal: 0.3,
  long: true,
  fresh: true,
  ours: () => {
    const data = numbers(4 * 2 ** 20, 1);
    return async () => {
      const x = tensor(data);
      const y = mul(x, 2);
      await y.data();
      x.dispose();
      y.dispose();
    };
  },
  theirs: () => {
    const data = numbers(4 * 2 ** 20, 1);
    return async () => {
      const x = tf.tensor(data, [data.length]);
      const y = tf.mul(x, 2);
      await y.data();
      x.dispose();
      y.dispose();
    };
  },
};

export const wholes: readonly Row[] = [step, forward(64), forward(224, { slow: true }), transfer, first];
