/**
 * The conformance suite of the kernel IR: what a backend passes before any op runs on it. Each case is one kernel with its
 * inputs; the answer comes from the float64 reference, and so does the tolerance: `bounds.ts` turns the kernel into the kernel
 * of its rounding errors, which the reference runs as well.
 */
import {
  type Backend,
  BackendError,
  type DeviceBuffer,
  type DType,
  type Kernel,
  type Limits,
  type TypedArray,
} from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import { slackOf } from './kernels/bounds';
import { handWrittenCases } from './kernels/by-hand/all';
import { describeContract } from './kernels/contract';
import { randomKernel } from './kernels/random/kernel';

export { randomKernel };

/** One kernel with all it needs to run. */
export interface KernelCase {
  readonly title: string;
  readonly kernel: Kernel;
  /** One array an input, as `upload` takes them. Values of float16 inputs are float16 numbers. */
  readonly inputs: readonly TypedArray[];
  readonly uniforms: readonly number[];
}

export const kernelCases: readonly KernelCase[] = /* @__PURE__ */ handWrittenCases();

/** What outputs hold before a kernel runs: elements that no store names must still hold it afterwards. */
const untouched = 93;

/** What every backend binds in one kernel: an update of a parameter with two moments, in and out. */
const fewestBuffers = 6;

/**
 * Why a backend with these limits need not run the case, or null. These are the only skips there are: no float16, few buffers,
 * operands that are plain loads. Whatever else its limits leave out, it fails for.
 */
export function unsupported(limits: Limits, { kernel }: KernelCase): string | null {
  const operands = [...kernel.inputs, ...kernel.outputs];
  if (!limits.dtypes.includes('float16') && operands.some(({ dtype }) => dtype === 'float16')) return 'no float16';
  if (operands.length > Math.max(fewestBuffers, limits.maxBuffers)) return `more than ${limits.maxBuffers} buffers`;
  const product = kernel.kind === 'matmul' || kernel.kind === 'conv';
  if (product && !limits.operandExpressions && !(kernel.a.op === 'load' && kernel.b.op === 'load')) {
    return 'no expressions in operands';
  }
  return null;
}

/** An array that holds elements of a dtype exactly as `upload` takes them. */
export function hostArray(dtype: DType, size: number): TypedArray {
  if (dtype === 'int32') return new Int32Array(size);
  return dtype === 'float32' || dtype === 'float16' ? new Float32Array(size) : new Uint8Array(size);
}

/** Runs a case: uploads, compiles, submits a plan of one step, downloads all outputs, frees everything. */
export async function runKernelCase(backend: Backend, c: KernelCase): Promise<TypedArray[]> {
  // Without aliases, outputs that were to share an input's buffer get one of their own with the same contents.
  const aliases = backend.limits.inPlace ? c.kernel.aliases : c.kernel.aliases.map(() => -1);
  const kernel: Kernel = backend.limits.inPlace ? c.kernel : { ...c.kernel, aliases };
  const buffers: DeviceBuffer[] = [];
  const make = (dtype: DType, size: number, data: TypedArray) => {
    const buffer = backend.allocate(dtype, size);
    backend.upload(buffer, dtype, data);
    return buffers.push(buffer) - 1;
  };
  try {
    const inputs = kernel.inputs.map(({ dtype, size }, i) => make(dtype, size, c.inputs[i] as TypedArray));
    const outputs = kernel.outputs.map(({ dtype, size }, i) => {
      const shared = inputs[aliases[i] as number];
      if (shared !== undefined) return shared;
      const alias = c.inputs[c.kernel.aliases[i] as number];
      return make(dtype, size, alias ?? hostArray(dtype, size).fill(dtype === 'bool' ? 1 : untouched));
    });
    const step = { executable: backend.compile(kernel), inputs, outputs, uniforms: c.uniforms.map((_, i) => i) };
    backend.submit({ steps: [step] }, buffers, c.uniforms);
    return await Promise.all(
      kernel.outputs.map(({ dtype, size }, i) =>
        backend.download(buffers[outputs[i] as number] as DeviceBuffer, dtype, size),
      ),
    );
  } finally {
    for (const buffer of buffers) backend.free(buffer);
  }
}

/** How accurate the functions of expressions must be: `libm` a few ulps, `shader` what WGSL promises of its built-ins. */
export type Accuracy = 'libm' | 'shader';

export interface CompareOptions {
  /** Default 'libm'. */
  readonly accuracy?: Accuracy;
  /** Times the tolerance of kernels that trade accuracy for speed (Winograd), 1 by default. */
  readonly factor?: (kernel: Kernel) => number;
}

const unitRoundoff = 2 ** -24;
const largest: Record<DType, number> = { float32: 3.4028234663852886e38, float16: 65504, int32: 0, uint8: 0, bool: 0 };
/** What a device may flush to zero, and half a step among the smallest float16. */
const smallest: Record<DType, number> = { float32: 2 ** -126, float16: 2 ** -25, int32: 0, uint8: 0, bool: 0 };

