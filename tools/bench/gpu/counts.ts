/**
 * What is counted of steps on a GPU without a GPU (counting-device.ts), fixed before it is counted; less is better. A goal that is
 * lost stays in the table, with its cause in causes.ts.
 */
import type { Backend } from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import type { Target } from '../../../packages/backend-webgpu/src/shader.ts';
import { type Creations, total } from './counting-device.ts';
import { type Prepared, prepareOptimizer, prepareStep, type StepWork } from './steps.ts';
import { bytesOfStep, leastBytes } from './traffic.ts';

export interface StepCounts {
  readonly kernels: number;
  /** Encoded by a later step, with those that only some kernels need: split sums, sorting. */
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  /** Kernels that do nothing but update state. */
  readonly updates: number;
  /** Buffers, bind groups, pipelines, modules and layouts that the second step made. */
  readonly objects: number;
  /** Milliseconds of a step's call, in which everything is encoded: the least of many, for nothing else had the processor then. */
  readonly encode: number;
  /** Bytes moved over the least that the op graph allows. */
  readonly traffic: number;
}

export type Subject = StepWork | { readonly optimizer: 'SGD' | 'AdamW'; readonly net: 'resnet50' };
export interface Count {
  readonly name: string;
  readonly unit: 'kernels' | 'dispatches' | 'objects' | 'ms' | '×';
  readonly of: Subject;
  readonly number: keyof StepCounts;
  readonly atMost: number;
}

const inference: Subject = { net: 'resnet50', pass: 'forward', batch: 1 };
const resnet50: Subject = { net: 'resnet50', pass: 'train', batch: 32 };
const mixed: Subject = { ...resnet50, mixed: true };
const alexnet: Subject = { net: 'alexnet', pass: 'train', batch: 128 };
const mnist: Subject = { net: 'mnist', pass: 'train', batch: 128 };
const kernels = (name: string, of: Subject, atMost: number): Count => ({
  name: `${name}: kernels`,
  unit: 'kernels',
  of,
  number: 'kernels',
  atMost,
});
const objects = (name: string, of: Subject): Count => ({
  name: `${name}: objects made by the second step`,
  unit: 'objects',
  of,
  number: 'objects',
  atMost: 0,
});
const traffic = (name: string, of: Subject): Count => ({
  name: `${name}: bytes over the op graph’s bound`,
  unit: '×',
  of,
  number: 'traffic',
  atMost: 1.3,
});

export const counts: readonly Count[] = [
  kernels('ResNet-50 inference', inference, 60),
  kernels('ResNet-50 step', resnet50, 330),
  kernels('ResNet-50 mixed step', mixed, 330),
  kernels('AlexNet step', alexnet, 60),
  kernels('MNIST step', mnist, 32),
  objects('ResNet-50 inference', inference),
  objects('ResNet-50 step', resnet50),
  objects('ResNet-50 mixed step', mixed),
  objects('AlexNet step', alexnet),
  objects('MNIST step', mnist),
  { name: 'ResNet-50 step: submits', unit: 'dispatches', of: resnet50, number: 'submits', atMost: 1 },
  { name: 'ResNet-50 step: compute passes', unit: 'dispatches', of: resnet50, number: 'passes', atMost: 1 },
  { name: 'ResNet-50 step: encoding, our own code', unit: 'ms', of: resnet50, number: 'encode', atMost: 6 },
  traffic('ResNet-50 step', resnet50),
  traffic('ResNet-50 mixed step', mixed),
  traffic('AlexNet step', alexnet),
  traffic('MNIST step', mnist),
  { name: 'ResNet-50 step: kernels that only update', unit: 'kernels', of: resnet50, number: 'updates', atMost: 4 },
  ...(['SGD', 'AdamW'] as const).map((optimizer): Count => {
    const of = { optimizer, net: 'resnet50' } as const;
    return { name: `${optimizer} of ResNet-50: dispatches`, unit: 'dispatches', of, number: 'dispatches', atMost: 4 };
  }),
];

/**
 * What encoding takes with the API's own part of it, and what the second step makes, on the device that is there: arithmetic is small
 * (32², two images), kernels are as many. With a GPU beside it the processor is to take half as long.
 */
export const encoding = (emulated: boolean): readonly Count[] => {
  const of: Subject = { net: 'resnet50', pass: 'train', batch: 2, size: 32 };
  const name = 'ResNet-50 step, 32², on this device';
  return [
    { name: `${name}: encoding`, unit: 'ms', of, number: 'encode', atMost: emulated ? 6 : 3 },
    { name: `${name}: objects made by the second step`, unit: 'objects', of, number: 'objects', atMost: 0 },
  ];
};

/** A device whose creations and commands are counted, under a backend that is the chosen one. */
export interface Counted {
  readonly backend: Backend;
  readonly made: Creations;
  /** What its shaders are written for. */
  readonly target: Target;
  readonly encoded: { readonly dispatches: number; readonly passes: number; readonly submits: number };
}

/** @param times steps that are looked at, behind the first two */
export async function countStep(
  subject: Subject,
  { backend, made, encoded, target }: Counted,
  times = 20,
): Promise<StepCounts> {
  const prepared = await ('optimizer' in subject
    ? prepareOptimizer(subject.net, subject.optimizer)
    : prepareStep(subject));
  const { step } = prepared;
  // Reading the loss is the user's; what it takes is made with the first one.
  await once(prepared, backend);
  const before = total(made);
  await once(prepared, backend);
  const objects = total(made) - before;
  const seen = { ...encoded };
  const calls: number[] = [];
  for (let i = 0; i < times; i++) calls.push(await once(prepared, backend));
  const each = (name: keyof typeof seen) => (encoded[name] - seen[name]) / calls.length;
  const [program] = programsOf(step as never);
  if (!program) throw new TypeError('bench: the step has no program');
  const { steps, results, leaves, slots } = program.program;
  const state = new Set(results.flatMap(({ leaf }, i) => (leaf === null ? [] : [leaf, leaves + slots.length + i])));
  const updates = steps.filter(
    ({ kernel, outputs }) => kernel.kind === 'map' && outputs.every((output) => state.has(output)),
  );
  return {
    kernels: steps.length,
    dispatches: each('dispatches'),
    passes: each('passes'),
    submits: each('submits'),
    updates: updates.length,
    objects,
    encode: Math.min(...calls),
    traffic: bytesOfStep(program, target) / leastBytes(program),
  };
}

/** Milliseconds of the call. */
async function once({ step, inputs }: Prepared, backend: Backend): Promise<number> {
  const start = performance.now();
  const made = step(...inputs);
  const ms = performance.now() - start;
  await backend.sync();
  made?.dispose();
  return ms;
}
