/** @tessera/backend-cpu: kernels made as WebAssembly at run time, on worker threads. `await cpu()` is the backend. */
import { features } from './assembler';
import { algorithms } from './compile';
import { type Cpu, CpuBackend, type CpuInfo, type CpuOptions } from './runtime';

export type { Cpu, CpuInfo, CpuOptions };

/**
 * Makes the backend; resolves when its workers run.
 * @throws BackendError where a worker does not start.
 */
export async function cpu(options: CpuOptions = {}): Promise<Cpu> {
  const has = allowed() ? features() : null;
  if (!has?.simd) return withoutWebAssembly(options);
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

/** The reference backend: in a worker, for a page's UI thread never computes; in place only where none starts. */
async function withoutWebAssembly(options: CpuOptions): Promise<Cpu> {
  const none = { simd: false, relaxed: false, shared: false, inPlace: false };
  const info: CpuInfo = { threads: 1, algorithms, reference: true, ...none };
  const complain = (where: string) =>
    console.warn(
      `cpu: WebAssembly with SIMD is not available here, so the slow reference backend takes over, ${where}; if a content security policy forbids it, add 'wasm-unsafe-eval' to script-src`,
    );
  let where = 'in the worker that called cpu()';
  if (!('WorkerGlobalScope' in globalThis)) {
    const { RemoteReference } = await import('./remote');
    const remote = new RemoteReference(options);
    try {
      await remote.ready;
      complain('in a worker');
      return Object.assign(remote, { trim: async () => {}, info: () => info });
    } catch (error) {
      where = `on the thread that called cpu(), which it blocks, for no worker starts (${(error as Error).message})`;
    }
  }
  const { reference } = await import('@tessera/tensor/reference');
  complain(where);
  return Object.assign(reference({ dtype: 'float32' }), {
    trim: async () => {},
    info: () => ({ ...info, inPlace: true }),
  });
}
