/** One thread of the limits: makes a loop when it is first asked for, and runs it. */
import { parentPort } from 'node:worker_threads';
import { limitCode } from './limit-code.ts';
import type { Limit } from './work.ts';

export interface ToLimit {
  readonly limit: Limit;
  /** How much this thread copies. */
  readonly bytes: number;
  readonly rounds: number;
}

const made = new Map<string, (rounds: number) => void>();

function make(limit: Limit, bytes: number): (rounds: number) => void {
  const memory = new WebAssembly.Memory({ initial: 1 + Math.ceil((2 * bytes) / 65536) });
  // Memory that nobody has written is one page of zeros, which a copy would read from the cache: 50 GB/s instead of 30.
  new Uint8Array(memory.buffer).fill(1);
  const module = new WebAssembly.Module(limitCode(limit, bytes));
  return new WebAssembly.Instance(module, { env: { memory } }).exports['run'] as (rounds: number) => void;
}

parentPort?.on('message', ({ limit, bytes, rounds }: ToLimit) => {
  const key = `${limit} ${bytes}`;
  const run = made.get(key) ?? make(limit, bytes);
  made.set(key, run);
  run(rounds);
  parentPort?.postMessage(null);
});
