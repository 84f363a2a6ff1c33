/** Waiting for the pipelines of a plan before it runs, with progress, until whoever waits has enough. */
import type { PrepareOptions } from '@tessera/tensor/backend';
import type { GpuExecutable } from './compile';

/** All pipelines are under way since their kernels were compiled: this only watches. @throws the signal's reason, BackendError */
export async function prepare(
  executables: readonly GpuExecutable[],
  { onProgress, signal }: PrepareOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const chosen = Promise.all(executables.map(({ choosing }) => choosing));
  await (signal ? Promise.race([chosen, aborted(signal, chosen)]) : chosen);
  const made = [...new Set(executables.flatMap(({ passes }) => passes.map((pass) => pass.made)))];
  const total = made.length;
  let done = made.filter(({ pipeline }) => pipeline !== null).length;
  onProgress?.({ done, total });
  signal?.throwIfAborted();
  const missing = made.filter(({ pipeline }) => pipeline === null);
  const all = Promise.all(
    missing.map(async ({ promise }) => {
      await promise;
      if (!signal?.aborted) onProgress?.({ done: ++done, total });
    }),
  );
  await (signal ? Promise.race([all, aborted(signal, all)]) : all);
}

/** Rejects when the signal says so, and forgets it when `until` is through. */
function aborted(signal: AbortSignal, until: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const forget = () => signal.removeEventListener('abort', stop);
    until.then(forget, forget);
  });
}
