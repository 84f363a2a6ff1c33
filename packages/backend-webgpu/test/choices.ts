/** Kernels as one of their candidates makes them, on the emulated GPU. */
import type { Backend, Kernel } from '@tessera/tensor/backend';
import { type CompareOptions, compareKernelCase, type KernelCase, runKernelCase } from '@tessera/testkit';
import { expect } from 'vitest';
import { type Choice, candidates } from '../src/compile';
import { targetOf } from '../src/device';
import * as rare from '../src/kernels/rare';
import type { WebgpuBackend } from '../src/runtime';

/** Values of no pattern, within 2 of `about`. */
export const numbers = (size: number, seed: number, about = 0): Float32Array =>
  Float32Array.from({ length: size }, (_, i) => about + Math.sin(i * 1.7 + seed) + Math.cos(i * 0.31 * seed));

/** Expects of the kernel, made by this choice, what the float64 reference computes. */
export async function checkChoice(
  backend: WebgpuBackend,
  test: KernelCase,
  choice: Choice,
  options: CompareOptions = {},
): Promise<void> {
  const chosen = new Proxy<Backend>(backend, {
    get(_, name) {
      if (name === 'compile') return (kernel: Kernel) => backend.compile(kernel, choice);
      const value = Reflect.get(backend, name);
      return typeof value === 'function' ? value.bind(backend) : value;
    },
  });
  const outputs = await runKernelCase(chosen, test);
  expect(await compareKernelCase(test, outputs, { accuracy: 'shader', ...options })).toEqual([]);
}

/** The same of every way that a tuner may choose on the device, which are more than `least`; gives them. */
export async function checkEach(backend: WebgpuBackend, test: KernelCase, least = 2): Promise<readonly Choice[]> {
  const ways = candidates(test.kernel, { ...targetOf(backend.device), rare });
  expect(ways.length).toBeGreaterThan(least);
  for (const way of ways) await checkChoice(backend, test, way);
  return ways;
}
