/** Making ready what a call will run, before it has to be quick. */
import type { PrepareOptions } from './backend';
import { compile, traces } from './compile';
import { flush } from './flush';

export type WarmupOptions = PrepareOptions;

/**
 * Traces, schedules and compiles what f(...args) runs, and runs none of it: no state changes, but that initial values which
 * nobody has wanted yet are computed. The first call of a compiled f then is like any other; of a plain f, its kernels are ready.
 * Values of the arguments do not matter, their shapes do.
 * @param options.onProgress told of kernels as they become ready: { done, total }
 * @param options.signal ends the wait, with its reason; what is ready stays
 * @throws what the call would throw; BackendError where a kernel does not compile
 */
export async function warmup<Args extends readonly unknown[]>(
  f: (...args: Args) => unknown,
  args: Args,
  options: WarmupOptions = {},
): Promise<void> {
  options.signal?.throwIfAborted();
  const known = traces.get(f) ?? traces.get(compile(f));
  const { backend, ready, leaves } = (known as NonNullable<typeof known>).of(args);
  // initial values, which the first call would compute beside its own work
  const states = leaves.flatMap((leaf) => ('state' in leaf && leaf.state.pending ? [leaf.state] : []));
  if (states.length) flush([], states);
  if (backend.prepare) await backend.prepare(ready.plan, options);
  else {
    const total = ready.plan.steps.length;
    options.onProgress?.({ done: total, total });
  }
}
