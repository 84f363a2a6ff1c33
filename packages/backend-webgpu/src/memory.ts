/**
 * Buffers. A freed one is kept and handed out again for the same size: work is done in the order it was submitted, so
 * whatever is written to it later comes behind what still reads it. Sizes are rounded up by an eighth at most, so that
 * there are few of them. Each has a GPUBuffer of its own, until a kernel wants more of them than the device binds (pages.ts):
 * then they are moved into a page, a GPUBuffer of many, once; what is freed there is kept like others, and a page goes with its last.
 * Small results of plans, the losses that a user holds, lie in pages from the start. No kernel writes to those: it writes to a buffer
 * that all plans have for it, and the result is copied (submit.ts), so that what a plan binds is the same at each run.
 */
import { BackendError, type DeviceBuffer, type MemoryUse } from '@tessera/tensor/backend';
import { usage } from './device';

/** A stretch of a GPUBuffer: the whole, or a part of a page. */
export interface Region {
  readonly gpu: GPUBuffer;
  readonly offset: number;
  readonly size: number;
  /** Never given twice: bind groups are known by the ids of what they bind. */
  readonly id: number;
  /** The least is handed out first. */
  rank: number;
  readonly page: Page | null;
}
interface Page {
  readonly results: boolean;
  readonly regions: Region[];
  /** How many of them somebody has. */
  live: number;
  /** The next of so many bytes. */
  add(bytes: number): Region;
}

export class GpuBuffer implements DeviceBuffer {
  /** What it takes: also the user's buffer that it was moved out of, which is destroyed with it. */
  bytes: number;
  region: Region;
  readonly memory: Memory;
  live = true;
  /** It came from outside, with whatever size and use it has. */
  foreign: GPUBuffer | null = null;
  /** A small result that no plan has made yet. */
  fresh = false;
  /** A kernel reads it beside a page: it has a GPUBuffer of its own. */
  alone = false;
  /** It lies where kernels want it, no longer where it was made. */
  moved = false;

  constructor(memory: Memory, region: Region) {
    this.memory = memory;
    this.region = region;
    this.bytes = region.size;
  }
}

export const bindingOf = ({ gpu, offset, size }: Region): GPUBufferBinding => ({ buffer: gpu, offset, size });

/** Bytes from one region to another, on the device. */
export interface Copy {
  readonly from: Region;
  readonly to: Region;
}

export function copyAll(encoder: GPUCommandEncoder, copies: readonly Copy[]): void {
  for (const { from, to } of copies)
    encoder.copyBufferToBuffer(from.gpu, from.offset, to.gpu, to.offset, Math.min(from.size, to.size));
}

/** What memory wants of the backend. */
export interface Host {
  /** There was no memory for a buffer: WebGPU tells it some time after it was asked. */
  failed(error: BackendError): void;
  /** Runs it when all that was asked for before is on its way to the device. */
  later(run: () => void): void;
  /** Copies in their turn. */
  copy(copies: readonly Copy[]): void;
}

/** Bytes that one buffer may have, and all of them. */
export interface Most {
  readonly buffer: number;
  readonly all: number;
}

/** Bytes of a page of results, each of which has the smallest size. */
const pageOfResults = 2 ** 16;

/** Under which what is freed is kept: by size, results apart. */
const shelfOf = ({ size, page }: Region): number => (page?.results ? 0 : size);

/** Freed buffers are kept up to the highest use so far, and this much in any case. */
const leastKept = 64 * 2 ** 20;

