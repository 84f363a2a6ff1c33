/** A model in another mode for a while. */
import type { Module } from './module';

/** Runs f with all of the model training, or evaluating, and gives each module its own mode back. f may not be async. */
export function inMode<Result>(model: Module<never, unknown>, training: boolean, f: () => Result): Result {
  const modules = model.namedModules().map(([, module]) => module);
  const modes = modules.map((module) => module.training);
  if (modes.every((mode) => mode === training)) return f();
  try {
    model.train(training);
    return f();
  } finally {
    // Inner modules come later in the list: each sets its own again.
    for (const [i, module] of modules.entries()) module.train(modes[i] as boolean);
  }
}
