/** The machine's own limits as contestants: the same work on each thread, all at once. */
import { Worker } from 'node:worker_threads';
import type { Contestant } from './contestant.ts';
import { copyBytes, flopsPerRound } from './limit-code.ts';
import type { ToLimit } from './limit-worker.ts';
import type { Limit } from './work.ts';

/** Rounds of one run: about a millisecond of arithmetic, or one copy. */
const roundsOf = (limit: Limit) => (limit === 'copy' ? 1 : 2 ** 18);

/** What one run does on all threads, in thousand millions: operations, or bytes read and written. */
export const limitAmount = (limit: Limit, threads: number): number =>
  (limit === 'copy' ? 2 * copyBytes : threads * roundsOf(limit) * flopsPerRound) / 1e9;

export class Limits {
  readonly #workers: readonly Worker[];

  constructor(threads: number) {
    this.#workers = Array.from({ length: threads }, () => new Worker(new URL('./limit-worker.ts', import.meta.url)));
  }

  /** One limit on so many of the threads. */
  lane(limit: Limit, threads: number): Contestant {
    const workers = this.#workers.slice(0, threads);
    // The copy is cut among the threads, so that all of them together copy what one would.
    const bytes = limit === 'copy' ? Math.floor(copyBytes / threads) : 0;
    return {
      name: `limit: ${limit}`,
      version: 'this machine',
      prepare: async () => null,
      run: async (times) => {
        const start = performance.now();
        await Promise.all(workers.map((worker) => ask(worker, { limit, bytes, rounds: times * roundsOf(limit) })));
        return performance.now() - start;
      },
      close: () => {},
    };
  }

  close(): void {
    for (const worker of this.#workers) void worker.terminate();
  }
}

function ask(worker: Worker, message: ToLimit): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      worker.off('message', settle).off('error', settle);
      if (error) reject(error);
      else resolve();
    };
    worker.on('message', settle).on('error', settle);
    worker.postMessage(message);
  });
}