export class Memory {
  /** Buffers made so far. */
  made = 0;
  /** Live buffers that came from outside: others may destroy them. */
  foreign = 0;
  #ids = 0;
  readonly #device: GPUDevice;
  readonly #most: Most;
  readonly #host: Host;
  readonly #live = new Set<GpuBuffer>();
  /**
   * By size, the first made first: a step that takes and frees as it did before is given the same ones, whatever else was freed.
   * In pages come before them, but what its tensor was moved out of behind all others: that is free from the next step on only.
   */
  readonly #kept = new Map<number, Region[]>();
  readonly #drafts = new Map<number, GpuBuffer>();
  #scratch: Region | null = null;
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
   * @param result a plan makes it, the next that it is submitted with
   * @param fresh none that was freed: work that still waits may have to do with those
   */
  allocate(bytes: number, what: string, result = false, fresh = false): GpuBuffer {
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
    const small = result && size === smallest && this.#bytes + pageOfResults <= this.#most.all;
    const shelf = small ? 0 : size;
    if (small && !this.#kept.get(shelf)?.length) {
      this.#shrink(this.#most.all - this.#bytes - pageOfResults);
      const page = this.#page(pageOfResults, 'page of results', true);
      for (let i = 0; i < pageOfResults; i += smallest) this.#keep(page.add(smallest), page);
    }
    const kept = fresh ? undefined : this.#kept.get(shelf)?.shift();
    if (kept) this.#keptBytes -= size;
    else this.#shrink(this.#most.all - this.#bytes - size);
    if (kept?.page) kept.page.live++;
    const buffer = this.#own(new GpuBuffer(this, kept ?? this.#region(this.#create(size, what))));
    buffer.fresh = small;
    return buffer;
  }

