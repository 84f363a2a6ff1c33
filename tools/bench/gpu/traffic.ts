/**
 * Bytes that a step moves, and the least that its op graph lets it move. The bound: each convolution, product, pool and each of their
 * gradients reads its operands once and writes once; state is read and written once; element-wise work is free, being part of what
 * stands before or behind it; a reduction, and so a norm, reads its input once, the gradient of a norm its input and its cotangent.
 * A gradient of weights that never reaches memory, its update being the end of its kernel, stays below it. Bytes are those that a GPU
 * stores: a bool is a word there. Operands are counted once a kernel, as if caches kept what tiles read again.
 */
import type { DType, Kernel } from '@tessera/tensor/backend';
import type { Explanation } from '@tessera/tensor/inspect';
import { bytesRead } from '../../../packages/backend-webgpu/src/kernels/bytes-read.ts';
import type { Target } from '../../../packages/backend-webgpu/src/shader.ts';
import { bytesOf } from '../../../packages/backend-webgpu/src/stored.ts';
import { product } from '../work.ts';

/** What a kernel reads and writes: each operand once, but a reduction reads what each of its passes over a row loads (kernels/reduce.ts). */
export function bytesMoved(kernel: Kernel, target: Target): number {
  const sizes = (operands: Kernel['inputs']) => operands.map(({ dtype, size }) => size * bytesOf[dtype]);
  const [read, written] = [sizes(kernel.inputs), sizes(kernel.outputs)];
  const sum = (bytes: readonly number[]) => bytes.reduce((a, b) => a + b, 0);
  return (kernel.kind === 'reduce' ? bytesRead(kernel, target) : sum(read)) + sum(written);
}

export const bytesOfStep = ({ program }: Explanation, target: Target): number =>
  program.steps.reduce((sum, { kernel }) => sum + bytesMoved(kernel, target), 0);

/** Work that is heavy by itself. */
const heavy: readonly string[] = ['matmul', 'conv', 'pool', 'scatter', 'sort', 'scan'];

export function leastBytes({ graph, program }: Explanation): number {
  const bytes = ({ shape, dtype }: { shape: readonly number[]; dtype: DType }) => product(shape) * bytesOf[dtype];
  const places = (shape: readonly number[], axes: readonly number[]) => `${shape}|${[...axes].sort()}`;
  const norms = new Map<string, number>();
  const sums = new Map<string, Set<unknown>>();
  let least = 0;
  for (const { lowering, inputs, outputs, node } of graph.items) {
    if (!lowering) continue;
    const operands = inputs.map(({ item, output }) => bytes(item.outputs[output] as (typeof outputs)[number]));
    if (heavy.includes(lowering.kind)) {
      least += [...operands, ...outputs.map(bytes)].reduce((a, b) => a + b, 0);
    } else if (lowering.kind === 'reduce') {
      const key = places(lowering.shape, lowering.axes);
      if (node.op?.opName === 'standardize') {
        norms.set(key, (norms.get(key) ?? 0) + 1);
        least += Math.max(...operands);
      } else {
        const read = sums.get(key) ?? new Set();
        sums.set(key, read.add(inputs[0]?.item));
      }
    }
  }
  for (const [key, read] of sums) {
    const elements = product((key.split('|')[0] as string).split(',').map(Number));
    const times = norms.has(key) ? 2 * (norms.get(key) as number) : read.size;
    least += 4 * elements * times;
  }
  for (const { dtype, size, leaf } of program.results) if (leaf !== null) least += 2 * size * bytesOf[dtype];
  return least;
}
