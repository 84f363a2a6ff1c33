/** The backend under test, the float64 oracle beside it, and what was skipped. */
import { setBackend } from '@tessera/tensor';
import type { Backend } from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';

export interface Subject {
  readonly name: string;
  /** Made once, at the first test that wants it. */
  backend(): Promise<Backend>;
  /** A fresh one, for tests that dispose of it. */
  fresh(): Promise<Backend>;
  readonly oracle: Backend;
  /** Counts a skip; the reasons come from testkit, never from the backend's author. */
  skip(reason: string): void;
  readonly skipped: Map<string, number>;
  /** Of all backends that were made. */
  dispose(): Promise<void>;
}

/** The one thing that is not the backend's to have; what its limits rule out, `unsupported` of kernels.ts says. */
export const noFixtures = 'no loader for fixtures was handed in (options.load)';

export function subject(name: string, make: () => Promise<Backend> | Backend): Subject {
  let made: Promise<Backend> | undefined;
  const all = new Set<Backend>();
  const fresh = async (): Promise<Backend> => {
    const backend = await make();
    all.add(backend);
    return backend;
  };
  const oracle = reference({ dtype: 'float64' });
  const skipped = new Map<string, number>();
  return {
    name,
    backend: () => (made ??= fresh()),
    fresh,
    oracle,
    skip: (reason) => skipped.set(reason, (skipped.get(reason) ?? 0) + 1),
    skipped,
    async dispose() {
      await made;
      for (const backend of [oracle, ...all]) backend.dispose();
    },
  };
}

/** Runs `body` with a backend chosen. Values read in it may arrive later: a read keeps to the backend it began on. */
export async function on<Result>(backend: Backend, body: () => Promise<Result>): Promise<Result> {
  setBackend(backend);
  return body();
}
