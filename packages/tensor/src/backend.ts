/** The contract of a backend: it owns memory, compiles the eight kernel kinds of `ir.ts`, and runs plans in order. */
import type { DType, Kernel } from './ir';
import type { Item, Value } from './schedule/graph';
import type { Group } from './schedule/group';
import type { Room } from './schedule/room';

export type TypedArray = Float32Array | Int32Array | Uint8Array | Float64Array;

/** Device memory. Only its backend knows what is inside; `bytes` is what it takes. */
export interface DeviceBuffer {
  readonly bytes: number;
}

/** A kernel made ready to run. `key` is the kernel's structure: equal kernels share one executable. */
export interface Executable {
  readonly kernel: Kernel;
}

/** One job of a plan. Inputs, outputs and uniforms are positions in the tables handed to `submit`. */
export interface PlanStep {
  readonly executable: Executable;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly uniforms: readonly number[];
}

/** A list of jobs in order, unchanging: a backend may keep what it derives from it in a WeakMap. */
export interface Plan {
  readonly steps: readonly PlanStep[];
}

/** What a backend can and cannot do; the scheduler keeps within. */
export interface Limits {
  /** Most buffers of one kernel: inputs and outputs, one that is written in place (`inPlace`) counted once. */
  readonly maxBuffers: number;
  /** Most bytes of one buffer. */
  readonly maxBufferBytes: number;
  /** May an output be the very buffer of an input (`aliases`)? */
  readonly inPlace: boolean;
  /** May a/b of matmul and conv be more than a plain load? */
  readonly operandExpressions: boolean;
  /** Storage dtypes it has. */
  readonly dtypes: readonly DType[];
  /** Which values its kernels compute again rather than load, by `recompute` or `recomputeEagerly`; none where it is left out. */
  readonly recompute?: Recompute;
}

/** Values among a kernel's loads that it should rather compute: of each the items on the way to what it then loads. */
export type Recompute = (groups: readonly Group[], wanted: ReadonlySet<Value>, room: Room) => Item[][];

export interface MemoryUse {
  /** Bytes of live buffers. */
  readonly bytes: number;
  /** Live buffers. */
  readonly buffers: number;
  /** Bytes taken from the system, live or kept for reuse. */
  readonly reserved: number;
  /** Highest `bytes` so far. */
  readonly peak: number;
}

/** How long a kernel ran, as `onKernel` delivers it. */
export interface KernelTiming {
  readonly kernel: Kernel;
  readonly milliseconds: number;
}

/** What waiting for a plan may be told, and how it ends early. */
export interface PrepareOptions {
  /** Told at the start and after each part that is ready. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
  /** Ends the wait: it rejects with the signal's reason. What is ready by then stays. */
  readonly signal?: AbortSignal | undefined;
}

export interface Backend {
  readonly name: string;
  readonly limits: Limits;
  /**
   * Room for `size` elements; contents are undefined. `result`: the next plan that is submitted with it makes it, and whoever asked
   * for it may hold it as long as they like. @throws BackendError when out of memory.
   */
  allocate(dtype: DType, size: number, result?: boolean): DeviceBuffer;
  /** Gives the buffer back once the work submitted so far is through with it. */
  free(buffer: DeviceBuffer): void;
  /**
   * Copies host data in; the array may change afterwards, unless it is `final`: then a backend may keep it. bool and uint8 come as
   * Uint8Array, float16 as Float32Array.
   */
  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray, final?: boolean): void;
  /** A copy of the first `size` elements, after all work submitted so far. Rejects with what went wrong on the way. */
  download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray>;
  /** Makes a kernel ready. May return before it is: the first submit or read then waits. */
  compile(kernel: Kernel): Executable;
  /** Resolves when the kernels of a plan are ready to run, rejects where one is not; a backend without has them at once. */
  prepare?(plan: Plan, options?: PrepareOptions): Promise<void>;
  /** Queues all jobs of a plan, in order. Never waits; failures reach the reads behind it. */
  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void;
  /** Resolves when all submitted work is done, rejects with its failure. */
  sync(): Promise<void>;
  memory(): MemoryUse;
  /** Asks for the time of each kernel from now on (slower); null stops it. */
  onKernel?(listener: ((timing: KernelTiming) => void) | null): void;
  /** Frees everything. Pending reads reject. */
  dispose(): void;
}

export { type Borrowed, fromBuffer, toBuffer } from './adopt';
export * from './errors';
export * as expr from './expr';
export { fromHalf, roundHalf, toHalf } from './half';
export * from './ir';
/** The functions of expressions on JavaScript numbers, for who interprets kernels or folds constants. */
export { casts, type Fn, functionOf, startOf } from './numbers';
export { structure } from './plan';
export { type Costs, recomputeEagerly } from './schedule/eager';
export { recompute } from './schedule/recompute';
export * from './view';
