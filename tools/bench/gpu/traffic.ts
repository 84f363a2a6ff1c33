/**
 * Bytes that a step moves, and the least that its op graph lets it move. The bound: each convolution, product, pool and each of their
 * gradients reads its operands once and writes once; state is read and written once; element-wise work is free, being part of what
 * stands before or behind it; a reduction, and so a norm, reads its input once, the gradient of a norm its input and its cotangent.
 * A gradient of weights that never reaches memory, its update being the end of its kernel, stays below it.
 */
import { type Expr, elementBytes, type Kernel } from '@tessera/tensor/backend';
import type { Explanation } from '@tessera/tensor/inspect';
import { product } from '../work.ts';

/** Elements of a row that a workgroup can keep, so that it reads them once in all stages: 32 kB. */
const keptRow = 8192;

/** What a kernel reads and writes; a reduction whose rows no workgroup can keep reads them again in each stage. */
export function bytesMoved(kernel: Kernel): number {
  const sizes = (operands: Kernel['inputs']) => operands.map(({ dtype, size }) => size * elementBytes[dtype]);
  const [read, written] = [sizes(kernel.inputs), sizes(kernel.outputs)];
  const sum = (bytes: readonly number[]) => bytes.reduce((a, b) => a + b, 0);
  if (kernel.kind !== 'reduce' || product(kernel.axes.map((axis) => kernel.shape[axis] as number)) <= keptRow)
    return sum(read) + sum(written);
  const passes = [
    ...kernel.stages.map((stage) => stage.map(({ expr }) => expr)),
    kernel.stores.filter(({ per }) => per === 'element').map(({ expr }) => expr),
    kernel.stores.filter(({ per }) => per === 'row').map(({ expr }) => expr),
  ];
  return sum(passes.map((exprs) => sum([...loaded(exprs)].map((input) => read[input] as number)))) + sum(written);
}

/** Inputs that expressions load, shared ones once. */
function loaded(exprs: readonly Expr[]): Set<number> {
  const found = new Set<number>();
  const seen = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (seen.has(expr)) return;
    seen.add(expr);
    if (expr.op === 'load') {
      found.add(expr.input);
      for (const at of expr.at ?? []) visit(at);
    }
    if (expr.op === 'apply') for (const arg of expr.args) visit(arg);
  };
  for (const expr of exprs) visit(expr);
  return found;
}

export const bytesOfStep = ({ program }: Explanation): number =>
  program.steps.reduce((sum, { kernel }) => sum + bytesMoved(kernel), 0);

/** Work that is heavy by itself. */
const heavy: readonly string[] = ['matmul', 'conv', 'pool', 'scatter', 'sort', 'scan'];

export function leastBytes({ graph, program }: Explanation): number {
  const bytesOf = ({ shape, dtype }: { shape: readonly number[]; dtype: keyof typeof elementBytes }) =>
    product(shape) * elementBytes[dtype];
  const places = (shape: readonly number[], axes: readonly number[]) => `${shape}|${[...axes].sort()}`;
  const norms = new Map<string, number>();
  const sums = new Map<string, Set<unknown>>();
  let least = 0;
  for (const { lowering, inputs, outputs, node } of graph.items) {
    if (!lowering) continue;
    const operands = inputs.map(({ item, output }) => bytesOf(item.outputs[output] as (typeof outputs)[number]));
    if (heavy.includes(lowering.kind)) {
      least += [...operands, ...outputs.map(bytesOf)].reduce((a, b) => a + b, 0);
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
  for (const { dtype, size, leaf } of program.results) if (leaf !== null) least += 2 * size * elementBytes[dtype];
  return least;
}
