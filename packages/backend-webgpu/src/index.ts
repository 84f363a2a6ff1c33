/** @tessera/backend-webgpu: kernels as WGSL made from the kernel IR. `await webgpu()` is the backend. */
import { findDevice, type WebgpuOptions } from './device';
import type { WebgpuInfo } from './info';
import { type Webgpu, WebgpuBackend } from './runtime';

export { type DrawTarget, toCanvas } from './canvas';
export { type CustomKernelOptions, type CustomSizes, customKernel } from './custom';
export { type FromBufferOptions, fromGPUBuffer, type ToBufferOptions, toGPUBuffer } from './external';
export { type FromImageOptions, fromImage, type ImageSource } from './image';
export type { Webgpu, WebgpuInfo, WebgpuOptions };

/**
 * Makes the backend: in a page or worker on `navigator.gpu`, in Node on the package `webgpu`.
 * @throws BackendError where there is no WebGPU, no adapter or no device, or where the device computes wrongly; the message
 * says what to try.
 */
export async function webgpu(options: WebgpuOptions = {}): Promise<Webgpu> {
  // what only some want comes while the device is found
  const [found, tuning, probing] = await Promise.all([
    findDevice(options),
    options.tune ? import('./tune') : null,
    (options.probe ?? true) ? import('./probe') : null,
  ]);
  const backend = new WebgpuBackend(found, options, tuning);
  await probing?.probe(backend);
  return backend;
}
