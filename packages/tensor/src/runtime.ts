/**
 * What one program shares: the chosen backend, the random seed, what is being traced. It lives under a global symbol, so that
 * it survives a hot reload, and so that a second copy of this package is noticed instead of silently having its own.
 */
import type { Backend } from './backend';
import type { Trace } from './compile';
import { BackendError } from './errors';
import type { Node } from './node';
import type { State } from './state';

export const version = '0.1.0';
export const brand: unique symbol = Symbol.for('tessera.tensor') as never;

export interface Runtime {
  readonly version: string;
  backend: Backend | null;
  /** The compiled function being traced, innermost. */
  trace: Trace | null;
  /** How many callers want nodes to keep their inputs when realised (gradients in the making). */
  recording: number;
  /** The nodes made while recording, in order; the last caller to end lets them go. */
  recorded: Node[];
  /** State cells with an assignment that has not run yet. */
  dirty: Set<State>;
  /** Nodes made since the last flush. */
  pending: number;
  /** Path of the layer that runs now, for messages. Set by modules. */
  layer: string | null;
  /** Gives the line that calls an op, in debug mode (slow). */
  debug: (() => string | null) | null;
  /** Key of the random numbers; their counter is a state cell made at first use. */
  seed: readonly [number, number];
  counter: State | null;
}

const key: unique symbol = Symbol.for('tessera.runtime') as never;
const globals = globalThis as { [key]?: Runtime };

export const runtime: Runtime = /* @__PURE__ */ (() =>
  (globals[key] ??= {
    version,
    backend: null,
    trace: null,
    recording: 0,
    recorded: [],
    dirty: new Set(),
    pending: 0,
    layer: null,
    debug: null,
    seed: [0, 0],
    counter: null,
  }))();

/** Chooses the backend that computes from now on. Tensors already realised stay where they are. */
export function setBackend(backend: Backend): void {
  runtime.backend = backend;
}

/** The chosen backend. @throws BackendError naming the import to add where there is none. */
export function getBackend(): Backend {
  if (!runtime.backend)
    throw new BackendError(
      "no backend is chosen; add: import { cpu } from '@tessera/backend-cpu'; setBackend(await cpu());",
    );
  return runtime.backend;
}
