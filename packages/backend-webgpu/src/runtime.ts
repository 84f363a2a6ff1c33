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
  type PrepareOptions,
  type TypedArray,
} from '@tessera/tensor/backend';
import { type Choice, Compiler } from './compile';
import { type Found, limitsOf, targetOf, type WebgpuOptions } from './device';
import { infoOf, type WebgpuInfo } from './info';
import { copyAll, type GpuBuffer, Memory } from './memory';
import { Reads } from './reads';
import { bytesOf, restore, store, storedBytes } from './stored';
import { type Checks, own, type PassOf, Submitter } from './submit';
import type { Timer } from './timer';
import type * as Tuning from './tune';
import { Uploads } from './uploads';

export interface Webgpu extends Backend {
  /** The device it computes on: for buffers and textures that are to come in by the doors. */
  readonly device: GPUDevice;
  /** What the device is and has, what was disabled and why, and how many objects were made so far. */
  info(): WebgpuInfo;
  prepare(plan: Plan, options?: PrepareOptions): Promise<void>;
}

export class WebgpuBackend implements Webgpu {
  readonly name = 'webgpu';
  readonly device: GPUDevice;
  readonly limits: Limits;
  readonly onKernel?: (listener: ((timing: KernelTiming) => void) | null) => void;
  readonly #found: Found;
  readonly #memory: Memory;
  readonly #compiler: Compiler;
  readonly #tuner: Tuning.Tuner | null;
  readonly #submitter: Submitter;
  readonly #reads: Reads;
  readonly #uploads: Uploads;
  readonly #checks: Checks;
  #timer: Timer | null = null;
  #failure: BackendError | null = null;
  #onLost: WebgpuOptions['onLost'];
  /** What waits for pipelines that are still made, and whatever came after it. */
  readonly #waiting: { readonly ready: Promise<unknown> | null; readonly run: () => void }[] = [];

