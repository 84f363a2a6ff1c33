/** Kernels for tests: builders of their parts, and `run`, which makes buffers, submits and reads the outputs. */
import * as e from '../src/expr';
import type { Compute, DType, Expr, Kernel, Store, View } from '../src/ir';
import { reference } from '../src/reference';
import { contiguous, sizeOf } from '../src/view';

type Distributed<K> = K extends Kernel ? Omit<K, 'inputs' | 'outputs' | 'uniforms' | 'aliases'> : never;
export interface Column {
  readonly dtype: DType;
  readonly data: readonly number[];
}

export const floats = (...data: number[]): Column => ({ dtype: 'float32', data });
export const ints = (...data: number[]): Column => ({ dtype: 'int32', data });
export const load = (
  input: number,
  shape: readonly number[],
  dtype: Compute = 'float32',
  more: Partial<View> = {},
): Expr => ({
  op: 'load',
  dtype,
  input,
  view: { ...contiguous(shape), ...more },
  at: null,
});
export const store = (output: number, shape: readonly number[], expr: Expr): Store => ({
  output,
  view: contiguous(shape),
  expr,
});
export const acc = (index: number, dtype: Compute = 'float32'): Expr => e.acc(index, dtype);
const hostArray = (dtype: DType) =>
  dtype === 'int32' ? Int32Array : dtype.startsWith('float') ? Float64Array : Uint8Array;

/** Runs one kernel; outputs are as large as the reach of their stores, of the dtype asked for or of the expression. */
export async function run(
  own: Distributed<Kernel>,
  inputs: readonly Column[],
  { backend = reference({ dtype: 'float64' }), uniforms = [] as number[], dtypes = [] as DType[] } = {},
): Promise<number[][]> {
  const stores: readonly Store[] = own.kind === 'map' ? own.parts.flatMap((part) => part.stores) : own.stores;
  const count = Math.max(...stores.map(({ output }) => output)) + 1;
  const outputs = Array.from({ length: count }, (_, output) => {
    const { expr, view } = stores.find((store) => store.output === output)!;
    return { dtype: dtypes[output] ?? (expr.dtype as DType), size: sizeOf(view.shape) };
  });
  const operands = inputs.map(({ dtype, data }) => ({ dtype, size: data.length }));
  const kernel = {
    ...own,
    inputs: operands,
    outputs,
    uniforms: uniforms.map(() => 'float32'),
    aliases: outputs.map(() => -1),
  } as Kernel;
  const buffers = [...operands, ...outputs].map(({ dtype, size }) => backend.allocate(dtype, size));
  for (const [i, { dtype, data }] of inputs.entries()) backend.upload(buffers[i]!, dtype, hostArray(dtype).from(data));
  const step = {
    executable: backend.compile(kernel),
    inputs: inputs.map((_, i) => i),
    outputs: outputs.map((_, i) => inputs.length + i),
    uniforms: uniforms.map((_, i) => i),
  };
  backend.submit({ steps: [step] }, buffers, uniforms);
  const read = ({ dtype, size }: { dtype: DType; size: number }, i: number) =>
    backend.download(buffers[inputs.length + i]!, dtype, size);
  return (await Promise.all(outputs.map(read))).map((array) => [...array]);
}
