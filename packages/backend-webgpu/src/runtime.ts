/** The backend itself: buffers, executables and plans in, commands to the queue out, values back to whoever waits. */
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
  type TypedArray,
} from '@tessera/tensor/backend';
import { Compiler } from './compile';
import { type Found, limitsOf, targetOf, type WebgpuOptions } from './device';
import { fromHalves, toHalves } from './half';
import { type GpuBuffer, Memory } from './memory';
import { Reads } from './reads';
import { own, type PassOf, Submitter } from './submit';
import { Timer } from './timer';

export interface WebgpuInfo {
  /** Vendor, architecture and device, as far as the browser tells. */
  readonly adapter: string;
  /** What the device has of float16, subgroups and timestamps. */
  readonly features: readonly string[];
  /** Objects made so far: a step that comes again adds none. */
  readonly objects: { readonly pipelines: number; readonly bindGroups: number; readonly buffers: number };
}

export interface Webgpu extends Backend {
  info(): WebgpuInfo;
}

const bytesOf: Record<DType, number> = { float32: 4, float16: 2, int32: 4, uint8: 4, bool: 4 };

export class WebgpuBackend implements Webgpu {
  readonly name = 'webgpu';
  readonly limits: Limits;
  readonly onKernel?: (listener: ((timing: KernelTiming) => void) | null) => void;
  readonly #found: Found;
  readonly #device: GPUDevice;
  readonly #memory: Memory;
  readonly #compiler: Compiler;
  readonly #submitter: Submitter;
  readonly #reads: Reads;
  #timer: Timer | null = null;
  #failure: BackendError | null = null;
  /** What waits for pipelines that are still made, and whatever came after it. */
  readonly #waiting: { readonly ready: Promise<unknown> | null; readonly run: () => void }[] = [];