  constructor(
    found: Found,
    { onLost, maxMemoryBytes = Number.POSITIVE_INFINITY }: WebgpuOptions,
    tuning: typeof Tuning | null = null,
  ) {
    const { device } = found;
    this.#found = found;
    this.#onLost = onLost;
    this.device = device;
    const target = targetOf(device, found.matrices);
    this.limits = limitsOf(device, target);
    this.#uploads = new Uploads(device);
    const most = { buffer: this.limits.maxBufferBytes, all: maxMemoryBytes };
    this.#memory = new Memory(device, most, {
      failed: (error) => this.#fail(error),
      later: (run) =>
        this.#then(null, () => {
          this.#uploads.flush();
          run();
        }),
      copy: (copies) => this.#then(null, () => this.commandsNow((encoder) => copyAll(encoder, copies))),
    });
    this.#compiler = new Compiler(device, target);
    this.#tuner = tuning?.tunerOf(device, this.#compiler, target, found.adapter) ?? null;
    this.#submitter = new Submitter(device, this.#memory, this.#uploads, this.#compiler);
    this.#reads = new Reads(device);
    this.#checks = { always: () => this.#memory.foreign > 0, check: (answer) => this.#check(answer) };
    if (device.features.has('timestamp-query')) {
      this.onKernel = (listener) => {
        // few programs measure; what is submitted meanwhile waits
        let timer: Timer | null = null;
        const load = async () => {
          if (listener) timer = new (await import('./kernels/rare')).Timer(device, listener);
        };
        this.#then(listener && load(), () => {
          this.#timer?.stop();
          this.#timer = timer;
        });
      };
    }
    if (found.own) {
      device.addEventListener('uncapturederror', ({ error }) =>
        this.#fail(new BackendError(`webgpu: ${error.message}`)),
      );
    }
    void device.lost.then(({ message, reason }) => {
      if (this.#failure && reason === 'destroyed') return; // by us
      const error = new BackendError(
        `webgpu: the device was lost (${reason}: ${message}); what was on it is gone, make a new backend with webgpu() and load the last checkpoint`,
      );
      this.#fail(error);
      this.#onLost?.(error);
    });
  }

  info(): WebgpuInfo {
    const { uniforms, tables } = this.#submitter;
    const buffers = this.#memory.made + this.#reads.made + this.#uploads.made + uniforms.made + tables;
    const objects = { pipelines: this.#compiler.made, bindGroups: this.#submitter.made, buffers };
    return infoOf(this.#found, this.limits, objects);
  }

  memory(): MemoryUse {
    const use = this.#memory.use();
    return { ...use, reserved: use.reserved + this.#reads.bytes + this.#uploads.bytes };
  }

  allocate(dtype: DType, size: number, result?: boolean): GpuBuffer {
    if (this.#failure) throw this.#failure;
    return this.#memory.allocate(size * bytesOf[dtype], `${dtype}[${size}]`, result);
  }

  free(buffer: DeviceBuffer): void {
    if (this.#failure) return; // everything is gone; a finalizer may come after it
    this.#memory.free(this.#own(buffer));
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray): void {
    if (this.#failure) return;
    const { region } = this.#own(buffer);
    const bytes = storedBytes(dtype, data.length);
    if (bytes > region.size) {
      throw new BackendError(`webgpu: upload of ${bytes} bytes into a buffer of ${region.size}`);
    }
    if (bytes === 0) return;
    // The array may change as soon as this returns.
    const kept = this.#waiting.length ? data.slice() : data;
    this.#then(null, () => this.#uploads.write(region, bytes, (memory) => store(dtype, kept, memory)));
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    if (this.#failure) throw this.#failure;
    const { region } = this.#own(buffer);
    const length = storedBytes(dtype, size);
    if (length === 0) {
      await this.sync();
      return restore(dtype, new ArrayBuffer(0), 0);
    }
    const bytes = await this.#read<ArrayBuffer>((settle) => {
      this.#uploads.flush();
      void this.#reads.copy(region, length).then(...settle);
    });
    return restore(dtype, bytes, size);
  }

  compile(kernel: Kernel, choice?: Choice): Executable {
    if (this.#failure) throw this.#failure;
    return this.#tuner && !choice ? this.#tuner.compile(kernel) : this.#compiler.compile(kernel, choice);
  }

  async prepare(plan: Plan, options: PrepareOptions = {}): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { prepare } = await import('./kernels/rare'); // few programs wait so
    await prepare(this.#submitter.executables(plan), options);
    if (this.#failure) throw this.#failure;
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    if (this.#failure) return;
    const submitter = this.#submitter;
    const placed = submitter.place(
      plan,
      buffers.map((buffer) => this.#own(buffer)),
    );
    const ready = submitter.waiting(plan, placed.regions);
    const shared = submitter.numbers(plan, uniforms);
    const numbers = ready || this.#waiting.length ? shared.slice() : shared;
    this.#then(ready, () => {
      const timer = this.#timer;
      const passOf: PassOf | undefined = timer?.passesOf(plan.steps.length);
      submitter.submit(plan, placed, numbers, this.#checks, passOf);
      timer?.collect();
    });
  }

  async sync(): Promise<void> {
    await this.#read<void>((settle) => {
      this.#uploads.flush();
      const done = [this.device.queue.onSubmittedWorkDone(), ...(this.#timer?.pending ?? [])];
      void Promise.all(done)
        .then(() => {})
        .then(...settle);
    });
  }

  dispose(): void {
    this.#onLost = undefined;
    this.#stop(new BackendError('webgpu: the backend was disposed of; make a new one with webgpu()'));
    this.#release();
  }

  // ---- for the doors: what comes from the user's side of the device, and goes there ----

  /** A buffer that no work that still waits has to do with: commands may fill it at once. */
  allocateFresh(dtype: DType, size: number): GpuBuffer {
    if (this.#failure) throw this.#failure;
    return this.#memory.allocate(size * bytesOf[dtype], `${dtype}[${size}]`, false, this.#waiting.length > 0);
  }
  /** The user's buffer as one of ours; it is destroyed with its tensor. */
  adopt(gpu: GPUBuffer): GpuBuffer {
    if (this.#failure) throw this.#failure;
    return this.#memory.adopt(gpu);
  }
  /** Commands that go out at once, before whatever still waits. */
  commandsNow(record: (encoder: GPUCommandEncoder) => void): void {
    if (this.#failure) throw this.#failure;
    this.#uploads.flush(); // a buffer may be handed out again before what was meant for its last owner is copied
    this.device.pushErrorScope('validation');
    try {
      const encoder = this.device.createCommandEncoder();
      record(encoder);
      this.device.queue.submit([encoder.finish()]);
    } finally {
      this.#check(this.device.popErrorScope());
    }
  }
  /** Commands in their turn. Resolves when they are submitted and were found valid. */
  commands(record: (encoder: GPUCommandEncoder) => void): Promise<void> {
    return this.#read<void>(([resolve]) => {
      this.commandsNow(record);
      resolve();
    });
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

  /** Runs at once where nothing waits, else in its turn. */
  #then(ready: Promise<unknown> | null, run: () => void): void {
    if (!ready && this.#waiting.length === 0) {
      run();
      return;
    }
    ready?.catch(() => {}); // where all ended meanwhile nobody waits for it
    this.#waiting.push({ ready, run });
    if (this.#waiting.length === 1) void this.#drain();
  }

  async #drain(): Promise<void> {
    for (let next = this.#waiting[0]; next && !this.#failure; next = this.#waiting[0]) {
      try {
        await next.ready;
        if (!this.#failure) next.run();
      } catch (cause) {
        this.#fail(cause instanceof BackendError ? cause : new BackendError(`webgpu: ${cause}`, { cause }));
      }
      this.#waiting.shift();
    }
  }

  /** Reads wait for the answer of an error scope; a fault that validation finds is one of this package, and ends all. */
  #check(answer: Promise<GPUError | null>): void {
    this.#reads.after(
      answer.then((error) => {
        if (error) this.#fail(new BackendError(`webgpu: ${error.message}`));
      }),
    );
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
    this.#uploads.dispose();
    this.#submitter.dispose();
    if (this.#found.own) this.device.destroy();
  }
}
