/**
 * @tessera/backend-auto: the first backend that works here, webgpu → webgl → cpu, found by trying each and never by the
 * browser's name. Each is a package of its own, an optional peer that is loaded when its turn comes.
 */
import { type Backend, BackendError } from '@tessera/tensor/backend';
import { probe } from './probe';

const factories = {
  webgpu: () => import('@tessera/backend-webgpu').then(({ webgpu }) => webgpu),
  webgl: () => import('@tessera/backend-webgl').then(({ webgl }) => webgl),
  cpu: () => import('@tessera/backend-cpu').then(({ cpu }) => cpu),
} as const satisfies Record<string, () => Promise<() => Promise<Backend>>>;

export type BackendName = keyof typeof factories;

/** A backend that was tried and not taken: its package is missing, the host has not what it needs, or it computes wrong. */
export interface PassedOver {
  readonly name: BackendName;
  readonly reason: Error;
}

export interface AutoOptions {
  /** Tried first, in this order; the others follow as webgpu, webgl, cpu. */
  readonly prefer?: BackendName | readonly BackendName[];
  /** Told of each that is passed over, and why. Without it a line goes to `console.info`. */
  readonly onPassedOver?: (passed: PassedOver) => void;
  /** Ends the search, which then rejects with the signal's reason: a driver may hang. A backend that is made too late is disposed of. */
  readonly signal?: AbortSignal;
}

/**
 * Makes the first backend that loads, starts and computes a small program right. Hand it to `setBackend`.
 * @throws BackendError where none does; its message has the reason of each, its `cause` is an AggregateError of them.
 */
export async function autoBackend({ prefer = [], onPassedOver = tell, signal }: AutoOptions = {}): Promise<Backend> {
  const wanted = typeof prefer === 'string' ? [prefer] : prefer;
  const unknown = wanted.find((name) => !Object.hasOwn(factories, name));
  if (unknown !== undefined) {
    throw new BackendError(`autoBackend: no backend is called '${unknown}'; prefer takes ${names.join(', ')}`);
  }
  const passed: PassedOver[] = [];
  for (const name of new Set([...wanted, ...names])) {
    signal?.throwIfAborted();
    try {
      return await works(name, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      const reason = cause instanceof Error ? cause : new BackendError(`${name}: ${cause}`, { cause });
      passed.push({ name, reason });
      onPassedOver({ name, reason });
    }
  }
  const reasons = passed.map(({ name, reason }) => `\n  ${name}: ${reason.message}`).join('');
  throw new BackendError(`autoBackend: no backend works here:${reasons}`, {
    cause: new AggregateError(passed.map(({ reason }) => reason)),
  });
}

const names = Object.keys(factories) as BackendName[];

const tell = ({ name, reason }: PassedOver): void =>
  console.info(`autoBackend: passed over ${name}: ${reason.message}`);

/** What is coming, or the end that the signal tells of, whichever is first. */
function unless<T>(signal: AbortSignal | undefined, coming: Promise<T>): Promise<T> {
  if (!signal) return coming;
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end(); // while its package was loaded
    coming.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

/** The backend, after it computed something. */
async function works(name: BackendName, signal: AbortSignal | undefined): Promise<Backend> {
  const make = await factories[name]().catch((cause: unknown) => {
    const saw = cause instanceof Error ? cause.message : String(cause);
    throw new BackendError(`could not load its package (${saw}); npm install @tessera/backend-${name}`, { cause });
  });
  const coming = make();
  const backend = await unless(signal, coming).catch((cause: unknown) => {
    void coming.then(
      (late) => late.dispose(),
      () => {}, // its failure is told, or not asked for any more
    );
    throw cause;
  });
  try {
    await unless(signal, probe(backend));
    return backend;
  } catch (cause) {
    backend.dispose();
    throw cause;
  }
}
