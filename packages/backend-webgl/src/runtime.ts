/** The backend itself: buffers, executables and plans in, draws out, values back to whoever waits. */
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
import { compile } from './compile';
import { type Device, findDevice, type WebglOptions } from './device';
import { GpuJsCompiler } from './gpujs';
import { fromFloats, texelsOf, toFloats } from './layout';
import { type GlBuffer, Memory } from './memory';
import { beginner, prepare, type Wanted } from './prepare';
import { Programs } from './programs';
import { own, Submitter, spread } from './submit';
import { Reads, readFloats, writeFloats } from './transfer';

export interface WebglInfo {
  /** The renderer, as far as the browser tells. */
  readonly renderer: string;
  /** Textures that a draw reads and writes at most, and the rows of a texture. */
  readonly units: number;
  readonly targets: number;
  /** What textures hold: float32, or its bits where the device draws no float32. */
  readonly storage: 'float32' | 'bits';
  /** Made so far: a step that comes again adds none. */
  readonly objects: { readonly programs: number; readonly textures: number };
}

export interface Webgl extends Backend {
  info(): WebglInfo;
  prepare(plan: Plan, options?: PrepareOptions): Promise<void>;
  /**
   * After a lost context: takes another one. Tensors hold again what was handed in; of what kernels had computed (trained weights too)
   * every read rejects, until it is assigned or computed anew. Compiled functions go on as they are.
   * @throws BackendError where the browser gives no context yet, or one that can do less than the last
   */
  restore(): Promise<void>;
}

export class WebglBackend implements Webgl {
  readonly name = 'webgl';
  readonly limits: Limits;
  readonly #options: WebglOptions;
  readonly #memory: Memory;
  readonly #programs: Programs;
  #device: Device;
  #submitter: Submitter;
  #reads: Reads;
  #listener: ((timing: KernelTiming) => void) | null = null;
  #failure: BackendError | null = null;
  #disposed = false;
  #restoring: Promise<void> | null = null;
  /** Plans that ran: their programs are there. */
  readonly #ran = new WeakSet<Plan>();

  constructor(device: Device, gpujs: GpuJsCompiler, options: WebglOptions) {
    this.#options = options;
    this.#device = device;
    this.limits = device.limits;
    this.#memory = new Memory(device);
    this.#programs = new Programs(device, gpujs);
    this.#submitter = new Submitter(device, this.#memory, this.#programs);
    this.#reads = new Reads(device);
    this.#watch();
  }

