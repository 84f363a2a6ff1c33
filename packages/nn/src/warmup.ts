/** A model made ready before its first call has to be quick. */
import { type Tensor, type WarmupOptions, warmup as warmupFunction, zeros } from '@tessera/tensor';
import { Module } from './module';

/**
 * Schedules and compiles a model's forward for images of this shape, in the mode that it is in, and runs none of it. Or that of
 * any function, with arguments as it will get them: `await warmup(step, [images, labels])`.
 * @param options.onProgress told of kernels as they become ready: { done, total }
 * @param options.signal ends the wait, with its reason
 * @throws what the call would throw; BackendError where a kernel does not compile
 */
export function warmup(
  model: Module<[Tensor], unknown>,
  shape: readonly number[],
  options?: WarmupOptions,
): Promise<void>;
export function warmup<Args extends readonly unknown[]>(
  f: (...args: Args) => unknown,
  args: Args,
  options?: WarmupOptions,
): Promise<void>;
export async function warmup(
  subject: Module<[Tensor], unknown> | ((...args: readonly unknown[]) => unknown),
  inputs: readonly unknown[],
  options: WarmupOptions = {},
): Promise<void> {
  if (!(subject instanceof Module)) return warmupFunction(subject, inputs, options);
  return warmupFunction((x: Tensor) => subject.forward(x) as Tensor, [zeros(inputs as readonly number[])], options);
}
