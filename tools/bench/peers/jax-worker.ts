/**
 * A browser's `Worker` for jax-js, which asks for one to use threads and finds none in Node: a module from a blob's URL, with
 * the global `self` and `postMessage`.
 */
import { resolveObjectURL } from 'node:buffer';
import { Worker as Thread } from 'node:worker_threads';

const prelude = `const { parentPort } = require('node:worker_threads');
globalThis.self = globalThis;
globalThis.postMessage = (message) => parentPort.postMessage(message);
parentPort.on('message', (data) => self.onmessage({ data }));
`;

class PageWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((event: { message: string }) => void) | null = null;
  readonly #thread: Promise<Thread>;

  constructor(url: string) {
    this.#thread = this.#start(url);
    this.#thread.catch((error) => this.onerror?.({ message: String(error) }));
  }
  postMessage(message: unknown): void {
    void this.#thread.then((thread) => thread.postMessage(message));
  }
  terminate(): void {
    void this.#thread.then((thread) => thread.terminate());
  }
  async #start(url: string): Promise<Thread> {
    const source = await resolveObjectURL(url)?.text();
    const thread = new Thread(prelude + source, { eval: true, execArgv: [] });
    thread.on('message', (data) => this.onmessage?.({ data }));
    thread.on('error', (error: Error) => this.onerror?.({ message: error.message }));
    return thread;
  }
}

export function givePageWorkers(threads: number): void {
  Object.defineProperty(globalThis, 'Worker', { value: PageWorker, configurable: true });
  Object.defineProperty(globalThis, 'navigator', { value: { hardwareConcurrency: threads }, configurable: true });
}
