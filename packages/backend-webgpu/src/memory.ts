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
  /** It came from outside, with whatever size and use it has. */
  foreign = false;

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

/** Bytes that one buffer may have, and all of them. */
export interface Most {
  readonly buffer: number;
  readonly all: number;
}

/** Freed buffers are kept up to the highest use so far, and this much in any case. */
const leastKept = 64 * 2 ** 20;

export class Memory {
  /** Buffers made so far. */
  made = 0;
  /** Live buffers that came from outside: others may destroy them. */
  foreign = 0;
  readonly #device: GPUDevice;
  readonly #most: Most;
  readonly #host: Host;
  readonly #live = new Set<GpuBuffer>();
  /** By size, the first made first: a step that takes and frees as it did before is given the same ones, whatever else was freed. */
  readonly #kept = new Map<number, GPUBuffer[]>();
  readonly #idOf = new WeakMap<GPUBuffer, number>();
  #scratch: GPUBuffer | null = null;
  #bytes = 0;
  #keptBytes = 0;
  #peak = 0;

  constructor(device: GPUDevice, most: Most, host: Host) {
    this.#device = device;
    this.#most = most;
    this.#host = host;
  }

  /**
   * @param what for messages: `float32[1000]`
   * @param fresh none that was freed: work that still waits may have to do with those
   */
  allocate(bytes: number, what: string, fresh = false): GpuBuffer {
    if (bytes > this.#most.buffer) {
      throw new BackendError(
        `webgpu: ${what} needs ${bytes} bytes, this device holds at most ${this.#most.buffer} in one buffer; use a smaller batch`,
      );
    }
    const size = Math.min(roundUp(bytes), this.#most.buffer);
    if (this.#bytes + size > this.#most.all) {
      throw new BackendError(
        `webgpu: out of memory: ${what} needs ${size} bytes beside ${this.#bytes} in use (peak ${this.#peak}), maxMemoryBytes is ${this.#most.all}; use a smaller batch, or free tensors with using or dispose()`,
      );
    }
    const kept = fresh ? undefined : this.#kept.get(size)?.shift();
    if (kept) this.#keptBytes -= size;
    else this.#shrink(this.#most.all - this.#bytes - size);
    const gpu = kept ?? this.#create(size, what);
    const buffer = new GpuBuffer(this, gpu, this.#idOf.get(gpu) as number);
    this.#live.add(buffer);
    this.#bytes += size;
    this.#peak = Math.max(this.#peak, this.#bytes);
    return buffer;
  }

  /** A buffer from outside becomes one of these; it counts when it is live, and is destroyed when it is freed. */
  adopt(gpu: GPUBuffer): GpuBuffer {
    this.#idOf.set(gpu, this.made++);
    const buffer = new GpuBuffer(this, gpu, this.idOf(gpu));
    buffer.foreign = true;
    this.foreign++;
    this.#live.add(buffer);
    this.#bytes += gpu.size;
    this.#peak = Math.max(this.#peak, this.#bytes);
    return buffer;
  }

  free(buffer: GpuBuffer): void {
    if (!this.#live.delete(buffer)) throw new BackendError('webgpu: this buffer was freed before');
    buffer.live = false;
    this.#bytes -= buffer.bytes;
    const room = Math.min(Math.max(leastKept, this.#peak), this.#most.all - this.#bytes);
    if (buffer.foreign || this.#keptBytes + buffer.bytes > room) {
      if (buffer.foreign) this.foreign--;
      this.#host.later(() => buffer.gpu.destroy()); // WebGPU waits for submitted work
      return;
    }
    const kept = this.#kept.get(buffer.bytes) ?? [];
    const later = kept.findIndex((gpu) => this.idOf(gpu) > buffer.id);
    kept.splice(later < 0 ? kept.length : later, 0, buffer.gpu);
    this.#kept.set(buffer.bytes, kept);
    this.#keptBytes += buffer.bytes;
  }

  /** Lets go of kept buffers until they take no more than this. */
  #shrink(most: number): void {
    for (const [size, list] of this.#kept) {
      while (this.#keptBytes > most && list.length) {
        const gpu = list.pop() as GPUBuffer;
        this.#keptBytes -= size;
        this.#host.later(() => gpu.destroy());
      }
    }
  }

  /** The scratch of all kernels, which each uses from its start. */
  scratch(bytes: number): GPUBuffer {
    const old = this.#scratch;
    if (old && old.size >= bytes) return old;
    this.#scratch = this.#create(Math.min(roundUp(bytes), this.#most.buffer), `scratch[${bytes / 4}]`);
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
    const { bytes, reserved, peak } = this.use();
    void this.#device.popErrorScope().then((error) => {
      if (!error) return;
      const state = `${what} of ${size} bytes, beside ${bytes} in use (peak ${peak}) and ${reserved - bytes} kept`;
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
