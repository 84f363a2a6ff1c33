import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';

it('a worker thread started from a .ts URL runs, types and all', async () => {
  const worker = new Worker(new URL('./answer.ts', import.meta.url));
  expect(await once(worker, 'message')).toEqual(['1 passed, 0 failed']);
  await worker.terminate();
});
