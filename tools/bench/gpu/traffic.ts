/**
 * Bytes that a step moves, and the least that its op graph lets it move. The bound: each convolution, product, pool and each of their
 * gradients reads its operands once and writes once; state is read and written once; element-wise work is free, being part of what
 * stands before or behind it; a reduction, and so a norm, reads its input once, the gradient of a norm its input and its cotangent.
 * A norm reads what its input or cotangent is made of element by element where those are fewer bytes: a float16 map in mixed
 * precision, but for cotangents at the ends of blocks, which are sums. A gradient of weights that never reaches memory, its update being the end of its kernel, stays below it. Bytes are those that a GPU
 * stores: a bool is a word there. Operands are counted once a kernel, as if caches kept what tiles read again.
 */
import type { Kernel } from '@tessera/tensor/backend';
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

type Value = Explanation['graph']['items'][number]['outputs'][number];
const bytes = ({ shape, dtype }: Pick<Value, 'shape' | 'dtype'>): number => product(shape) * bytesOf[dtype];

/** What is read to have a value: itself, or, where those are fewer bytes, what it is made of element by element; `there` is free. */
function sourcesOf(value: Value, there: ReadonlySet<Value>, known = new Map<Value, Set<Value>>()): Set<Value> {
  let found = known.get(value);
  if (!found) {
    const { item, output, shape } = value;
    const { lowering, inputs } = item;
    const isMade =
      lowering?.kind === 'map' ||
      lowering?.kind === 'view' ||
      (lowering?.kind === 'reduce' && lowering.outs[output]?.again !== undefined);
    const from = isMade ? inputs.filter((input) => product(input.shape) === product(shape)) : [];
    const made = new Set(from.flatMap((input) => [...sourcesOf(input, there, known)]));
    found = from.length && bytesBeside(made, there) < bytes(value) ? made : new Set([value]);
    known.set(value, found);
  }
  return found;
}
const bytesBeside = (values: Iterable<Value>, there: ReadonlySet<Value>): number =>
  [...values].reduce((sum, value) => sum + (there.has(value) ? 0 : bytes(value)), 0);

export function leastBytes({ graph, program }: Explanation): number {
  const places = (shape: readonly number[], axes: readonly number[]) => `${shape}|${[...axes].sort()}`;
  const norms = new Map<string, number>();
  const gradients = new Map<string, number>();
  const sums = new Map<string, Set<unknown>>();
  let least = 0;
  for (const { lowering, inputs, outputs, node } of graph.items) {
    if (!lowering) continue;
    if (heavy.includes(lowering.kind)) {
      least += [...inputs, ...outputs].reduce((sum, value) => sum + bytes(value), 0);
    } else if (lowering.kind === 'reduce') {
      const key = places(lowering.shape, lowering.axes);
      if (node.op?.opName === 'standardize') {
        norms.set(key, (norms.get(key) ?? 0) + 1);
        least += bytesBeside(sourcesOf(inputs[0] as Value, new Set()), new Set());
      } else {
        const [cotangent, x] = inputs as [Value, Value];
        if (node.op?.opName === 'standardizeGrad') {
          const own = sourcesOf(x, new Set());
          const read = new Set([...own, ...sourcesOf(cotangent, own)]);
          gradients.set(key, (gradients.get(key) ?? 0) + bytesBeside(read, new Set()));
        }
        const read = sums.get(key) ?? new Set();
        sums.set(key, read.add(inputs[0]?.item));
      }
    }
  }
  for (const [key, read] of sums) {
    const elements = product((key.split('|')[0] as string).split(',').map(Number));
    least += gradients.get(key) ?? 4 * elements * (norms.has(key) ? 2 * (norms.get(key) as number) : read.size);
  }
  for (const { dtype, size, leaf } of program.results) if (leaf !== null) least += 2 * size * bytesOf[dtype];
  return least;
}
