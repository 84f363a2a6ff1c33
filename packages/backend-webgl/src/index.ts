/** @tessera/backend-webgl: gpu.js kernels printed from the kernel IR. `await webgl()` is the backend. */
import { findDevice, type WebglOptions } from './device';
import { GpuJsCompiler } from './gpujs';
import { type Webgl, WebglBackend, type WebglInfo } from './runtime';

export type { Webgl, WebglInfo, WebglOptions };

/**
 * Makes the backend, in a page or a worker.
 * @throws BackendError where there is no WebGL2 (in Node there is none); the message says which backend to use.
 */
export async function webgl(options: WebglOptions = {}): Promise<Webgl> {
  const device = findDevice(options);
  return new WebglBackend(device, await GpuJsCompiler.make(device), options);
}
