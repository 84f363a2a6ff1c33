/** How long each kernel of a training step takes. */

import type { Backend } from '@tessera/tensor';
import { costOf, domainOf, onKernel } from '@tessera/tensor/inspect';
import type { Training } from './training';

export interface KernelTime {
  /** Kind and sizes. */
  readonly name: string;
  /** How often a step runs it. */
  readonly count: number;
  readonly milliseconds: number;
  /** 10⁹ floating-point operations a second. */
  readonly gflops: number;
}

/**
 * Times the kernels over some more training steps, slowest first. They change the model: call it when everything is saved.
 */
export async function kernelTimes(training: Training, backend: Backend, steps = 8): Promise<KernelTime[]> {
  if (!backend.onKernel) return [];
  const found = new Map<string, { runs: number; milliseconds: number; flops: number }>();
  let done = 0;
  const run = async () => {
    for await (const { image, label } of training.loader) {
      await training.step(image, label).loss.item();
      if (++done % steps === 0) break;
    }
  };
  await run();
  const stop = onKernel(({ kernel, milliseconds }) => {
    const name = domainOf(kernel);
    const entry = found.get(name) ?? { runs: 0, milliseconds: 0, flops: costOf(kernel).flops };
    found.set(name, { ...entry, runs: entry.runs + 1, milliseconds: entry.milliseconds + milliseconds });
  }, backend);
  try {
    done = 0;
    await run();
    await backend.sync();
  } finally {
    stop();
  }
  return [...found]
    .map(([name, { runs, milliseconds, flops }]) => ({
      name,
      count: Math.round(runs / done),
      milliseconds: milliseconds / done,
      gflops: (flops * runs) / milliseconds / 1e6,
    }))
    .sort((a, b) => b.milliseconds - a.milliseconds);
}
