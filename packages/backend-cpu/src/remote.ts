/** Where WebAssembly is forbidden: the reference backend in a worker of its own, so that a page's UI thread stays free. */
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
import { Crew, interpreterWorker } from './device';
import { Live } from './live';
import { mostBytes } from './memory';
import type { Call, FromWorker } from './protocol';

/** What an element takes in the interpreter, which keeps float16 as rounded float32. */
const elementBytes: Record<DType, number> = { float32: 4, float16: 4, int32: 4, uint8: 1, bool: 1 };

/** A buffer or an executable that is known over there by its number. */
class Numbered {
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
}
class RemoteBuffer extends Numbered implements DeviceBuffer {
  readonly bytes: number;
  constructor(id: number, bytes: number) {
    super(id);
    this.bytes = bytes;
  }
}
class RemoteExecutable extends Numbered implements Executable {
  readonly kernel: Kernel;
  constructor(id: number, kernel: Kernel) {
    super(id);
    this.kernel = kernel;
  }
}
interface Read {
  resolve(data: TypedArray | null): void;
  reject(error: unknown): void;
}

export class RemoteReference implements Backend {
  readonly name = 'reference';
  readonly limits: Limits;
  readonly #crew: Crew;
  readonly #most: number;
  readonly #live = new Live<RemoteBuffer>();
  readonly #executables = new Map<number, WeakRef<RemoteExecutable>>();
  readonly #gone: FinalizationRegistry<number>;
  readonly #reads = new Map<number, Read>();
  #next = 0;
  #failure: BackendError | null = null;
  #listener: ((timing: KernelTiming) => void) | null = null;
  /** Resolves when the worker runs. */
  readonly ready: Promise<void>;

  constructor(options: { readonly interpreterUrl?: URL | string; readonly maxMemoryBytes?: number }) {
    this.#most = options.maxMemoryBytes ?? mostBytes;
    this.limits = {
      maxBuffers: 1024,
      maxBufferBytes: Math.min(this.#most, 2 ** 31 - 2 ** 16),
      inPlace: true,
      operandExpressions: true,
      dtypes: ['float32', 'float16', 'int32', 'uint8', 'bool'],
      recompute,
    };
    this.#crew = new Crew(
      () => interpreterWorker(options.interpreterUrl),
      [{ type: 'start', memory: null, control: null, index: 0, threads: 1 }],
      (message) => this.#receive(message),
      (error) => this.#fail(error),
    );
    this.ready = this.#crew.ready;
    this.#gone = new FinalizationRegistry((id) => {
      this.#executables.delete(id);
      this.#call({ do: 'drop', id });
    });
  }

  memory(): MemoryUse {
    return this.#live.use(this.#live.bytes);
  }

  allocate(dtype: DType, size: number): DeviceBuffer {
    if (this.#failure) throw this.#failure;
    const buffer = new RemoteBuffer(this.#next++, size * elementBytes[dtype]);
    const { bytes } = this.#live;
    if (bytes + buffer.bytes > this.#most)
      throw this.#live.outOfMemory(buffer.bytes, `${dtype}[${size}]`, bytes, this.#most);
    this.#live.add(buffer);
    this.#call({ do: 'allocate', id: buffer.id, dtype, size });
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (this.#failure) return;
    const id = this.#own(buffer);
    this.#live.delete(buffer as RemoteBuffer);
    this.#call({ do: 'free', id });
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray): void {
    if (this.#failure) return;
    const copy = data.slice();
    this.#call({ do: 'upload', id: this.#own(buffer), dtype, data: copy }, [copy.buffer as ArrayBuffer]);
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    if (this.#failure) throw this.#failure;
    const id = this.#own(buffer);
    return (await this.#ask((token) => ({ do: 'download', token, id, dtype, size }))) as TypedArray;
  }

  compile(kernel: Kernel): Executable {
    const executable = new RemoteExecutable(this.#next++, kernel);
    this.#executables.set(executable.id, new WeakRef(executable));
    this.#gone.register(executable, executable.id);
    this.#call({ do: 'compile', id: executable.id, kernel });
    return executable;
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    if (this.#failure) return;
    const steps = plan.steps.map(({ executable, ...positions }) => {
      if (!(executable instanceof RemoteExecutable)) throw new BackendError('cpu: a plan of another backend');
      return { ...positions, executable: executable.id };
    });
    this.#call({ do: 'submit', steps, buffers: buffers.map((buffer) => this.#own(buffer)), uniforms });
  }

  async sync(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await this.#ask((token) => ({ do: 'sync', token }));
  }

  onKernel(listener: ((timing: KernelTiming) => void) | null): void {
    this.#listener = listener;
    this.#call({ do: 'timing', on: listener !== null });
  }

  dispose(): void {
    this.#fail(new BackendError('cpu: the backend was disposed of; make a new one with cpu()'));
  }

  // ---- inside ----

  #own(buffer: DeviceBuffer): number {
    if (buffer instanceof RemoteBuffer && this.#live.has(buffer)) return buffer.id;
    throw new BackendError(
      'cpu: a buffer that was freed, or of another backend; move the tensor over with to(backend)',
    );
  }

  #call(call: Call, transfer: ArrayBuffer[] = []): void {
    if (!this.#failure) this.#crew.post({ type: 'call', call }, transfer);
  }

  #ask(call: (token: number) => Call): Promise<TypedArray | null> {
    const token = this.#next++;
    this.#crew.hold(true);
    return new Promise((resolve, reject) => {
      this.#reads.set(token, { resolve, reject });
      this.#call(call(token));
    });
  }

  #receive(message: FromWorker): void {
    if (message.type === 'answer') {
      const read = this.#reads.get(message.token);
      this.#reads.delete(message.token);
      if (this.#reads.size === 0) this.#crew.hold(false);
      read?.resolve(message.data);
    } else if (message.type === 'timings') {
      const [id, milliseconds] = message.timings as unknown as [number, number];
      const kernel = this.#executables.get(id)?.deref()?.kernel;
      if (kernel) this.#listener?.({ kernel, milliseconds });
    }
  }

  #fail(error: BackendError): void {
    if (this.#failure) return;
    this.#failure = error;
    this.#crew.stop();
    for (const read of this.#reads.values()) read.reject(error);
    this.#reads.clear();
    this.#live.clear();
  }
}