/** Where `actual` misses the float64 reference by more than rounding explains, in words; empty when it passes. */
export async function compareKernelCase(
  c: KernelCase,
  actual: readonly TypedArray[],
  { accuracy = 'libm', factor = () => 1 }: CompareOptions = {},
): Promise<string[]> {
  const oracle = reference({ dtype: 'float64' });
  const expected = await runKernelCase(oracle, c);
  const slacks = await slackOf(c, accuracy, oracle);
  oracle.dispose();
  const times = factor(c.kernel);
  const faults: string[] = [];
  c.kernel.outputs.forEach(({ dtype, size }, output) => {
    const [want, got, slack] = [expected[output] as TypedArray, actual[output], slacks[output]];
    if (got?.length !== size) {
      faults.push(`output ${output} has ${got?.length} elements, wanted ${size}`);
      return;
    }
    const misses: string[] = [];
    for (let i = 0; i < size; i++) {
      const [e, a] = [want[i] as number, got[i] as number];
      if (dtype === 'float16' && !isHalf(a)) misses.push(`[${i}] is ${a}, which is no float16`);
      if (a === e || (Number.isNaN(a) && Number.isNaN(e))) continue;
      const allowed = tolerance(dtype, e, (slack?.[i] ?? 0) * times);
      const overflows = Math.abs(e) + allowed > largest[dtype] && a === Math.sign(e) * Infinity;
      if (Math.abs(a - e) <= allowed || (dtype.startsWith('float') && overflows)) continue;
      misses.push(`[${i}] is ${a}, wanted ${e} ± ${allowed.toPrecision(2)}`);
    }
    if (misses.length > 0) {
      faults.push(`output ${output} (${dtype}): ${misses.length} of ${size} miss: ${misses.slice(0, 4).join('; ')}`);
    }
  });
  return faults;
}

/** Does it fit 11 bits, the last of them 2⁻²⁴ at least? */
function isHalf(x: number): boolean {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(x))));
  return !Number.isFinite(x) || x === 0 || Number.isInteger(x * 2 ** (10 - exponent));
}

/** `slack` counts unit roundoffs. It is not finite where a bound passed through ±∞ or NaN: there some ulps are allowed. */
function tolerance(dtype: DType, expected: number, slack: number): number {
  if (dtype !== 'float32' && dtype !== 'float16') return 0;
  if (!Number.isFinite(expected)) return 0;
  const rounding = (Number.isFinite(slack) ? slack : 16 * Math.abs(expected)) * unitRoundoff;
  return rounding + smallest[dtype] + (dtype === 'float16' ? 2 ** -11 * Math.abs(expected) : 0);
}

export interface KernelSuiteOptions extends CompareOptions {
  /** How many generated kernels. Default 200. */
  readonly random?: number;
  /** Told of each case that the backend's limits rule out. */
  readonly onSkip?: (reason: string) => void;
}

/**
 * Registers the part `kernels` of `describeBackend` alone: all cases written by hand, `random` (200) generated ones, and the contract
 * around them. It needs no scheduler, so it runs before the backend can compute anything else.
 */
export function describeKernels(
  name: string,
  make: () => Promise<Backend> | Backend,
  { random = 200, onSkip, ...compare }: KernelSuiteOptions = {},
): void {
  describe(`kernels on ${name}`, () => {
    let backend: Promise<Backend> | undefined;
    const get = () => (backend ??= Promise.resolve(make()));
    const check = (title: string, c: () => KernelCase) =>
      it(title, async (context) => {
        const [device, kernelCase] = [await get(), c()];
        const reason = unsupported(device.limits, kernelCase);
        if (reason) {
          onSkip?.(reason);
          return context.skip(`${name}: ${reason}`);
        }
        expect(await compareKernelCase(kernelCase, await runKernelCase(device, kernelCase), compare)).toEqual([]);
      });
    for (const c of kernelCases) check(c.title, () => c);
    for (let seed = 0; seed < random; seed++) check(`random kernel ${seed}`, () => randomKernel(seed));
    describeContract(get);
    it('leaves no buffer behind', async () => {
      const device = await get();
      expect(device.memory().buffers).toBe(0);
    });
    it('refuses memory and reads once disposed of, and lets finalizers free what was there', async () => {
      const device = await get();
      const buffer = device.allocate('float32', 4);
      device.dispose();
      expect(() => device.allocate('float32', 4)).toThrow(BackendError);
      await expect(async () => device.download(buffer, 'float32', 4)).rejects.toThrow(BackendError);
      expect(() => device.free(buffer)).not.toThrow();
      expect(device.memory().buffers).toBe(0);
    });
  });
}
