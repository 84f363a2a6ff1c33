/** A device whose calls are counted: what a step makes, encodes and submits. */

const methods = {
  device: [
    'createBuffer',
    'createBindGroup',
    'createBindGroupLayout',
    'createPipelineLayout',
    'createComputePipeline',
    'createComputePipelineAsync',
    'createShaderModule',
    'createTexture',
    'createQuerySet',
    'pushErrorScope',
    'createCommandEncoder',
  ],
  queue: ['submit'],
  encoder: ['beginComputePass'],
} as const;

/** How often each was called; those that were not are not there. */
export type Calls = Record<string, number>;

/** Counts calls of the device from now on. */
export function counted(device: GPUDevice): Calls {
  const calls: Calls = {};
  const watched = new WeakSet<object>(); // a device that only counts gives one encoder again and again
  const watch = (object: object, names: readonly string[], seen?: (result: unknown, name: string) => void) => {
    if (watched.has(object)) return;
    watched.add(object);
    const target = object as Record<string, (...args: unknown[]) => unknown>;
    for (const name of names) {
      const method = (target[name] as (...args: unknown[]) => unknown).bind(target);
      const value = (...args: unknown[]) => {
        calls[name] = (calls[name] ?? 0) + 1;
        const result = method(...args);
        seen?.(result, name);
        return result;
      };
      Object.defineProperty(target, name, { value, configurable: true, writable: true });
    }
  };
  watch(device, methods.device, (result, name) => {
    if (name === 'createCommandEncoder') watch(result as object, methods.encoder);
  });
  watch(device.queue, methods.queue);
  return calls;
}

/** What was called since a copy of the counts was made. */
export const since = (calls: Calls, before: Calls): Calls =>
  Object.fromEntries(
    Object.entries(calls).flatMap(([name, n]) => (n > (before[name] ?? 0) ? [[name, n - (before[name] ?? 0)]] : [])),
  );
