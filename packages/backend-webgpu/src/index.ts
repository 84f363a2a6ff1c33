/** @tessera/backend-webgpu: kernels as WGSL made from the kernel IR. `await webgpu()` is the backend. */
import { findDevice, type WebgpuOptions } from './device';
import type { WebgpuInfo } from './info';
import { probe } from './probe';
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
  const tuning = options.tune ? await import('./tune') : null; // who does not tune does not load it
  const backend = new WebgpuBackend(await findDevice(options), options, tuning);
  if (options.probe ?? true) await probe(backend);
  return backend;
}
