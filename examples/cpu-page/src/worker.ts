/**
 * All of the library lives in this worker. The backend computes in workers of its own anyway; here even the graphs are made off
 * the UI thread, and so is the arithmetic where the page's policy forbids WebAssembly and the backend computes where it is called.
 */
import { cpu } from '@tessera/backend-cpu';
import { manualSeed, setBackend } from '@tessera/tensor';
import type { FromWorker, ToWorker } from './messages';
import { Training, twoMoons } from './moons';

const say = (message: FromWorker) => globalThis.postMessage(message);
const fail = (error: unknown) =>
  say({ type: 'failed', message: error instanceof Error ? error.message : String(error) });

/** Milliseconds between two looks at what the network makes of the square, and places along its side. */
const lookEvery = 100;
const size = 32;

async function start(): Promise<(signal: AbortSignal) => Promise<void>> {
  const backend = await cpu();
  setBackend(backend);
  manualSeed(0);
  const { points, labels } = await twoMoons(400);
  const training = new Training(points, labels);
  say({ type: 'ready', info: backend.info(), points, labels });

  let looked = 0;
  return (signal) =>
    training.train({
      signal,
      onEpoch: async (epoch, loss) => {
        say({ type: 'epoch', epoch, loss });
        if (performance.now() - looked < lookEvery) return;
        say({ type: 'surface', size, second: await training.surface(size) });
        looked = performance.now();
      },
    });
}

const started = start();
started.catch(fail);

let stop = new AbortController();
globalThis.onmessage = async ({ data }: MessageEvent<ToWorker>) => {
  if (data === 'stop') return stop.abort();
  stop = new AbortController();
  try {
    await (await started)(stop.signal);
    say({ type: 'stopped' });
  } catch (error) {
    fail(error);
  }
};
