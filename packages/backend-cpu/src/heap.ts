/** The memory of a backend: buffers, growth, and its errors. */
import { BackendError, type DeviceBuffer, type MemoryUse } from '@tessera/tensor/backend';
import { Live } from './live';
import { Allocator, type Block, growth, pageBytes, reserve } from './memory';
import { fillLowPage, lowPage } from './protocol';

/** A buffer of this backend. Its address changes only in `trim`. */
export class CpuBuffer implements DeviceBuffer {
  readonly bytes: number;
  block: Block | null;
  /** Queue position behind the last work that touches it. */
  busyUntil: number;
  readonly heap: Heap;

  constructor(heap: Heap, bytes: number, block: Block) {
    this.heap = heap;
    this.bytes = bytes;
    this.block = block;
    this.busyUntil = block.busyUntil;
  }

  get address(): number {
    if (!this.block) throw new BackendError('cpu: a buffer was used after it was freed; keep the tensor alive longer');
    return this.block.address;
  }
}

// What a fresh memory starts with; nothing of it is real before it is touched.
const initialBytes = 16 * 2 ** 20;

export class Heap {
  /** Null where the worker owns the memory: then this heap only deals out addresses. */
  memory: WebAssembly.Memory | null = null;
  readonly limit: number;
  readonly #live = new Live<CpuBuffer>();
  readonly #shared: boolean;
  /** Tells the worker that owns the memory to grow it. */
  readonly #grow: (pages: number) => void;
  /** The queue position up to which work is through. */
  readonly #done: () => number;
  #allocator!: Allocator;
  #view = new Uint8Array(0);

  constructor(shared: boolean, limit: number, done: () => number, grow: (pages: number) => void) {
    this.#shared = shared;
    this.limit = limit;
    this.#done = done;
    this.#grow = grow;
    this.renew(0);
  }

  use(): MemoryUse {
    return this.#live.use(this.#allocator.end);
  }

  /** All of the memory as bytes; only where it is shared. */
  view(): Uint8Array {
    const { memory } = this;
    if (!memory) throw new BackendError('cpu: the memory belongs to the worker');
    if (this.#view.buffer !== memory.buffer) this.#view = new Uint8Array(memory.buffer);
    return this.#view;
  }

  allocate(bytes: number, what: string): CpuBuffer {
    const block = this.take(bytes);
    if (!block) throw this.outOfMemory(bytes, what);
    const buffer = new CpuBuffer(this, bytes, block);
    this.#live.add(buffer);
    return buffer;
  }

  /** Gives the block back at once: what is queued later and gets it runs after all that still uses it. */
  free(buffer: CpuBuffer): void {
    const { block } = buffer;
    if (!block || !this.#live.delete(buffer)) return; // a second free is none
    buffer.block = null;
    this.release(block, buffer.busyUntil);
  }

  /** A block outside of the count of buffers: staging, scratch. Null when out of memory. */
  take(bytes: number, quiet = false): Block | null {
    const allocator = this.#allocator;
    allocator.settle(this.#done());
    const found = allocator.allocate(bytes, quiet);
    if (found) return found;
    if (!this.#extend(allocator.missing(bytes))) allocator.joinAll();
    return allocator.allocate(bytes, quiet);
  }
  /** Gives a block back that work queued up to `position` uses. */
  release(block: Block, position: number): void {
    this.#allocator.free(block, position > this.#done() ? position : 0);
  }

  #extend(missing: number): boolean {
    const reserved = this.#allocator.end;
    let bytes = growth(reserved, missing, this.limit);
    while (bytes >= missing && bytes > 0) {
      try {
        if (this.memory) this.memory.grow(bytes / pageBytes);
        else this.#grow(bytes / pageBytes);
        this.#allocator.extend(reserved + bytes);
        return true;
      } catch {
        // Refused: try again with just what is missing, then give up.
        const least = Math.ceil(missing / pageBytes) * pageBytes;
        if (bytes === least) return false;
        bytes = least;
      }
    }
    return false;
  }

  /** Starts over with a fresh memory, live buffers moved to its beginning. */
  renew(extra: number): void {
    const old = this.memory ? this.view() : null;
    let end = lowPage.end + pageBytes + extra;
    for (const buffer of this.#live) end += buffer.bytes + 128;
    const bytes = Math.min(this.limit, Math.ceil(Math.max(end, initialBytes) / pageBytes) * pageBytes);
    if (this.#shared) {
      this.memory = reserve(bytes, this.limit);
      fillLowPage(this.memory);
    } else if (!this.#allocator) {
      this.#grow(bytes / pageBytes - 1); // the worker's own starts with one page
    }
    this.#allocator = new Allocator(lowPage.end, bytes);
    if (!old) return;
    const view = this.view();
    for (const buffer of [...this.#live].sort((a, b) => a.address - b.address)) {
      const block = this.#allocator.allocate(buffer.bytes);
      if (!block) throw this.outOfMemory(buffer.bytes, 'a live buffer, in trim()');
      view.set(old.subarray(buffer.address, buffer.address + buffer.bytes), block.address);
      buffer.block = block;
      buffer.busyUntil = 0;
    }
  }

  outOfMemory(bytes: number, what: string): BackendError {
    return this.#live.outOfMemory(bytes, what, this.#allocator.end, this.limit);
  }
}
