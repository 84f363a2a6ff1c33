/** @tessera/backend-webgpu: kernels as WGSL made from the kernel IR. `await webgpu()` is the backend. */
import { findDevice, type WebgpuOptions } from './device';
import { type Webgpu, WebgpuBackend, type WebgpuInfo } from './runtime';

export type { Webgpu, WebgpuInfo, WebgpuOptions };

/**
 * Makes the backend: in a page or worker on `navigator.gpu`, in Node on the package `webgpu`.
 * @throws BackendError where there is no WebGPU, no adapter or no device; the message says what to try.
 */
export async function webgpu(options: WebgpuOptions = {}): Promise<Webgpu> {
  return new WebgpuBackend(await findDevice(options), options);
}
