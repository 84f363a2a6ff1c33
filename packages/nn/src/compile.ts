/** `compile` for models: a mode of their own, mixed precision, and steps that an overflow skips. */
import { BackendError, compile as compileFunction, getBackend, type CompileOptions as Options } from '@tessera/tensor';
import { HalfWeights } from './half-weights';
import type { LossScaler } from './loss-scaler';
import { inMode } from './mode';
import { Module } from './module';

export interface CompileOptions extends Options {
  /**
   * 'mixed': convolutions, Linear and attention take float16 operands and sum in float32; parameters, norms, activations and
   * losses stay float32. In training hand in a `lossScale`, too. Default 'float32'.
   */
  readonly precision?: 'float32' | 'mixed';
  /** The scaler whose `valueAndGrad` the step calls: where a gradient is not finite, nothing but its scale is assigned. */
  readonly lossScale?: LossScaler | null;
}
export interface CompileModelOptions extends CompileOptions {
  /** The mode it runs in, whatever the model's own is; that is left alone. Default: the model's own. */
  readonly mode?: 'train' | 'eval';
}

/**
 * A model's forward, or a step, compiled: traced once a shape and then replayed. What a trace asked for is asked again at each
 * call: after `train()`, `eval()`, `freeze()` or another weight decay it traces anew, and the traces of both are kept.
 * torch.compile @throws as tensor's compile; BackendError where the backend has no float16 for mixed precision.
 */
export function compile<Inputs extends readonly unknown[], Output>(
  model: Module<Inputs, Output>,
  options?: CompileModelOptions,
): (...inputs: Inputs) => Output;
export function compile<Inputs extends readonly unknown[], Output>(
  step: (...inputs: Inputs) => Output,
  options?: CompileOptions,
): (...inputs: Inputs) => Output;
export function compile<Inputs extends readonly unknown[], Output>(
  subject: Module<Inputs, Output> | ((...inputs: Inputs) => Output),
  { precision = 'float32', lossScale = null, mode, ...options }: CompileModelOptions = {},
): (...inputs: Inputs) => Output {
  const model = subject instanceof Module ? subject : null;
  const f = subject instanceof Module ? (...inputs: Inputs) => subject.forward(...inputs) : subject;
  const name = options.name ?? (model ? model.constructor.name : f.name || 'step');
  const scaled = lossScale ? (...inputs: Inputs) => lossScale.guarding(() => f(...inputs)) : f;
  const weights = precision === 'mixed' ? new HalfWeights() : null;
  const precise = weights ? (...inputs: Inputs) => mixed(name, weights, () => scaled(...inputs)) : scaled;
  const inOwn = <R>(run: () => R) => (model && mode ? inMode(model, mode === 'train', run) : run());
  const within = <R>(run: () => R) => (weights ? weights.around(() => inOwn(run)) : inOwn(run));
  return compileFunction(precise, { ...options, within, name });
}

/** While it is traced, which is done for each backend. */
function mixed<Result>(name: string, weights: HalfWeights, f: () => Result): Result {
  const { name: backend, limits } = getBackend();
  if (!limits.dtypes.includes('float16'))
    throw new BackendError(
      `compile: ${name} has precision 'mixed', but backend ${backend} stores ${limits.dtypes.join(', ')}, no float16; choose a backend that has it, or leave precision out`,
    );
  return weights.trace(f);
}
