/**
 * What is timed on a real GPU, fixed before it is timed: the work, and the most milliseconds that it may take on one H100. Each work
 * runs many times into the queue, then everything is waited for: the time of the device, with encoding beside it.
 */
import { type Backend, cast, compile, convolution, matmul, randn, realize, type Tensor } from '@tessera/tensor';
import { median } from '../measure.ts';
import type { Shape } from '../work.ts';
import { prepareStep, type StepWork } from './steps.ts';

export type FigureWork =
  | { readonly op: 'matmul'; readonly size: number; readonly half?: true }
  | { readonly op: 'conv'; readonly x: Shape; readonly w: Shape; readonly padding: number }
  | (StepWork & { readonly op: 'step' });

export interface Figure {
  readonly name: string;
  readonly work: FigureWork;
  /** Milliseconds. */
  readonly atMost: number;
  /** What others took there, as text. */
  readonly beside: string;
}

const train = (net: StepWork['net'], batch: number, mixed?: true): FigureWork => ({
  op: 'step',
  net,
  pass: 'train',
  batch,
  ...(mixed && { mixed }),
});
const forward = (net: StepWork['net'], batch: number): FigureWork => ({ op: 'step', net, pass: 'forward', batch });

export const figures: readonly Figure[] = [
  { name: 'matmul 4096, f32', work: { op: 'matmul', size: 4096 }, atMost: 3, beside: 'torch 2.68, tfjs 6.20' },
  { name: 'matmul 4096, f16 → f32', work: { op: 'matmul', size: 4096, half: true }, atMost: 0.9, beside: '–' },
  {
    name: 'conv 3×3 64, 56², batch 32',
    work: { op: 'conv', x: [32, 64, 56, 56], w: [64, 64, 3, 3], padding: 1 },
    atMost: 0.25,
    beside: 'torch 0.244, tfjs 0.576',
  },
  {
    name: 'AlexNet training step, batch 128',
    work: train('alexnet', 128),
    atMost: 14,
    beside: 'torch 11.96, tfjs 347',
  },
  { name: 'VGG-16 training step, batch 32', work: train('vgg16', 32), atMost: 65, beside: 'torch 58.4' },
  { name: 'ResNet-50 forward, batch 1', work: forward('resnet50', 1), atMost: 2.5, beside: 'torch 2.98, ORT 7.05' },
  { name: 'ResNet-50 forward, batch 32', work: forward('resnet50', 32), atMost: 12, beside: 'torch 11.5, ORT 39.5' },
  {
    name: 'ResNet-50 training step, batch 32',
    work: train('resnet50', 32),
    atMost: 45,
    beside: 'torch 39.6, tfjs 974',
  },
  {
    name: 'ResNet-50 training step, batch 32, mixed',
    work: train('resnet50', 32, true),
    atMost: 22,
    beside: 'torch TF32 21.5',
  },
  { name: 'Inception v3 forward, batch 1', work: forward('inceptionV3', 1), atMost: 6, beside: 'torch 9.3, ORT 10.1' },
  { name: 'Inception v3 training step, batch 32', work: train('inceptionV3', 32), atMost: 60, beside: 'torch 60.3' },
];

/** The same works, tiny, for trying the programs where arithmetic is slow. */
export const tinyFigures: readonly Figure[] = [
  { name: 'matmul 64, f32', work: { op: 'matmul', size: 64 }, atMost: 1000, beside: '–' },
  {
    name: 'conv 3×3 8, 8²',
    work: { op: 'conv', x: [1, 8, 8, 8], w: [8, 8, 3, 3], padding: 1 },
    atMost: 1000,
    beside: '–',
  },
  { name: 'MNIST step, batch 2', work: train('mnist', 2), atMost: 10000, beside: '–' },
];

export interface Runnable {
  readonly call: () => Tensor | undefined;
  /** The call, whose result nobody reads. */
  readonly run: () => void;
  /** What it calls: compiled, so that its kernels can be looked at after the first run. */
  readonly step: (...inputs: never) => unknown;
}
export async function prepareFigure(work: FigureWork): Promise<Runnable> {
  if (work.op === 'step') {
    const { step, inputs } = await prepareStep(work);
    return runnable(step, inputs);
  }
  const shapes: Shape[] =
    work.op === 'matmul'
      ? [
          [work.size, work.size],
          [work.size, work.size],
        ]
      : [work.x, work.w];
  const half = work.op === 'matmul' && work.half;
  const inputs = shapes.map((shape) => (half ? cast(randn(shape), 'float16') : randn(shape)));
  await realize(...inputs);
  const f =
    work.op === 'matmul'
      ? (a: Tensor, b: Tensor) => (half ? cast(matmul(a, b), 'float32') : matmul(a, b))
      : (x: Tensor, w: Tensor) =>
          convolution(x, w, {
            direction: 'forward',
            size: work.x.slice(2),
            stride: [1, 1],
            padding: [work.padding, work.padding],
            dilation: [1, 1],
            groups: 1,
          });
  return runnable(compile(f) as Parameters<typeof runnable>[0], inputs);
}

function runnable(step: (...inputs: Tensor[]) => Tensor | undefined, inputs: readonly Tensor[]): Runnable {
  const call = () => step(...inputs);
  return { call, run: () => call()?.dispose(), step };
}

export interface Timing {
  /** Of one run; of many, the median of rounds. */
  readonly milliseconds: number;
  /** Of one run's call alone, in which it is encoded. */
  readonly encode: number;
  /** Of the first run: tracing, scheduling, and the making of pipelines. */
  readonly first: number;
  /** Of it, the call alone: tracing, scheduling and the writing of shaders, before the device is waited for. */
  readonly trace: number;
}

/** @param patience milliseconds for all rounds */
export async function timeRun(run: () => void, backend: Backend, patience = 4000): Promise<Timing> {
  const started = performance.now();
  run();
  const trace = performance.now() - started;
  await backend.sync();
  const first = performance.now() - started;
  const calls: number[] = [];
  const round = async (times: number): Promise<number> => {
    const start = performance.now();
    for (let i = 0; i < times; i++) {
      const call = performance.now();
      run();
      calls.push(performance.now() - call);
    }
    await backend.sync();
    return (performance.now() - start) / times;
  };
  await round(1); // buffers of the results that alternate
  const each = await round(2);
  calls.length = 0;
  const times = Math.max(1, Math.min(50, Math.round(100 / each)));
  const rounds: number[] = [];
  do rounds.push(await round(times));
  while (rounds.length < 9 && performance.now() - started < patience + first);
  return { milliseconds: median(rounds), encode: median(calls), first, trace };
}
