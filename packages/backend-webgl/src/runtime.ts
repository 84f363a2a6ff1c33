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
  type TypedArray,
} from '@tessera/tensor/backend';
import { Compiler } from './compile';
import type { Device, WebglOptions } from './device';
import type { GpuJsCompiler } from './gpujs';
import { fromFloats, texelsOf, toFloats } from './layout';
import { type GlBuffer, Memory } from './memory';
import { own, Submitter } from './submit';
import { Reads, readFloats, writeFloats } from './transfer';

export interface WebglInfo {
  /** The renderer, as far as the browser tells. */
  readonly renderer: string;
  /** Textures that a draw reads and writes at most, and the rows of a texture. */
  readonly units: number;
  readonly targets: number;
  /** Made so far: a step that comes again adds none. */
  readonly objects: { readonly programs: number; readonly textures: number };
}

export interface Webgl extends Backend {
  info(): WebglInfo;
}

export class WebglBackend implements Webgl {
  readonly name = 'webgl';
  readonly limits: Limits;
  readonly #device: Device;
  readonly #memory: Memory;
  readonly #compiler: Compiler;
  readonly #submitter: Submitter;
  readonly #reads: Reads;
  #listener: ((timing: KernelTiming) => void) | null = null;
  #failure: BackendError | null = null;

  constructor(device: Device, gpujs: GpuJsCompiler, { onLost }: WebglOptions) {
    this.#device = device;
    this.limits = device.limits;
    this.#memory = new Memory(device.gl);
    this.#compiler = new Compiler(device, gpujs);
    this.#submitter = new Submitter(device, this.#memory, this.#compiler);
    this.#reads = new Reads(device.gl);
    device.canvas.addEventListener('webglcontextlost', (event) => {
      event.preventDefault(); // so that it may be restored
      if (this.#failure) return;
      this.#failure = new BackendError(
        'webgl: the context was lost (the browser took the GPU away); what was on it is gone, make a new backend with webgl() and load the last checkpoint',
      );
      this.#reads.fail(this.#failure);
      onLost?.(this.#failure);
    });
  }

  info(): WebglInfo {
    const { renderer, units, targets } = this.#device;
    return { renderer, units, targets, objects: { programs: this.#compiler.made, textures: this.#memory.made } };
  }

  memory(): MemoryUse {
    return this.#memory.use();
  }

  allocate(dtype: DType, size: number): DeviceBuffer {
    if (this.#failure) throw this.#failure;
    return this.#memory.allocate(dtype, size);
  }

  free(buffer: DeviceBuffer): void {
    if (this.#failure) return; // everything is gone; a finalizer may come after it
    this.#memory.free(this.#own(buffer));
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray): void {
    if (this.#failure) return;
    const { texture, size } = this.#own(buffer);
    if (data.length > size) {
      throw new BackendError(`webgl: upload of ${data.length} elements of ${dtype} into a buffer of ${size}`);
    }
    const whole = data instanceof Float32Array && dtype === 'float32' && data.length % 4 === 0;
    const floats = whole ? data : toFloats(dtype, data, texelsOf(data.length) * 4);
    writeFloats(this.#device.gl, texture, floats, data.length, data.length < size);
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    if (this.#failure) throw this.#failure;
    const { texture } = this.#own(buffer);
    if (size === 0) {
      await this.sync();
      return fromFloats(dtype, new Float32Array(0), 0);
    }
    return fromFloats(dtype, await this.#reads.read(texture, size), size);
  }

  compile(kernel: Kernel): Executable {
    if (this.#failure) throw this.#failure;
    return this.#compiler.compile(kernel);
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    if (this.#failure) return;
    const table = buffers.map((buffer) => this.#own(buffer));
    for (const step of plan.steps) {
      const before = performance.now();
      this.#submitter.run(step, table, uniforms);
      if (!this.#listener) continue;
      const written = table[step.outputs[0] ?? -1];
      if (written) readFloats(this.#device.gl, written.texture, 4); // waits
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

  dispose(): void {
    this.#failure ??= new BackendError('webgl: the backend was disposed of; make a new one with webgl()');
    this.#reads.fail(this.#failure);
    this.#memory.dispose();
    this.#submitter.dispose();
    this.#reads.dispose();
    this.#device.gl.getExtension('WEBGL_lose_context')?.loseContext(); // pages have about sixteen
  }

  #own(buffer: DeviceBuffer): GlBuffer {
    return own(buffer, this.#memory);
  }
}
