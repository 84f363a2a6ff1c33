/** The backend itself: buffers, executables and plans in, commands to the workers out, answers back to whoever waits. */
import {
  type Backend,
  BackendError,
  type DeviceBuffer,
  type DType,
  type Executable,
  type Kernel,
  type KernelTiming,
  type Limits,
  type MemoryUse,
  type Plan,
  recompute,
  type TypedArray,
} from '@tessera/tensor/backend';
import { algorithms, Compiler, CpuExecutable, copyKernel } from './compile';
import { Crew, kernelWorker, processors } from './device';
import { CpuBuffer, Heap } from './heap';
import { type Block, mostBytes } from './memory';
import { control, type FromWorker, opcodes, ringWords, type Start } from './protocol';
import { MessageQueue, progress, type Queue, RingQueue } from './submit';

export interface CpuOptions {
  /** Workers that compute. Default: one a processor, at most 16; one where the page is not cross-origin isolated. */
  readonly threads?: number;
  /** Where the worker's module is, if the bundler did not place it beside this one. */
  readonly workerUrl?: URL | string;
  /** The same for the worker that interprets kernels where WebAssembly is forbidden. */
  readonly interpreterUrl?: URL | string;
  /** Most bytes of device memory, up to 4 GiB (the default). */
  readonly maxMemoryBytes?: number;
}
export interface CpuInfo {
  readonly threads: number;
  readonly simd: boolean;
  /** Fused multiply-add in matmul and convolution. */
  readonly relaxed: boolean;
  /** One memory for all threads. */
  readonly shared: boolean;
  /** Version of the choice of algorithms: where it, simd and relaxed are equal, so are results in every bit. */
  readonly algorithms: number;
  /** WebAssembly is forbidden here, and the reference backend runs instead. */
  readonly reference: boolean;
  /** And no worker started for it, or cpu() was called in one: the thread that called computes by itself. */
  readonly inPlace: boolean;
}
export interface Cpu extends Backend {
  /** Moves live buffers to a fresh memory and gives the old one back to the system, once queued work is done. */
  trim(): Promise<void>;
  info(): CpuInfo;
}

const elementBytes: Record<DType, number> = { float32: 4, float16: 2, int32: 4, uint8: 1, bool: 1 };
const arrays = { float32: Float32Array, float16: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array };

interface Read {
  resolve(bytes: ArrayBuffer | null): void;
  reject(error: unknown): void;
}

export class CpuBackend implements Cpu {
  readonly name = 'cpu';
  readonly limits: Limits;
  readonly #options: CpuOptions;
  readonly #info: CpuInfo;
  readonly #heap: Heap;
  readonly #compiler: Compiler;
  #queue!: Queue;
  #crew!: Crew;
  #copy!: CpuExecutable;
  #sharedScratch: Block | null = null;
  #threadScratch: Block | null = null;
  #scratch = { shared: 0, thread: 0, args: 0 };
  readonly #reads = new Map<number, Read>();
  #nextToken = progress + 1;
  #failure: BackendError | null = null;
  #listener: ((timing: KernelTiming) => void) | null = null;
  /** Resolves when the workers run. */
  ready!: Promise<void>;