  #page(bytes: number, what: string, results: boolean): Page {
    const gpu = this.#create(bytes, what);
    const regions: Region[] = [];
    let offset = 0;
    const add = (size: number): Region => {
      const region = this.#region(gpu, offset, size, page);
      offset += size;
      page.live++;
      regions.push(region);
      return region;
    };
    const page = { results, regions, live: 0, add };
    return page;
  }

  /** Small buffers that stay: where plans make small results, each at a place of its own. */
  draft(index: number): GpuBuffer {
    const draft = this.#drafts.get(index) ?? new GpuBuffer(this, this.#region(this.#create(smallest, 'result')));
    this.#drafts.set(index, draft);
    return draft;
  }
  /** What copies a small value; within a buffer WebGPU copies nothing, so it goes by way of another. */
  copiesOf(from: Region, to: Region): readonly Copy[] {
    if (from.gpu !== to.gpu) return [{ from, to }];
    const { region } = this.draft(-Infinity); // that of no plan, so it lies in no page
    return [
      { from, to: region },
      { from: region, to },
    ];
  }
  /** Something to bind where a kernel takes more pages than its operands lie in. */
  spare(index: number): GPUBufferBinding {
    return bindingOf(this.draft(-1 - index).region);
  }

  #own(buffer: GpuBuffer): GpuBuffer {
    this.#live.add(buffer);
    this.#bytes += buffer.bytes;
    this.#peak = Math.max(this.#peak, this.#bytes);
    return buffer;
  }

  #region(gpu: GPUBuffer, offset = 0, size = gpu.size, page: Page | null = null): Region {
    const id = this.#ids++;
    return { gpu, offset, size, id, rank: page ? id - Number.MAX_SAFE_INTEGER : id, page };
  }

  /** A buffer from outside becomes one of these; it counts when it is live, and is destroyed when it is freed. */
  adopt(gpu: GPUBuffer): GpuBuffer {
    const buffer = this.#own(new GpuBuffer(this, this.#region(gpu)));
    buffer.foreign = gpu;
    this.foreign++;
    return buffer;
  }

  free(buffer: GpuBuffer): void {
    if (!this.#live.delete(buffer)) throw new BackendError('webgpu: this buffer was freed before');
    buffer.live = false;
    this.#bytes -= buffer.bytes;
    const { region, foreign } = buffer;
    if (foreign) {
      this.foreign--;
      this.#host.later(() => foreign.destroy()); // WebGPU waits for submitted work
    }
    const room = Math.min(Math.max(leastKept, this.#peak), this.#most.all - this.#bytes);
    if (region.page) this.#keep(region, region.page);
    else if (region.gpu === foreign) return;
    else if (this.#keptBytes + region.size > room) this.#host.later(() => region.gpu.destroy());
    else this.#keep(region, null);
  }

  #keep(region: Region, page: Page | null): void {
    if (page) page.live--;
    const shelf = shelfOf(region);
    const kept = this.#kept.get(shelf) ?? [];
    const later = kept.findIndex((other) => other.rank > region.rank);
    kept.splice(later < 0 ? kept.length : later, 0, region);
    this.#kept.set(shelf, kept);
    this.#keptBytes += region.size;
  }

  /** Lets go of kept buffers until they take no more than this; of pages, those that nobody has a part of. */
  #shrink(most: number): void {
    for (const list of [...this.#kept.values()])
      for (const region of [...list].reverse()) {
        if (this.#keptBytes <= most) return;
        const { gpu, page } = region;
        if (page?.live || !list.includes(region)) continue;
        for (const gone of page?.regions ?? [region]) {
          const kept = this.#kept.get(shelfOf(gone)) as Region[];
          kept.splice(kept.indexOf(gone), 1);
          this.#keptBytes -= gone.size;
        }
        this.#host.later(() => gpu.destroy());
      }
  }

  /** How these would be laid into pages. */
  pagesOf(buffers: Iterable<GpuBuffer>): GpuBuffer[][] {
    const pages: GpuBuffer[][] = [];
    let room = 0;
    for (const buffer of buffers) {
      const size = aligned(buffer.region.size);
      if (size > room) room = pages.push([]) && this.#most.buffer;
      room -= size;
      pages[pages.length - 1]?.push(buffer);
    }
    return pages;
  }

  /** Moves them into pages. What was theirs is gone as soon as they are copied. */
  gather(buffers: Iterable<GpuBuffer>): void {
    for (const list of this.pagesOf(buffers)) {
      const bytes = list.reduce((sum, { region }) => sum + aligned(region.size), 0);
      this.#shrink(this.#most.all - this.#bytes - bytes);
      const page = this.#page(bytes, `page of ${list.length} tensors`, false);
      this.#move(list, ({ region: { size } }) => page.add(aligned(size)));
    }
  }

  /** Moves them out of their pages. */
  separate(buffers: readonly GpuBuffer[]): void {
    this.#move(buffers, ({ region: { size } }) => this.#region(this.#create(size, 'tensor out of a page')));
  }

  #move(buffers: readonly GpuBuffer[], place: (buffer: GpuBuffer) => Region): void {
    if (buffers.length === 0) return;
    const copies = buffers.map((buffer): Copy => {
      const copy = { from: buffer.region, to: place(buffer) };
      const before = buffer.bytes;
      buffer.moved = true;
      buffer.region = copy.to;
      buffer.bytes = copy.to.size + (buffer.foreign?.size ?? 0);
      this.#bytes += buffer.bytes - before;
      return copy;
    });
    this.#peak = Math.max(this.#peak, this.#bytes);
    this.#host.copy(copies);
    copies.forEach(({ from }, i) => {
      if (from.page) {
        from.rank = this.#ids++;
        this.#keep(from, from.page);
      } else if (from.gpu !== buffers[i]?.foreign) this.#host.later(() => from.gpu.destroy());
    });
  }

  /** The scratch of all kernels, which each uses from its start. */
  scratch(bytes: number): Region {
    const old = this.#scratch;
    if (old && old.size >= bytes) return old;
    this.#scratch = this.#region(this.#create(Math.min(roundUp(bytes), this.#most.buffer), `scratch[${bytes / 4}]`));
    if (old) this.#host.later(() => old.gpu.destroy());
    return this.#scratch;
  }

  use(): MemoryUse {
    const reserved = this.#bytes + this.#keptBytes + (this.#scratch?.size ?? 0) + this.#drafts.size * smallest;
    return { bytes: this.#bytes, buffers: this.#live.size, reserved, peak: this.#peak };
  }

  dispose(): void {
    for (const { region, foreign } of [...this.#live, ...this.#drafts.values()])
      for (const gpu of [region.gpu, foreign]) gpu?.destroy();
    for (const list of this.#kept.values()) for (const { gpu } of list) gpu.destroy();
    this.#scratch?.gpu.destroy();
    this.#live.clear();
    this.#drafts.clear();
    this.#kept.clear();
    this.#bytes = this.#keptBytes = 0;
  }

  #create(size: number, what: string): GPUBuffer {
    this.made++;
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
    return gpu;
  }
}

const ignore = (): void => {}; // the device is gone, and whoever waits hears of that

/** Bytes: buffers are no smaller, and begin at a multiple of it, which any device binds. */
export const smallest = 256;
const aligned = (bytes: number): number => Math.ceil(bytes / smallest) * smallest;

/** Up to a multiple of an eighth of the power of two below it, at least the smallest. */
function roundUp(bytes: number): number {
  const step = Math.max(smallest, 2 ** (Math.floor(Math.log2(Math.max(1, bytes))) - 3));
  return Math.max(step, Math.ceil(bytes / step) * step);
}