  constructor(found: Found, { onLost }: WebgpuOptions) {
    const { device } = found;
    this.#found = found;
    this.#device = device;
    this.limits = limitsOf(device);
    this.#memory = new Memory(device, this.limits.maxBufferBytes, {
      failed: (error) => this.#fail(error),
      later: (run) => this.#then(null, run),
    });
    this.#compiler = new Compiler(device, targetOf(device));
    this.#submitter = new Submitter(device, this.#memory, this.#compiler);
    this.#reads = new Reads(device);
    if (device.features.has('timestamp-query')) {
      this.onKernel = (listener) => {
        this.#timer?.stop();
        this.#timer = listener && new Timer(device, listener);
      };
    }
    if (found.own) {
      device.addEventListener('uncapturederror', ({ error }) =>
        this.#fail(new BackendError(`webgpu: ${error.message}`)),
      );
    }
    void device.lost.then(({ message, reason }) => {
      if (this.#failure) return;
      const error = new BackendError(
        `webgpu: the device was lost (${reason}: ${message}); what was on it is gone, make a new backend with webgpu() and load the last checkpoint`,
      );
      this.#fail(error);
      onLost?.(error);
    });
  }

  info(): WebgpuInfo {
    const { features } = this.#device;
    const buffers = this.#memory.made + this.#reads.made + this.#submitter.uniforms.made;
    return {
      adapter: this.#found.adapter,
      features: [...features].filter((name) => ['shader-f16', 'subgroups', 'timestamp-query'].includes(name)),
      objects: { pipelines: this.#compiler.made, bindGroups: this.#submitter.made, buffers },
    };
  }

  memory(): MemoryUse {
    const use = this.#memory.use();
    return { ...use, reserved: use.reserved + this.#reads.bytes };
  }

  allocate(dtype: DType, size: number): DeviceBuffer {
    if (this.#failure) throw this.#failure;
    return this.#memory.allocate(size * bytesOf[dtype], `${dtype}[${size}]`);
  }

  free(buffer: DeviceBuffer): void {
    if (this.#failure) return; // everything is gone; a finalizer may come after it
    this.#memory.free(this.#own(buffer));
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray): void {
    if (this.#failure) return;
    const { gpu, bytes } = this.#own(buffer);
    const stored = toStored(dtype, data, bytes);
    if (stored.byteLength > bytes) {
      throw new BackendError(`webgpu: upload of ${stored.byteLength} bytes into a buffer of ${bytes}`);
    }
    if (stored.byteLength === 0) return;
    // The array may change as soon as this returns.
    const copy = this.#waiting.length && stored === data ? stored.slice() : stored;
    this.#then(null, () =>
      this.#device.queue.writeBuffer(gpu, 0, copy.buffer as ArrayBuffer, copy.byteOffset, copy.byteLength),
    );
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    if (this.#failure) throw this.#failure;
    const { gpu } = this.#own(buffer);
    const length = size * bytesOf[dtype];
    if (length === 0) {
      await this.sync();
      return fromStored(dtype, new ArrayBuffer(0), 0);
    }
    const bytes = await this.#read<ArrayBuffer>(
      (settle) => void this.#reads.copy(gpu, Math.ceil(length / 4) * 4).then(...settle),
    );
    return fromStored(dtype, bytes, size);
  }

  compile(kernel: Kernel): Executable {
    if (this.#failure) throw this.#failure;
    return this.#compiler.compile(kernel);
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    if (this.#failure) return;
    const submitter = this.#submitter;
    const bound = buffers.map((buffer) => this.#own(buffer).gpu);
    const ready = submitter.waiting(plan);
    const shared = submitter.numbers(plan, uniforms);
    const numbers = ready || this.#waiting.length ? shared.slice() : shared;
    const timer = this.#timer;
    this.#then(ready, () => {
      const passOf: PassOf | undefined = timer?.passesOf(plan.steps.length);
      submitter.submit(plan, bound, numbers, passOf);
      timer?.collect();
    });
  }

  async sync(): Promise<void> {
    await this.#read<void>((settle) => {
      const done = [this.#device.queue.onSubmittedWorkDone(), ...(this.#timer?.pending ?? [])];
      void Promise.all(done)
        .then(() => {})
        .then(...settle);
    });
  }

  dispose(): void {
    this.#stop(new BackendError('webgpu: the backend was disposed of; make a new one with webgpu()'));
    this.#release();
  }

  // ---- inside ----

  #own(buffer: DeviceBuffer): GpuBuffer {
    return own(buffer, this.#memory);
  }

  /** A promise of what `start` settles once all before it is on its way; rejects with the first failure. */
  #read<T>(start: (settle: [resolve: (value: T) => void, reject: (cause: unknown) => void]) => void): Promise<T> {
    if (this.#failure) return Promise.reject(this.#failure);
    const { promise, resolve, reject } = this.#reads.expect<T>();
    const failed = (cause: unknown) =>
      reject(this.#failure ?? new BackendError(`webgpu: a read failed (${cause})`, { cause }));
    this.#then(null, () => start([resolve, failed]));
    return promise;
  }

  /** Runs at once where nothing waits, else in its turn. Faults of the API's validation are faults of this package. */
  #then(ready: Promise<unknown> | null, run: () => void): void {
    if (!ready && this.#waiting.length === 0) {
      this.#checked(run);
      return;
    }
    this.#waiting.push({ ready, run });
    if (this.#waiting.length === 1) void this.#drain();
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting[0]; next && !this.#failure; next = this.#waiting[0]) {
      try {
        await next.ready;
        if (!this.#failure) this.#checked(next.run);
      } catch (cause) {
        this.#fail(cause instanceof BackendError ? cause : new BackendError(`webgpu: ${cause}`, { cause }));
      }
      this.#waiting.shift();
    }
  }

  #checked(run: () => void): void {
    this.#device.pushErrorScope('validation');
    try {
      run();
    } finally {
      this.#reads.after(
        this.#device.popErrorScope().then((error) => {
          if (error) this.#fail(new BackendError(`webgpu: ${error.message}`));
        }),
      );
    }
  }

  /** A fault that the device told of: everything ends. Freed a turn later, for Dawn hangs when it is destroyed in a callback. */
  #fail(error: BackendError): void {
    if (this.#failure) return;
    this.#stop(error);
    setTimeout(() => this.#release(), 0);
  }

  /** From now on everything rejects with this. */
  #stop(error: BackendError): void {
    this.#failure ??= error;
    this.#waiting.length = 0;
    this.#timer?.stop();
    this.#reads.fail(this.#failure);
  }

  #release(): void {
    this.#memory.dispose();
    this.#submitter.dispose();
    if (this.#found.own) this.#device.destroy();
  }
}

/** As the device stores it: bool and uint8 a word each. */
function toStored(dtype: DType, data: TypedArray, room: number): TypedArray | Uint16Array | Uint32Array {
  switch (dtype) {
    case 'float32':
      return data instanceof Float32Array ? data : Float32Array.from(data);
    case 'int32':
      return data instanceof Int32Array ? data : Int32Array.from(data);
    case 'uint8':
      return Uint32Array.from(data, (value) => value & 255);
    case 'bool':
      return Uint32Array.from(data, (value) => (value === 0 ? 0 : 1));
    case 'float16': {
      if (data.length % 2 === 0) return toHalves(data);
      if (data.length * 2 + 2 > room) throw new BackendError('webgpu: an odd number of float16 does not fit');
      const padded = new Uint16Array(data.length + 1);
      padded.set(toHalves(data));
      return padded;
    }
    default:
      return dtype satisfies never;
  }
}

function fromStored(dtype: DType, bytes: ArrayBuffer, size: number): TypedArray {
  switch (dtype) {
    case 'float32':
      return new Float32Array(bytes, 0, size);
    case 'int32':
      return new Int32Array(bytes, 0, size);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(new Uint32Array(bytes, 0, size));
    case 'float16':
      return fromHalves(new Uint16Array(bytes, 0, size));
    default:
      return dtype satisfies never;
  }
}
