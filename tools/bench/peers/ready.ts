import type { Numbers } from '../contestant.ts';

/** The work made ready: does it once, and lets go of what it made. */
export interface Ready {
  readonly first: Numbers;
  run(): Promise<void> | void;
  dispose(): Promise<void> | void;
}

/** A row that a library cannot do. */
export function cannot(why: string): never {
  throw new Error(why);
}