  constructor(options: CpuOptions, has: { simd: boolean; relaxed: boolean; threads: boolean }) {
    const shared = has.threads;
    const threads = shared ? Math.max(1, Math.floor(options.threads ?? processors())) : 1;
    const limit = Math.min(options.maxMemoryBytes ?? mostBytes, mostBytes);
    this.#options = options;
    const { simd, relaxed } = has;
    this.#info = { threads, simd, relaxed, shared, algorithms, reference: false, inPlace: false };
    this.limits = {
      maxBuffers: 1024,
      maxBufferBytes: Math.min(limit, 2 ** 31 - 2 ** 16),
      inPlace: true,
      operandExpressions: true,
      dtypes: ['float32', 'int32', 'uint8', 'bool'],
      recompute,
    };
    const grown: number[] = [];
    this.#heap = new Heap(
      shared,
      limit,
      () => this.#queue?.done ?? 0,
      (pages) => {
        if (this.#crew) (this.#queue as MessageQueue).send({ type: 'grow', pages });
        else grown.push(pages);
      },
    );
    this.#compiler = new Compiler({ relaxed: has.relaxed, shared });
    this.#start();
    for (const pages of grown) (this.#queue as MessageQueue).send({ type: 'grow', pages });
  }

  #start(): void {
    const { threads, shared } = this.#info;
    const buffer = shared ? new SharedArrayBuffer(4 * (control.ring + ringWords)) : null;
    const starts = Array.from(
      { length: threads },
      (_, index): Start => ({ type: 'start', memory: this.#heap.memory, control: buffer, index, threads }),
    );
    const crew = new Crew(
      () => kernelWorker(this.#options.workerUrl),
      starts,
      (message) => this.#receive(message),
      (error) => this.#fail(error),
    );
    this.#crew = crew;
    this.ready = crew.ready;
    this.ready.catch(() => {}); // whoever waits for it hears of it
    this.#queue = buffer
      ? new RingQueue(buffer)
      : new MessageQueue((message, transfer) => crew.post(message, transfer));
    this.#copy = this.#compiler.internal(copyKernel);
    if (this.#listener) this.#queue.push(opcodes.timing, [1]);
  }

  info(): CpuInfo {
    return this.#info;
  }

  memory(): MemoryUse {
    return this.#heap.use();
  }

  allocate(dtype: DType, size: number): DeviceBuffer {
    if (this.#failure) throw this.#failure;
    return this.#heap.allocate(size * elementBytes[dtype], `${dtype}[${size}]`);
  }

  free(buffer: DeviceBuffer): void {
    this.#heap.free(this.#own(buffer));
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray): void {
    if (this.#failure) return;
    const own = this.#own(buffer);
    const typed = data instanceof arrays[dtype] ? data : new arrays[dtype](data as ArrayLike<number>);
    const bytes = new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
    if (bytes.length > own.bytes) {
      throw new BackendError(`cpu: upload of ${bytes.length} bytes into a buffer of ${own.bytes}`);
    }
    if (bytes.length === 0) return;
    const heap = this.#heap;
    const queue = this.#queue;
    if (queue instanceof MessageQueue) {
      const copy = bytes.slice();
      queue.send({ type: 'write', address: own.address, bytes: copy }, [copy.buffer]);
    } else if (own.busyUntil <= queue.done) {
      heap.view().set(bytes, own.address);
    } else {
      const staging = heap.take(bytes.length, true);
      if (!staging) throw heap.outOfMemory(bytes.length, 'the staging of an upload');
      heap.view().set(bytes, staging.address);
      this.#queueCopy(staging.address, own.address, bytes.length);
      queue.publish();
      heap.release(staging, queue.position);
      own.busyUntil = queue.position;
    }
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    const own = this.#own(buffer);
    const length = size * elementBytes[dtype];
    const bytes = length === 0 ? new ArrayBuffer(0) : await this.#read(own, length);
    return new arrays[dtype](bytes);
  }

  async #read(own: CpuBuffer, length: number): Promise<ArrayBuffer> {
    if (this.#failure) throw this.#failure;
    const queue = this.#queue;
    const heap = this.#heap;
    if (queue instanceof MessageQueue) {
      const token = this.#nextToken++;
      const pending = this.#pending(token);
      queue.send({ type: 'read', token, address: own.address, bytes: length });
      return (await pending) as ArrayBuffer;
    }
    if (own.busyUntil <= queue.done) return copyOut(heap, own.address, length);
    // Later work may change the buffer before this thread gets to look: keep a copy made in order.
    const staging = heap.take(length, true);
    if (!staging) throw heap.outOfMemory(length, 'the copy that a read takes');
    this.#queueCopy(own.address, staging.address, length);
    try {
      await this.#fence();
      return copyOut(heap, staging.address, length);
    } finally {
      if (!this.#failure) heap.release(staging, queue.position);
    }
  }

  compile(kernel: Kernel): Executable {
    return this.#compiler.compile(kernel);
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    if (this.#failure) return;
    const queue = this.#queue;
    for (const step of plan.steps) {
      const executable = step.executable;
      if (!(executable instanceof CpuExecutable)) throw new BackendError('cpu: a plan of another backend');
      this.#load(executable);
      const { inputs, outputs, uniforms: numbers } = step;
      const words: number[] = [executable.id];
      for (const i of inputs) words.push(this.#own(buffers[i] as DeviceBuffer).address);
      for (const i of outputs) words.push(this.#own(buffers[i] as DeviceBuffer).address);
      words.push(this.#sharedScratch?.address ?? 0, 0);
      for (let i = 0; i < numbers.length; i++) {
        words.push(wordOf(executable.kernel.uniforms[i] as string, uniforms[numbers[i] as number] as number));
      }
      queue.push(opcodes.job, words);
    }
    queue.publish();
    for (const buffer of buffers) (buffer as CpuBuffer).busyUntil = queue.position;
  }

  async sync(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await this.#fence();
  }

  onKernel(listener: ((timing: KernelTiming) => void) | null): void {
    this.#listener = listener;
    if (this.#failure) return;
    this.#queue.push(opcodes.timing, [listener ? 1 : 0]);
    this.#queue.publish();
  }

  async trim(): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (!this.#info.shared) return; // the worker's own memory cannot shrink, and nobody else may start another
    // Whoever submits while this waits makes it wait again; the move itself is done in one go.
    do await this.sync();
    while (this.#queue.done < this.#queue.position || this.#reads.size > 0);
    this.#crew.stop();
    this.#sharedScratch = this.#threadScratch = null;
    this.#scratch = { shared: 0, thread: 0, args: 0 };
    this.#compiler.unloadAll();
    this.#heap.renew(0);
    this.#start();
    await this.ready;
  }

  dispose(): void {
    this.#fail(new BackendError('cpu: the backend was disposed of; make a new one with cpu()'));
  }

  // ---- inside ----

  #own(buffer: DeviceBuffer): CpuBuffer {
    if (buffer instanceof CpuBuffer && buffer.heap === this.#heap) return buffer;
    throw new BackendError('cpu: a buffer of another backend; move the tensor over with to(backend)');
  }

  /** Sees to it that the workers know the kernel and that scratch suffices. */
  #load(executable: CpuExecutable): void {
    const queue = this.#queue;
    const heap = this.#heap;
    for (const dropped of this.#compiler.use(executable)) queue.push(opcodes.drop, [dropped]);
    if (executable.loaded) return;
    const { code, scratchWord } = executable;
    const names = new TextEncoder().encode(code.phases.map(({ name }) => name).join('\n'));
    const total = code.bytes.length + names.length;
    const block = heap.take(total, true);
    if (!block) throw heap.outOfMemory(total, `the code of a ${executable.kernel.kind} kernel`);
    if (queue instanceof MessageQueue) {
      const bytes = new Uint8Array(total);
      bytes.set(code.bytes);
      bytes.set(names, code.bytes.length);
      queue.send({ type: 'write', address: block.address, bytes }, [bytes.buffer]);
    } else {
      heap.view().set(code.bytes, block.address);
      heap.view().set(names, block.address + code.bytes.length);
    }
    const chunks = code.phases.map((phase) => phase.chunks);
    queue.push(opcodes.kernel, [executable.id, block.address, code.bytes.length, names.length, scratchWord, ...chunks]);
    heap.release(block, queue.position);
    executable.loaded = true;
    this.#reserveScratch(executable);
  }

  #reserveScratch({ code, scratchWord, kernel }: CpuExecutable): void {
    const queue = this.#queue;
    const heap = this.#heap;
    const had = this.#scratch;
    const shared = Math.max(had.shared, code.sharedScratch);
    const thread = Math.max(had.thread, roundUp(code.threadScratch));
    const args = Math.max(had.args, roundUp(4 * (scratchWord + 1 + kernel.uniforms.length)));
    if (shared > had.shared) {
      if (this.#sharedScratch) heap.release(this.#sharedScratch, queue.position);
      this.#sharedScratch = heap.take(shared);
      if (!this.#sharedScratch) throw heap.outOfMemory(shared, `the scratch of a ${kernel.kind} kernel`);
    }
    if (thread > had.thread || args > had.args) {
      if (this.#threadScratch) heap.release(this.#threadScratch, queue.position);
      const stride = args + thread + 64;
      this.#threadScratch = heap.take(stride * this.#info.threads);
      if (!this.#threadScratch) throw heap.outOfMemory(stride, `the scratch of a ${kernel.kind} kernel on each thread`);
      queue.push(opcodes.scratch, [this.#threadScratch.address, stride, args]);
    }
    this.#scratch = { shared, thread, args };
  }

  #queueCopy(from: number, to: number, length: number): void {
    this.#load(this.#copy);
    this.#queue.push(opcodes.job, [this.#copy.id, from, to, 0, 0, length]);
  }

  #pending(token: number): Promise<ArrayBuffer | null> {
    this.#crew.hold(true);
    return new Promise((resolve, reject) => this.#reads.set(token, { resolve, reject }));
  }

  async #fence(): Promise<void> {
    const token = this.#nextToken++;
    const pending = this.#pending(token);
    this.#queue.fence(token);
    await pending;
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'fence':
        this.#queue.passed(message.done);
        this.#settle(message.token, null);
        return;
      case 'data':
        this.#settle(message.token, message.bytes.buffer);
        return;
      case 'timings':
        for (let i = 0; i < message.timings.length; i += 2) {
          const kernel = this.#compiler.kernelOf(message.timings[i] as number);
          if (kernel) this.#listener?.({ kernel, milliseconds: message.timings[i + 1] as number });
        }
    }
  }

  #settle(token: number, bytes: ArrayBuffer | null): void {
    const read = this.#reads.get(token);
    if (!read) return;
    this.#reads.delete(token);
    if (this.#reads.size === 0) this.#crew.hold(false);
    read.resolve(bytes);
  }

  #fail(error: BackendError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#crew.stop();
    for (const read of this.#reads.values()) read.reject(error);
    this.#reads.clear();
    this.#heap.memory = null;
  }
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 64) * 64;

const word = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(4));
function wordOf(type: string, value: number): number {
  if (type !== 'float32') return type === 'bool' ? +(value !== 0) : value | 0;
  word.setFloat32(0, value);
  return word.getInt32(0);
}

function copyOut(heap: Heap, address: number, length: number): ArrayBuffer {
  const copy = new Uint8Array(length);
  copy.set(heap.view().subarray(address, address + length));
  return copy.buffer;
}
