/** The backend under test, the float64 oracle beside it, and the only reasons there are to skip. */
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
  skip(reason: SkipReason): void;
  readonly skipped: Map<SkipReason, number>;
}

/** What a backend may lack. The list is testkit's: a backend declares its limits and cannot skip anything itself. */
export const skipReasons = {
  float16: 'the backend stores no float16 (limits.dtypes)',
  fixtures: 'no loader for fixtures was handed in (options.load)',
} as const;
export type SkipReason = keyof typeof skipReasons;

export function subject(name: string, make: () => Promise<Backend> | Backend): Subject {
  let made: Promise<Backend> | undefined;
  const skipped = new Map<SkipReason, number>();
  return {
    name,
    backend: () => (made ??= Promise.resolve(make())),
    fresh: async () => make(),
    oracle: reference({ dtype: 'float64' }),
    skip: (reason) => skipped.set(reason, (skipped.get(reason) ?? 0) + 1),
    skipped,
  };
}

/** Runs `body` with a backend chosen. Values read in it may arrive later: a read keeps to the backend it began on. */
export async function on<Result>(backend: Backend, body: () => Promise<Result>): Promise<Result> {
  setBackend(backend);
  return body();
}
