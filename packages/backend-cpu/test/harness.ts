/** Runs generated kernels without workers: one memory, the phases in order, chunks in any order. */
import type { Kernel, Load, View } from '@tessera/tensor/backend';
import type { CpuKernel } from '../src/assembler';
import { fillLowPage, lowPage } from '../src/protocol';

export type Data = Float32Array | Int32Array | Uint8Array;

export interface Prepared {
  /** Runs all phases once. */
  run(): void;
  readonly outputs: readonly Data[];
}

const arrays = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array, float16: Uint8Array };

/** What outputs hold before a kernel runs, as the suite of kernels has it. */
const untouched = 93;

/** Lays the kernel's buffers out in a memory of its own. Scratch starts as NaN. */
export function prepare(
  kernel: Kernel,
  made: CpuKernel,
  inputs: readonly Data[],
  uniforms: readonly number[] = [],
): Prepared {
  const words = kernel.inputs.length + kernel.outputs.length + 2 + kernel.uniforms.length;
  let end: number = lowPage.end;
  const place = (bytes: number) => {
    const at = end;
    end += 64 * Math.ceil((bytes + 64) / 64);
    return at;
  };
  const sizes = [...kernel.inputs, ...kernel.outputs].map(({ dtype, size }) => size * arrays[dtype].BYTES_PER_ELEMENT);
  const args = place(4 * words);
  const addresses = [...sizes, made.sharedScratch, made.threadScratch].map(place);
  const memory = new WebAssembly.Memory({ initial: Math.ceil(end / 65536) + 1 });
  new Uint8Array(memory.buffer).fill(0xff);
  fillLowPage(memory);
  const argWords = new Int32Array(memory.buffer, args, words);
  argWords.set(addresses);
  const firstUniform = addresses.length;
  kernel.uniforms.forEach((dtype, i) => {
    if (dtype === 'float32') new Float32Array(memory.buffer, args)[firstUniform + i] = uniforms[i] as number;
    else argWords[firstUniform + i] = uniforms[i] as number;
  });
  const view = (dtype: keyof typeof arrays, i: number, size: number): Data =>
    new arrays[dtype](memory.buffer, addresses[i] as number, size);
  for (const [i, { dtype, size }] of kernel.inputs.entries()) view(dtype, i, size).set(inputs[i] as Data);
  const outputs = kernel.outputs.map(({ dtype, size }, i) => view(dtype, kernel.inputs.length + i, size));
  outputs.forEach((output, i) => {
    const alias = kernel.aliases[i] ?? -1;
    if (alias >= 0) output.set(inputs[alias] as Data);
    else output.fill(kernel.outputs[i]?.dtype === 'bool' ? 1 : untouched);
  });
  const module = new WebAssembly.Module(made.bytes as Uint8Array<ArrayBuffer>);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const phases = made.phases.map(({ name, chunks }) => {
    const f = exports[name] as (args: number, lo: number, hi: number) => void;
    // uneven shares, the last first, as workers might take them
    const half = Math.floor(chunks / 2);
    return () => {
      if (chunks > half) f(args, half, chunks);
      if (half > 0) f(args, 0, half);
    };
  });
  return {
    run: () => {
      for (const phase of phases) phase();
    },
    outputs,
  };
}

/** Numbers in (−1, 1) by a seed. */
export function numbers(size: number, seed = 1): Float32Array {
  let state = seed * 2654435761 + 1;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** The largest error in units of 2⁻²⁴·√K·Σ|aₖbₖ|; the tolerance is 3. NaN counts as infinite. */
export function worstError(actual: Data, expected: Float64Array, scale: Float64Array, k: number): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] as number) - (expected[i] as number));
    const unit = 2 ** -24 * Math.sqrt(k) * (scale[i] as number) || 2 ** -149;
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error / unit);
  }
  return worst;
}

/** A float32 load of kernel input `input`. */
export const load = (input: number, view: View): Load => ({ op: 'load', dtype: 'float32', input, view, at: null });
