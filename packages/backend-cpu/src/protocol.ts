/**
 * What the host (the thread that calls cpu()) and its workers agree on.
 */
import type { DType, Kernel, PlanStep, TypedArray } from '@tessera/tensor/backend';

/**
 * Commands are runs of int32 words, [opcode, length, …]. With a shared memory they go through a ring beside it, which every
 * worker reads for itself; without one they come as messages to the only worker. Opcodes and their words:
 *
 *   skip     –                                            the rest of the ring is unused, go on at its start
 *   kernel   id, address, bytes, names, scratch, chunks…  compile the module at `address`; its phases' names, joined by
 *                                                         line feeds, lie behind it; `scratch` is the word of `args`
 *                                                         that takes the worker's own scratch; chunks of each phase
 *   drop     id                                           forget a kernel
 *   scratch  base, stride, args                           worker i owns base + i·stride: `args` bytes, then scratch
 *   job      id, words of args…                           run a kernel
 *   fence    token, position                              all before is done: tell the host
 *   timing   on                                           measure jobs from now on, or no longer
 */
export const opcodes = { skip: 0, kernel: 1, drop: 2, scratch: 3, job: 4, fence: 5, timing: 6 } as const;

/** Words of the control block, each on its own cache line; the ring lies behind them. */
export const control = {
  /** Words ever written to the ring, modulo 2^32; and those that all workers are through with, in words and in commands. */
  head: 0,
  tail: 16,
  done: 17,
  /** The barrier: workers that came, how often it opened, workers asleep at it. */
  arrived: 32,
  generation: 48,
  sleepers: 64,
  /** Next chunk of the phase that runs. */
  chunk: 80,
  ring: 96,
} as const;
/** Words in the ring, a power of two. */
export const ringWords = 1 << 16;

/** The first page of a memory belongs to no buffer: zeros for loads from outside of a tensor, then tables. */
export const lowPage = { zeros: 0, zeroBytes: 1024, pio4: 1024, end: 2048 } as const;

/** 4/π in overlapping 32-bit windows, 8 bits apart: what a large argument of sin needs for its reduction. */
const inversePio4 = [
  0xa2, 0xa2f9, 0xa2f983, 0xa2f9836e, 0xf9836e4e, 0x836e4e44, 0x6e4e4415, 0x4e441529, 0x441529fc, 0x1529fc27,
  0x29fc2757, 0xfc2757d1, 0x2757d1f5, 0x57d1f534, 0xd1f534dd, 0xf534ddc0, 0x34ddc0db, 0xddc0db62, 0xc0db6295,
  0xdb629599, 0x6295993c, 0x95993c43, 0x993c4390, 0x3c439041,
];
export function fillLowPage(memory: WebAssembly.Memory): void {
  new Uint8Array(memory.buffer).fill(0, lowPage.zeros, lowPage.zeroBytes);
  new Uint32Array(memory.buffer).set(inversePio4, lowPage.pio4 / 4);
}

/** To a worker that interprets: calls of a backend, with numbers for buffers, executables and answers. */
export type Call =
  | { readonly do: 'allocate'; readonly id: number; readonly dtype: DType; readonly size: number }
  | { readonly do: 'free'; readonly id: number }
  | { readonly do: 'upload'; readonly id: number; readonly dtype: DType; readonly data: TypedArray }
  | { readonly do: 'compile'; readonly id: number; readonly kernel: Kernel }
  | { readonly do: 'drop'; readonly id: number }
  | {
      readonly do: 'submit';
      readonly steps: readonly (Omit<PlanStep, 'executable'> & { readonly executable: number })[];
      readonly buffers: readonly number[];
      readonly uniforms: readonly number[];
    }
  | {
      readonly do: 'download';
      readonly token: number;
      readonly id: number;
      readonly dtype: DType;
      readonly size: number;
    }
  | { readonly do: 'sync'; readonly token: number }
  | { readonly do: 'timing'; readonly on: boolean };

/** What a worker is started with. `control` is null without a shared memory. */
export interface Start {
  readonly type: 'start';
  readonly memory: WebAssembly.Memory | null;
  readonly control: SharedArrayBuffer | null;
  readonly index: number;
  readonly threads: number;
}
/** Messages to the only worker of an unshared memory, done in order. */
export type ToWorker =
  | Start
  | { readonly type: 'commands'; readonly words: Int32Array }
  | { readonly type: 'grow'; readonly pages: number }
  | { readonly type: 'write'; readonly address: number; readonly bytes: Uint8Array }
  | { readonly type: 'read'; readonly token: number; readonly address: number; readonly bytes: number }
  | { readonly type: 'call'; readonly call: Call };
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'fence'; readonly token: number; readonly done: number }
  | { readonly type: 'data'; readonly token: number; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'answer'; readonly token: number; readonly data: TypedArray | null }
  /** Kernel ids and milliseconds, alternating. */
  | { readonly type: 'timings'; readonly timings: Float64Array }
  | { readonly type: 'error'; readonly message: string };
