/**
 * Addresses in one WebAssembly memory. Blocks lie side by side in address order; a freed one joins its free neighbours and
 * is handed out again, the best-fitting first. A block starts at a multiple of 64 bytes and ends with at least 64 that
 * belong to nobody, so that vector loads may overrun.
 *
 * A free block is busy while queued work still uses what lay there. Buffers may take it at once, for their own work queues
 * behind; what the host writes past the queue needs a quiet one. Busy and quiet neighbours stay apart until the busy one is
 * through, or else a small one would keep all the free memory behind it busy.
 */
import { BackendError } from '@tessera/tensor/backend';

const alignment = 64;
const slack = 64;
export const pageBytes = 65536;
/** The last page of 4 GiB stays unused, so that the end of a block is a 32-bit number too. */
export const mostBytes = 0xffff0000;
// Growth in steps: a call costs the same whatever it brings, and memory that nobody touched costs nothing.
const leastGrowth = 16 * 2 ** 20;

export interface Block {
  address: number;
  /** Bytes up to the next block, slack included. */
  size: number;
  live: boolean;
  /** Queue position behind the last work of whoever freed it; 0 once that is through. */
  busyUntil: number;
  before: Block | null;
  after: Block | null;
}

export class Allocator {
  /** Free blocks, smallest first; of equal ones the lowest address. */
  readonly #free: Block[] = [];
  readonly #busy = new Set<Block>();
  #last: Block | null = null;
  #end: number;

  /** @param start the first address given out  @param end where the memory ends now */
  constructor(start: number, end: number) {
    this.#end = end;
    this.#append(start, end - start);
  }

  /** Where the memory ends. */
  get end(): number {
    return this.#end;
  }

  /** A block with room for `bytes`, or null where none is free. */
  allocate(bytes: number, quiet = false): Block | null {
    const size = sizeWithSlack(bytes);
    for (let i = this.#search(size, 0); i < this.#free.length; i++) {
      const block = this.#free[i] as Block;
      if (quiet && block.busyUntil > 0) continue;
      this.#remove(block);
      block.live = true;
      if (block.size > size) {
        const rest: Block = {
          address: block.address + size,
          size: block.size - size,
          live: false,
          busyUntil: block.busyUntil,
          before: block,
          after: block.after,
        };
        if (rest.after) rest.after.before = rest;
        else this.#last = rest;
        block.after = rest;
        block.size = size;
        this.#insert(rest);
      }
      return block;
    }
    return null;
  }

  /** Work that is queued up to position `busyUntil` (0: none) still uses the block. */
  free(block: Block, busyUntil: number): void {
    block.live = false;
    block.busyUntil = busyUntil;
    this.#insert(this.#joined(block, (other) => other.busyUntil > 0 === busyUntil > 0));
  }

  /** All work up to `position` is through. */
  settle(position: number): void {
    for (const block of [...this.#busy]) {
      if (block.busyUntil > position || !this.#busy.has(block)) continue;
      this.#remove(block);
      block.busyUntil = 0;
      this.#insert(this.#joined(block, (other) => other.busyUntil === 0));
    }
  }

  /** Joins busy and quiet neighbours after all: when memory is short. */
  joinAll(): void {
    for (const block of [...this.#busy]) {
      if (!this.#busy.has(block)) continue;
      this.#remove(block);
      this.#insert(this.#joined(block, () => true));
    }
  }

  /** The memory has grown to `end`. */
  extend(end: number): void {
    const from = this.#end;
    this.#end = end;
    this.#append(from, end - from);
  }

  /** How many bytes the memory must grow by for a quiet block of `bytes`. */
  missing(bytes: number): number {
    const last = this.#last;
    return sizeWithSlack(bytes) - (last && !last.live && last.busyUntil === 0 ? last.size : 0);
  }

  #append(address: number, size: number): void {
    const block: Block = { address, size, live: true, busyUntil: 0, before: this.#last, after: null };
    if (this.#last) this.#last.after = block;
    this.#last = block;
    this.free(block, 0);
  }

  /** The free block made of this one, which is in no list, and of such free neighbours. */
  #joined(block: Block, which: (other: Block) => boolean): Block {
    const { before, after } = block;
    if (after && !after.live && which(after)) {
      this.#remove(after);
      this.#join(block, after);
    }
    if (!before || before.live || !which(before)) return block;
    this.#remove(before);
    this.#join(before, block);
    return before;
  }
  #join(block: Block, after: Block): void {
    block.size += after.size;
    block.busyUntil = Math.max(block.busyUntil, after.busyUntil);
    block.after = after.after;
    if (after.after) after.after.before = block;
    else this.#last = block;
  }

  /** The first place in the list whose block is not less than (size, address). */
  #search(size: number, address: number): number {
    let lo = 0;
    let hi = this.#free.length;
    while (lo < hi) {
      const middle = (lo + hi) >> 1;
      const block = this.#free[middle] as Block;
      if (block.size < size || (block.size === size && block.address < address)) lo = middle + 1;
      else hi = middle;
    }
    return lo;
  }
  #insert(block: Block): void {
    this.#free.splice(this.#search(block.size, block.address), 0, block);
    if (block.busyUntil > 0) this.#busy.add(block);
  }
  #remove(block: Block): void {
    this.#free.splice(this.#search(block.size, block.address), 1);
    this.#busy.delete(block);
  }
}

const sizeWithSlack = (bytes: number): number => Math.ceil(bytes / alignment) * alignment + slack;

/** By how much to grow: what is missing, but at least a step, and no further than the limit. 0 where it cannot fit. */
export function growth(reserved: number, missing: number, limit: number): number {
  const pages = (bytes: number) => Math.ceil(bytes / pageBytes) * pageBytes;
  if (reserved + pages(missing) > limit) return 0;
  return Math.min(pages(Math.max(missing, leastGrowth, reserved / 4)), limit - reserved);
}

/** A shared memory with the largest maximum the host grants: a refused reservation is tried again at half. */
export function reserve(bytes: number, limit: number): WebAssembly.Memory {
  const initial = Math.ceil(bytes / pageBytes);
  let cause: unknown;
  for (let maximum = Math.ceil(limit / pageBytes); maximum >= initial; maximum >>= 1) {
    try {
      return new WebAssembly.Memory({ initial, maximum: Math.max(maximum, initial), shared: true });
    } catch (error) {
      cause = error;
    }
  }
  throw new BackendError(
    `cpu: no address space for a shared memory of ${formatBytes(bytes)}; close other pages or ask for less (maxMemoryBytes)`,
    { cause },
  );
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const power = Math.min(Math.max(0, Math.floor(Math.log(bytes || 1) / Math.log(1000))), 3);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}
