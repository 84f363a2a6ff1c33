/**
 * Values on their way to the device. Small ones go through the queue; large ones are written into a ring of staging buffers
 * that stay mapped while they wait, and are copied at the start of the next commands: no array in between, no submit of its own.
 */
import { mapWrite, usage } from './device';
import type { Region } from './memory';

/** From here a mapped buffer wins (38 MB on Dawn: 9 to 12 ms in place of 30 to 47; 4 kB: 0.12 in place of 0.04). */
export const largeUpload = 2 ** 18;
/** What the ring may hold in all; what does not fit goes through the queue. */
const mostStaged = 2 ** 28;

/** Writes the values as the device stores them. */
export type Fill = (target: ArrayBuffer) => void;

interface Copy {
  readonly from: GPUBuffer;
  readonly to: Region;
  readonly bytes: number;
}

export class Uploads {
  /** Staging buffers made so far. */
  made = 0;
  /** Bytes of those that there are. */
  bytes = 0;
  readonly #device: GPUDevice;
  /** Mapped and waiting to be written. */
  readonly #mapped: GPUBuffer[] = [];
  /** All that there are. */
  readonly #all = new Set<GPUBuffer>();
  #copies: Copy[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Values that the next commands find in the buffer. `bytes` is a multiple of four. */
  write(to: Region, bytes: number, fill: Fill): void {
    const staging = bytes >= largeUpload ? this.#take(bytes) : null;
    if (staging) {
      fill(staging.getMappedRange(0, bytes));
      staging.unmap();
      this.#copies.push({ from: staging, to, bytes });
      return;
    }
    if (this.#copies.some((copy) => copy.to.id === to.id)) this.flush();
    const values = new ArrayBuffer(bytes);
    fill(values);
    this.#device.queue.writeBuffer(to.gpu, to.offset, values);
  }

  /** Begins the commands of whoever submits next; it calls `done` after. */
  encode(encoder: GPUCommandEncoder): void {
    for (const { from, to, bytes } of this.#copies) encoder.copyBufferToBuffer(from, 0, to.gpu, to.offset, bytes);
  }
  /** What was encoded is submitted: its staging buffers come back when the device is through. */
  done(): void {
    const copies = this.#copies;
    if (copies.length === 0) return;
    this.#copies = [];
    for (const { from } of copies)
      from.mapAsync(mapWrite).then(
        () => void (this.#all.has(from) && this.#mapped.push(from)),
        () => {}, // destroyed meanwhile: the backend is gone
      );
  }

  /** Submits what waits, where no commands come that it could begin. */
  flush(): void {
    if (this.#copies.length === 0) return;
    const encoder = this.#device.createCommandEncoder();
    this.encode(encoder);
    this.#device.queue.submit([encoder.finish()]);
    this.done();
  }

  dispose(): void {
    for (const staging of this.#all) staging.destroy();
    this.#all.clear();
    this.#mapped.length = this.#copies.length = this.bytes = 0;
  }

  #take(bytes: number): GPUBuffer | null {
    const size = 2 ** Math.ceil(Math.log2(bytes));
    const at = this.#mapped.findIndex((kept) => kept.size === size);
    if (at >= 0) return this.#mapped.splice(at, 1)[0] as GPUBuffer;
    // those of other sizes that lie idle make room
    for (let i = this.#mapped.length; this.bytes + size > mostStaged && i-- > 0; ) {
      const idle = this.#mapped.splice(i, 1)[0] as GPUBuffer;
      this.#all.delete(idle);
      this.bytes -= idle.size;
      idle.destroy();
    }
    if (this.bytes + size > mostStaged) return null;
    const flags = usage.mapWrite | usage.copySrc;
    const made = this.#device.createBuffer({ label: 'tessera upload', size, usage: flags, mappedAtCreation: true });
    this.made++;
    this.bytes += size;
    this.#all.add(made);
    return made;
  }
}
