/** Where a worker's messages come from and go to: worker_threads in Node, the global scope in a page's worker. */
import type { FromWorker, ToWorker } from './protocol';

export interface Port {
  postMessage(message: FromWorker, transfer?: ArrayBuffer[]): void;
  /** An error that `handler` throws is reported to the host, which then gives this worker up. */
  listen(handler: (message: ToWorker) => void): void;
}

export function openPort(): Port {
  const port = openRaw();
  return {
    postMessage: port.postMessage,
    listen: (handler) =>
      port.listen((message) => {
        try {
          handler(message);
        } catch (error) {
          port.postMessage({ type: 'error', message: error instanceof Error ? `${error.message}` : String(error) });
        }
      }),
  };
}

function openRaw(): Port {
  const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads');
  const port = threads?.parentPort;
  if (port) {
    return {
      postMessage: (message, transfer) => port.postMessage(message, transfer),
      listen: (handler) => port.on('message', handler),
    };
  }
  const scope = globalThis as unknown as {
    postMessage(message: FromWorker, options?: { transfer?: ArrayBuffer[] }): void;
    onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  };
  return {
    postMessage: (message, transfer) => scope.postMessage(message, transfer ? { transfer } : {}),
    listen: (handler) => {
      scope.onmessage = (event) => handler(event.data);
    },
  };
}
