/**
 * Buffers. A freed one is kept and handed out again for the same size: work is done in the order it was submitted, so
 * whatever is written to it later comes behind what still reads it. Sizes are rounded up by an eighth at most, so that
 * there are few of them.
 */
import { BackendError, type DeviceBuffer, type MemoryUse } from '@tessera/tensor/backend';
import { usage } from './device';

export class GpuBuffer implements DeviceBuffer {
  readonly bytes: number;
  readonly gpu: GPUBuffer;
  /** Never given twice: bind groups are known by the ids of their buffers. */
  readonly id: number;
  readonly memory: Memory;
  live = true;

  constructor(memory: Memory, gpu: GPUBuffer, id: number) {
    this.memory = memory;
    this.gpu = gpu;
    this.id = id;
    this.bytes = gpu.size;
  }
}

/** What memory wants of the backend. */
export interface Host {
  /** There was no memory for a buffer: WebGPU tells it some time after it was asked. */
  failed(error: BackendError): void;
  /** Runs it when all that was asked for before is on its way to the device. */
  later(run: () => void): void;
}

/** Freed buffers are kept up to the highest use so far, and this much in any case. */
const leastKept = 64 * 2 ** 20;

export class Memory {
  /** Buffers made so far. */
  made = 0;
  readonly #device: GPUDevice;
  readonly #most: number;
  readonly #host: Host;
  readonly #live = new Set<GpuBuffer>();
  /** By size; the last freed is the first handed out. */
  readonly #kept = new Map<number, GPUBuffer[]>();
  readonly #idOf = new WeakMap<GPUBuffer, number>();
  #scratch: GPUBuffer | null = null;
  #bytes = 0;
  #keptBytes = 0;
  #peak = 0;

  constructor(device: GPUDevice, most: number, host: Host) {
    this.#device = device;
    this.#most = most;
    this.#host = host;
  }

  /** @param what for messages: `float32[1000]` */
  allocate(bytes: number, what: string): GpuBuffer {
    if (bytes > this.#most) {
      throw new BackendError(
        `webgpu: ${what} needs ${bytes} bytes, this device holds at most ${this.#most} in one buffer; use a smaller batch`,
      );
    }
    const size = Math.min(roundUp(bytes), this.#most);
    const kept = this.#kept.get(size)?.pop();
    if (kept) this.#keptBytes -= size;
    const gpu = kept ?? this.#create(size, what);
    const buffer = new GpuBuffer(this, gpu, this.#idOf.get(gpu) as number);
    this.#live.add(buffer);
    this.#bytes += size;
    this.#peak = Math.max(this.#peak, this.#bytes);
    return buffer;
  }

  free(buffer: GpuBuffer): void {
    if (!this.#live.delete(buffer)) throw new BackendError('webgpu: this buffer was freed before');
    buffer.live = false;
    this.#bytes -= buffer.bytes;
    if (this.#keptBytes + buffer.bytes > Math.max(leastKept, this.#peak)) {
      this.#host.later(() => buffer.gpu.destroy()); // WebGPU waits for submitted work
      return;
    }
    const kept = this.#kept.get(buffer.bytes) ?? [];
    kept.push(buffer.gpu);
    this.#kept.set(buffer.bytes, kept);
    this.#keptBytes += buffer.bytes;
  }

  /** The scratch of all kernels, which each uses from its start. */
  scratch(bytes: number): GPUBuffer {
    const old = this.#scratch;
    if (old && old.size >= bytes) return old;
    this.#scratch = this.#create(Math.min(roundUp(bytes), this.#most), `scratch[${bytes / 4}]`);
    if (old) this.#host.later(() => old.destroy());
    return this.#scratch;
  }

  idOf(gpu: GPUBuffer): number {
    return this.#idOf.get(gpu) ?? -1;
  }

  use(): MemoryUse {
    const reserved = this.#bytes + this.#keptBytes + (this.#scratch?.size ?? 0);
    return { bytes: this.#bytes, buffers: this.#live.size, reserved, peak: this.#peak };
  }

  dispose(): void {
    for (const buffer of this.#live) buffer.gpu.destroy();
    for (const list of this.#kept.values()) for (const gpu of list) gpu.destroy();
    this.#scratch?.destroy();
    this.#live.clear();
    this.#kept.clear();
    this.#bytes = this.#keptBytes = 0;
  }

  #create(size: number, what: string): GPUBuffer {
    this.#device.pushErrorScope('out-of-memory');
    const gpu = this.#device.createBuffer({
      label: `tessera ${what}`,
      size,
      usage: usage.storage | usage.copySrc | usage.copyDst,
    });
    const { bytes, reserved } = this.use();
    void this.#device.popErrorScope().then((error) => {
      if (!error) return;
      const state = `${what} of ${size} bytes, beside ${bytes} in use and ${reserved - bytes} kept`;
      this.#host.failed(
        new BackendError(
          `webgpu: out of memory for ${state}; use a smaller batch, free tensors with using or dispose(), and make a new backend (${error.message})`,
        ),
      );
    }, ignore);
    this.#idOf.set(gpu, this.made++);
    return gpu;
  }
}

const ignore = (): void => {}; // the device is gone, and whoever waits hears of that

/** Up to a multiple of an eighth of the power of two below it, at least 256. */
function roundUp(bytes: number): number {
  const step = Math.max(256, 2 ** (Math.floor(Math.log2(Math.max(1, bytes))) - 3));
  return Math.max(step, Math.ceil(bytes / step) * step);
}
