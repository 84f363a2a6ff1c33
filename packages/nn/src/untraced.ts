/** What is done now, once, while a function is traced. */
import { runtime } from '@tessera/tensor';

/** Runs f as if nothing were traced: what it makes is of now, and no part of each call. */
export function untraced<T>(f: () => T): T {
  const { trace } = runtime;
  runtime.trace = null;
  try {
    return f();
  } finally {
    runtime.trace = trace;
  }
}
