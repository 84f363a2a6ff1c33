/** The workers: how they start, report, die and let the process go. */
import { BackendError } from '@tessera/tensor/backend';
import type { FromWorker, Start, ToWorker } from './protocol';

/** What Node's worker and a page's have in common once `startWorker` has hidden the rest. */
interface Thread {
  post(message: ToWorker, transfer: ArrayBuffer[]): void;
  /** Whether this worker keeps the process alive (Node). */
  hold(held: boolean): void;
  stop(): void;
}
interface Handlers {
  message(message: FromWorker): void;
  /** The worker is gone or broken. */
  failed(reason: string): void;
}

export const node = <Name extends 'node:os' | 'node:worker_threads'>(name: Name) =>
  globalThis.process?.getBuiltinModule?.(name) as Name extends 'node:os'
    ? typeof import('node:os') | undefined
    : typeof import('node:worker_threads') | undefined;

type AnyWorker = import('node:worker_threads').Worker | globalThis.Worker;

// Node's class takes a page's arguments. The name is `Worker` in both, for bundlers look for `new Worker(new URL(`.
const workerClass = () =>
  (node('node:worker_threads')?.Worker ?? globalThis.Worker) as unknown as new (
    url: URL | string,
    options: { type: 'module' },
  ) => AnyWorker;

/** A worker that runs kernels. */
export function kernelWorker(url: URL | string | undefined): AnyWorker {
  const Worker = workerClass();
  if (url !== undefined) return new Worker(url, { type: 'module' });
  return new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
}
/** A worker that interprets them. */
export function interpreterWorker(url: URL | string | undefined): AnyWorker {
  const Worker = workerClass();
  if (url !== undefined) return new Worker(url, { type: 'module' });
  return new Worker(new URL('./interpreter.ts', import.meta.url), { type: 'module' });
}

function startWorker(worker: AnyWorker, handlers: Handlers): Thread {
  const post = (message: ToWorker, transfer: ArrayBuffer[]) => worker.postMessage(message, transfer);
  if ('terminate' in worker && 'on' in worker) {
    worker.on('message', handlers.message);
    worker.on('error', (error) => handlers.failed(String((error as Error)?.message ?? error)));
    worker.on('exit', (code) => handlers.failed(`it ended with code ${code}`));
    return {
      post,
      hold: (held) => (held ? worker.ref() : worker.unref()),
      stop: () => void worker.terminate(),
    };
  }
  const page = worker as globalThis.Worker;
  page.onmessage = (event: MessageEvent<FromWorker>) => handlers.message(event.data);
  page.onerror = (event) => {
    event.preventDefault?.();
    handlers.failed(event.message || 'its module did not load; does the server have it? (workerUrl)');
  };
  page.onmessageerror = () => handlers.failed('a message could not be read');
  return { post, hold: () => {}, stop: () => page.terminate() };
}

/** All workers of a backend. */
export class Crew {
  readonly #threads: Thread[] = [];
  #stopped = false;
  #held = true;

  /**
   * Starts the workers; `ready` resolves when all of them run. After that, or instead of it, `failed` is called at most
   * once, and the workers are stopped by then.
   */
  readonly ready: Promise<void>;

  constructor(
    make: () => AnyWorker,
    starts: readonly Start[],
    message: (message: FromWorker) => void,
    failed: (error: BackendError) => void,
  ) {
    this.ready = new Promise((resolve, reject) => {
      let missing = starts.length;
      const fail = (index: number, reason: string) => {
        if (this.#stopped) return;
        this.stop();
        const error = new BackendError(
          `cpu: worker ${index + 1} of ${starts.length} failed: ${reason}; its work is lost, make a new backend with cpu()`,
        );
        reject(error);
        failed(error);
      };
      starts.forEach((start, index) => {
        const thread = startWorker(make(), {
          message: (answer) => {
            if (this.#stopped) return;
            if (answer.type === 'error') fail(index, answer.message);
            else if (answer.type !== 'ready') message(answer);
            else if (--missing === 0) {
              this.hold(false);
              resolve();
            }
          },
          failed: (reason) => fail(index, reason),
        });
        this.#threads.push(thread);
        thread.post(start, []);
      });
    });
  }

  /** A message to the only worker. */
  post(message: ToWorker, transfer: ArrayBuffer[]): void {
    if (!this.#stopped) this.#threads[0]?.post(message, transfer);
  }

  /** While held, the workers keep the process alive. */
  hold(held: boolean): void {
    if (held === this.#held || this.#stopped) return;
    this.#held = held;
    for (const thread of this.#threads) thread.hold(held);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    for (const thread of this.#threads) thread.stop();
  }

  /** Ends one worker as a crash would; for tests. */
  kill(index: number): void {
    this.#threads[index]?.stop();
  }
}

/** Logical processors, at most 16: kernels are cut into chunks enough for that. */
export function processors(): number {
  const count = node('node:os')?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
  return Math.max(1, Math.min(16, count));
}
