/** @tessera/backend-cpu: kernels made as WebAssembly at run time, on worker threads. `await cpu()` is the backend. */
import { features } from './assembler';
import { type Cpu, CpuBackend, type CpuInfo, type CpuOptions } from './runtime';

export type { Cpu, CpuInfo, CpuOptions };

/**
 * Makes the backend; resolves when its workers run.
 * @throws BackendError where a worker does not start.
 */
export async function cpu(options: CpuOptions = {}): Promise<Cpu> {
  const has = allowed() ? features() : null;
  if (!has?.simd) return withoutWebAssembly();
  const backend = new CpuBackend(options, has);
  await backend.ready;
  return backend;
}

/** Does the page's policy allow WebAssembly made at run time? */
function allowed(): boolean {
  try {
    new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
    return true;
  } catch {
    return false;
  }
}

async function withoutWebAssembly(): Promise<Cpu> {
  const { reference } = await import('@tessera/tensor/reference');
  console.warn(
    "cpu: WebAssembly with SIMD is not available here, so the slow reference backend takes over; if a content security policy forbids it, add 'wasm-unsafe-eval' to script-src",
  );
  return Object.assign(reference({ dtype: 'float32' }), {
    trim: async () => {},
    info: (): CpuInfo => ({ threads: 1, simd: false, relaxed: false, shared: false, reference: true }),
  });
}
