/** Reads: copies into buffers that the host can map, taken in order with the work, and the promises of whoever waits. */
import type { BackendError } from '@tessera/tensor/backend';
import { mapRead, usage } from './device';
import type { Region } from './memory';

/** Staging buffers are kept for the next read, up to this many bytes in all. */
const mostKept = 64 * 2 ** 20;

export class Reads {
  /** Staging buffers made so far. */
  made = 0;
  /** Bytes of those that there are. */
  bytes = 0;
  readonly #device: GPUDevice;
  readonly #kept: GPUBuffer[] = [];
  readonly #rejects = new Set<(error: BackendError) => void>();
  /** Resolves when all that was submitted was found valid. */
  #valid: Promise<unknown> = Promise.resolve();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A read that waits: it settles by its functions, or with the backend's failure. */
  expect<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: BackendError) => void } {
    let settle: { resolve: (value: T) => void; reject: (error: BackendError) => void } | undefined;
    const promise = new Promise<T>((resolve, reject) => {
      const failed = (error: BackendError) => {
        this.#rejects.delete(failed);
        reject(error);
      };
      const done = (value: T) => {
        // What the device found wrong with the work before it comes first.
        void this.#valid.then(() => {
          if (this.#rejects.delete(failed)) resolve(value);
        });
      };
      this.#rejects.add(failed);
      settle = { resolve: done, reject: failed };
    });
    return { promise, ...(settle as NonNullable<typeof settle>) };
  }

  /** Reads wait for this check of the work before them. */
  after(check: Promise<unknown>): void {
    const before = this.#valid;
    this.#valid = check.then(
      () => before,
      () => before,
    );
  }

  /** The first bytes of a buffer, as they are after all work submitted so far. */
  async copy({ gpu, offset }: Region, bytes: number): Promise<ArrayBuffer> {
    const staging = this.#take(bytes);
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(gpu, offset, staging, 0, bytes);
    this.#device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(mapRead, 0, bytes);
      const copy = staging.getMappedRange(0, bytes).slice(0);
      staging.unmap();
      return copy;
    } finally {
      this.#keep(staging);
    }
  }

  fail(error: BackendError): void {
    for (const reject of [...this.#rejects]) reject(error);
    for (const staging of this.#kept) staging.destroy();
    this.#kept.length = 0;
    this.bytes = 0;
  }

  /** The smallest kept one that fits, unless it is far too large. */
  #take(bytes: number): GPUBuffer {
    const size = Math.max(256, 2 ** Math.ceil(Math.log2(bytes)));
    const at = this.#kept.findIndex((kept) => kept.size === size);
    if (at >= 0) return this.#kept.splice(at, 1)[0] as GPUBuffer;
    this.made++;
    this.bytes += size;
    return this.#device.createBuffer({ label: 'tessera read', size, usage: usage.mapRead | usage.copyDst });
  }

  #keep(staging: GPUBuffer): void {
    const kept = this.#kept.reduce((sum, { size }) => sum + size, 0);
    if (staging.mapState === 'unmapped' && kept + staging.size <= mostKept) this.#kept.push(staging);
    else {
      this.bytes -= staging.size;
      staging.destroy();
    }
  }
}
