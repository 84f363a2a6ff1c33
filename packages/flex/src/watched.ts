/** Which layer an error comes from, in models whose `forward` is anyone's. */
import type { Module } from '@tessera/nn';
import { isTensor, runtime, type Shape, TesseraError } from '@tessera/tensor';

/** An error, and the innermost module that it left. */
export interface Fault {
  readonly error: TesseraError;
  readonly path: string;
  readonly layer: string;
  /** The shape of the module's first input. */
  readonly input: Shape | null;
}
type Forward = (...inputs: readonly unknown[]) => unknown;

/**
 * What `run` returns, or the fault that it ended with. Until then these modules note what leaves them by an error, and what
 * they make knows their paths: a value that does not fit the memory later names its layer.
 */
export function watched<Output>(
  modules: readonly (readonly [path: string, module: Module<never, unknown>])[],
  run: () => Output,
): { readonly output: Output } | { readonly fault: Fault } {
  const faults: Fault[] = [];
  const faultOf = (error: unknown) => faults.find((fault) => comesFrom(error, fault.error));
  const undo = modules.map(([path, module]) => {
    const own = Object.getOwnPropertyDescriptor(module, 'forward');
    const { forward } = module as unknown as { forward: Forward };
    const value: Forward = (...inputs) => {
      const outer = runtime.layer;
      runtime.layer = path || outer;
      try {
        return forward.apply(module, inputs as unknown[]);
      } catch (error) {
        const [x] = inputs;
        if (error instanceof TesseraError && !faultOf(error))
          faults.push({ error, path, layer: module.constructor.name, input: isTensor(x) ? x.shape : null });
        throw error;
      } finally {
        runtime.layer = outer;
      }
    };
    Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
    return () => {
      Reflect.deleteProperty(module, 'forward');
      if (own) Object.defineProperty(module, 'forward', own);
    };
  });
  try {
    return { output: run() };
  } catch (error) {
    const fault = faultOf(error);
    if (!fault) throw error;
    return { fault };
  } finally {
    for (const each of undo) each();
  }
}

/** Is it that error, or made of it? Sequential makes a new one that names the layer. */
function comesFrom(error: unknown, inner: Error): boolean {
  return error === inner || (error instanceof Error && error.cause !== undefined && comesFrom(error.cause, inner));
}