  #watch(): void {
    const device = this.#device;
    device.canvas.addEventListener('webglcontextlost', () => {
      if (this.#failure || device !== this.#device) return;
      this.#failure = new BackendError(
        'webgl: the context was lost (the browser took the GPU away), and what was computed there; await backend.restore() takes a new one, then load the last checkpoint',
      );
      this.#reads.fail(this.#failure);
      this.#options.onLost?.(this.#failure);
    });
  }

  info(): WebglInfo {
    const { renderer, units, targets, format } = this.#device;
    const objects = { programs: this.#programs.made, textures: this.#memory.made };
    return { renderer, units, targets, storage: format.floats ? 'float32' : 'bits', objects };
  }

  memory(): MemoryUse {
    return this.#memory.use();
  }

  allocate(dtype: DType, size: number): DeviceBuffer {
    if (this.#failure) throw this.#failure;
    return this.#memory.allocate(dtype, size);
  }

  free(buffer: DeviceBuffer): void {
    if (this.#disposed) return; // everything is gone; a finalizer may come after it
    this.#memory.free(this.#own(buffer));
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray, final = false): void {
    if (this.#disposed) return;
    const target = this.#own(buffer);
    const { texture, size } = target;
    if (data.length > size) {
      throw new BackendError(`webgl: upload of ${data.length} elements of ${dtype} into a buffer of ${size}`);
    }
    const same = data instanceof Float32Array && dtype === 'float32' && data.length % 4 === 0;
    const floats = same ? data : toFloats(dtype, data, texelsOf(data.length) * 4);
    const whole = data.length === size;
    if (whole) target.lost = false;
    target.kept = whole && (this.#options.keepUploads ?? true) ? (same && !final ? floats.slice() : floats) : null;
    if (!this.#failure) writeFloats(this.#device, texture, floats, data.length, !whole);
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    if (this.#failure) throw this.#failure;
    const { texture, lost } = this.#own(buffer);
    if (lost) throw gone();
    if (size === 0) {
      await this.sync();
      return fromFloats(dtype, new Float32Array(0), 0);
    }
    const floats = await this.#reads.read(texture, size);
    if (!this.#failure) this.#memory.check('what was computed');
    return fromFloats(dtype, floats, size);
  }

  compile(kernel: Kernel): Executable {
    if (this.#failure) throw this.#failure;
    return compile(kernel, this.#device);
  }

  async prepare(plan: Plan, options: PrepareOptions = {}): Promise<void> {
    if (this.#failure) throw this.#failure;
    const warm = async (wanted: Wanted): Promise<void> => {
      if (this.#failure) throw this.#failure;
      this.#submitter.warm(wanted);
      await this.#reads.done();
    };
    await prepare(plan, this.#programs, warm, options);
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    if (this.#disposed) return;
    const table = buffers.map((buffer) => this.#own(buffer));
    const tainted = new Set<GlBuffer>();
    const begin = this.#ran.has(plan) || this.#failure ? null : beginner(plan, table, this.#programs);
    this.#ran.add(plan);
    for (const step of plan.steps) {
      const before = performance.now();
      spread(step, table, tainted, this.#failure !== null);
      if (this.#failure || step.outputs.every((at) => table[at]?.lost)) continue;
      try {
        begin?.(step);
        this.#submitter.run(step, table, uniforms);
      } catch (cause) {
        if (!this.#device.gl.isContextLost()) throw cause; // else its event comes, and reads reject
      }
      if (!this.#listener) continue;
      const written = table[step.outputs[0] ?? -1];
      if (written) readFloats(this.#device, written.texture, 4); // waits
      this.#listener({ kernel: step.executable.kernel, milliseconds: performance.now() - before });
    }
  }

  async sync(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await this.#reads.done();
  }

  onKernel(listener: ((timing: KernelTiming) => void) | null): void {
    this.#listener = listener;
  }

  restore(): Promise<void> {
    if (this.#disposed) return Promise.reject(this.#failure);
    if (!this.#failure) return Promise.resolve();
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = null;
    });
    return this.#restoring;
  }

  async #restore(): Promise<void> {
    const old = this.#device;
    const device = findDevice(this.#options);
    try {
      const able = device.units >= old.units && device.targets >= old.targets;
      if (!able || device.limits.maxBufferBytes < old.limits.maxBufferBytes) {
        throw new BackendError(
          `webgl: restore: ${device.renderer} does less than ${old.renderer} did (${device.units} textures in, ${device.targets} out; it was ${old.units}, ${old.targets}); make a new backend with webgl()`,
        );
      }
      const gpujs = await GpuJsCompiler.make(device);
      if (this.#disposed) throw this.#failure;
      this.#memory.renew(device);
      this.#programs.renew(device, gpujs);
      this.#submitter = new Submitter(device, this.#memory, this.#programs);
    } catch (cause) {
      release(device);
      throw cause;
    }
    for (const buffer of this.#memory.buffers) {
      if (buffer.kept) writeFloats(device, buffer.texture, buffer.kept, buffer.size);
      else buffer.lost = true;
    }
    this.#reads.dispose();
    this.#reads = new Reads(device);
    this.#device = device;
    this.#failure = null;
    this.#watch();
  }

  dispose(): void {
    this.#disposed = true;
    this.#failure = new BackendError('webgl: the backend was disposed of; make a new one with webgl()');
    this.#reads.fail(this.#failure);
    this.#memory.dispose();
    this.#submitter.dispose();
    this.#reads.dispose();
    release(this.#device);
  }

  #own(buffer: DeviceBuffer): GlBuffer {
    return own(buffer, this.#memory);
  }
}

/** Gives the context back at once: pages have about sixteen. */
function release({ gl }: Device): void {
  gl.getExtension('WEBGL_lose_context')?.loseContext();
}

const gone = () =>
  new BackendError(
    'webgl: these values were computed on a context that was lost, and are gone; load the last checkpoint, or compute them anew',
  );
