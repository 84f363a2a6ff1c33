/** matmul and conv against the reference interpreter: the suite's own cases, and random kernels with any views and stores. */

import type { Kernel } from '@tessera/tensor/backend';
import { compareKernelCase, type KernelCase, kernelCases, randomKernel } from '@tessera/testkit';
import { describe, expect, it } from 'vitest';
import { features } from '../src/assembler';
import { conv, toleranceFactor } from '../src/kernels/conv';
import { matmul } from '../src/kernels/matmul';
import { type Data, prepare } from './harness';

const target = { relaxed: features().relaxed, shared: false };

const factor = (kernel: Kernel) => (kernel.kind === 'conv' ? toleranceFactor(kernel) : 1);

function isProduct({ kernel }: KernelCase): boolean {
  if (kernel.kind !== 'matmul' && kernel.kind !== 'conv') return false;
  const plain = kernel.a.op === 'load' && kernel.b.op === 'load';
  return plain && ![...kernel.inputs, ...kernel.outputs].some(({ dtype }) => dtype === 'float16');
}

async function check(test: KernelCase) {
  const { kernel } = test;
  if (kernel.kind !== 'matmul' && kernel.kind !== 'conv') throw new Error('no product');
  const made = kernel.kind === 'matmul' ? matmul(kernel, target) : conv(kernel, target);
  const prepared = prepare(kernel, made, test.inputs as readonly Data[], test.uniforms);
  prepared.run();
  expect(await compareKernelCase(test, prepared.outputs, { factor })).toEqual([]);
}

describe('products agree with the reference', () => {
  it.each(kernelCases.filter(isProduct))('$title', check);
  it.each(
    Array.from({ length: 1500 }, (_, seed) => seed)
      .map((seed) => randomKernel(seed))
      .filter(isProduct),
  )('$title', check);
});
