/**
 * The contract of a backend: it owns memory, compiles the eight kernel kinds of `ir.ts`, and runs plans in order.
 *
 * `upload`, `download`, `submit` and `free` act in the order in which they are called, as on one queue. Only `download`, `sync` and
 * `prepare` may be awaited; the others return at once, whatever is still running. What fails later, on the device, rejects the
 * downloads and the `sync` behind it. Misuse (a buffer that was freed, or is another backend's) may throw BackendError at once.
 * `describeBackend` of @tessera/testkit tries all of this; its documentation says in what order to write a backend.
 */
import type { DType, Kernel } from './ir';
import type { Job } from './schedule/emit';
import type { Item, Value } from './schedule/graph';
import type { Group } from './schedule/group';
import type { Room } from './schedule/room';

export type TypedArray = Float32Array | Int32Array | Uint8Array | Float64Array;

/** Device memory. Only its backend knows what is inside; `bytes` is what it takes, as `memory()` counts it. */
export interface DeviceBuffer {
  readonly bytes: number;
}

/**
 * A kernel made ready to run; a backend adds what it likes to it. The scheduler asks once for kernels of equal structure, and holds what
 * it got for as long as a plan may use it: let go of it, the garbage collector takes it.
 */
export interface Executable {
  readonly kernel: Kernel;
}

/**
 * One job of a plan: a kernel with what it is bound to. Positions in the tables handed to `submit`, one for each of the kernel's
 * inputs, outputs and uniforms in turn. A buffer may be bound to several inputs; that of an output is bound to nothing else in the
 * step, but for the input that the kernel's `aliases` name. A buffer may hold more elements than the kernel's operand says.
 */
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

/** What a backend can and cannot do; the scheduler keeps within. It is read anew for each graph that is scheduled. */
export interface Limits {
  /**
   * Most buffers of one kernel: inputs and outputs, one that is written in place (`inPlace`) counted once. At least 6, an update of a
   * parameter with two moments.
   */
  readonly maxBuffers: number;
  /** Most bytes of one buffer, elements counted by `elementBytes`. No buffer has 2^31 elements or more. */
  readonly maxBufferBytes: number;
  /** May an output be the very buffer of an input (`aliases`)? Without, a compiled step alternates between two buffers of a state. */
  readonly inPlace: boolean;
  /** May a/b of matmul and conv be more than a plain load? Without, what stands before a product is a kernel of its own. */
  readonly operandExpressions: boolean;
  /** Storage dtypes it has: float32, int32, uint8 and bool at least. */
  readonly dtypes: readonly DType[];
  /** Which values its kernels compute again rather than load, by `recompute` or `recomputeEagerly`; none where it is left out. */
  readonly recompute?: Recompute;
  /** A last look at the kernels of a plan, in their order, before their values get places. */
  readonly refine?: (jobs: readonly Job[]) => readonly Job[];
}

/** Values among a kernel's loads that it should rather compute: of each the items on the way to what it then loads. */
export type Recompute = (groups: readonly Group[], wanted: ReadonlySet<Value>, room: Room) => Item[][];

export interface MemoryUse {
  /** Bytes of live buffers: allocated, and not freed, whatever still runs with them. */
  readonly bytes: number;
  /** Live buffers. */
  readonly buffers: number;
  /** Bytes taken from the system, live or kept for reuse. At least `bytes`; work that repeats does not raise it. */
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
  /** For messages, which begin with it: `cpu: the buffer was freed …`. */
  readonly name: string;
  readonly limits: Limits;
  /**
   * Room for `size` elements (0 among them); contents are undefined. The buffer keeps this dtype. `result`: the next plan that is
   * submitted with it makes it, and whoever asked for it may hold it as long as they like.
   * @throws BackendError when out of memory (its message says `memory`), or after `dispose`
   */
  allocate(dtype: DType, size: number, result?: boolean): DeviceBuffer;
  /** Gives the buffer back once the work submitted so far is through with it. After `dispose` it does nothing: finalizers come late. */
  free(buffer: DeviceBuffer): void;
  /**
   * Copies host data into the first `data.length` elements, and leaves the others. The array may change afterwards, unless it is
   * `final`: then a backend may keep it. bool and uint8 come as Uint8Array, int32 as Int32Array, float32 as Float32Array; float16 too,
   * which the backend rounds (`roundHalf`).
   */
  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray, final?: boolean): void;
  /**
   * A copy of the first `size` elements, as the work submitted so far leaves them: what is submitted after the call does not show. The
   * array is the caller's, of the type in which the dtype is uploaded. Rejects with BackendError for what went wrong on the way.
   */
  download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray>;
  /**
   * Makes a kernel ready. May return before it is: the first submit or read then waits. The kernel never changes, and holds all there
   * is to know but buffers and uniforms. @throws BackendError for what it cannot run (`custom`: another backend's code)
   */
  compile(kernel: Kernel): Executable;
  /** Resolves when the kernels of a plan are ready to run, rejects where one is not; a backend without has them at once. */
  prepare?(plan: Plan, options?: PrepareOptions): Promise<void>;
  /**
   * Queues all jobs of a plan, in order. Never waits; failures reach the reads behind it. The plan comes again with other buffers and
   * other numbers; both tables are the caller's, who may change them afterwards.
   * @param uniforms numbers as the kernel's `uniforms` type them; bool is 0 or 1
   */
  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void;
  /** Resolves when all submitted work is done, rejects with its failure. */
  sync(): Promise<void>;
  memory(): MemoryUse;
  /** Asks for the time of each kernel that is submitted from now on, in their order and by the next `sync` (slower); null stops it. */
  onKernel?(listener: ((timing: KernelTiming) => void) | null): void;
  /** Frees everything. Pending reads reject, and so do later ones; `allocate` throws. */
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
export type { Job } from './schedule/emit';
export type { Value } from './schedule/graph';
export { recompute } from './schedule/recompute';
export * from './view';
