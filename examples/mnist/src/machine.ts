/** The backend of the demo, and what decides the bits it computes. */
import { setFlagsFromString } from 'node:v8';
import { type Cpu, cpu } from '@tessera/backend-cpu';
import { setBackend } from '@tessera/tensor';

/** What must be equal for two runs to be equal in every bit; threads are not part of it. */
export interface Machine {
  /** Version of the backend's table of algorithms and tiles. */
  readonly table: number;
  /** What the processor and the engine offer. */
  readonly features: string;
}

/** Starts the backend on so many threads and makes it the chosen one. */
export async function startBackend(threads: number | null): Promise<Cpu> {
  // Node 20 has fused multiply-add (relaxed SIMD) behind this flag; later versions have it and ignore the flag.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const backend = await cpu(threads === null ? {} : { threads });
  setBackend(backend);
  return backend;
}

export function machineOf(backend: Cpu): Machine {
  const { simd, relaxed, reference, algorithms } = backend.info();
  const features = [simd && 'simd', relaxed && 'relaxed-simd', reference && 'reference'].filter((name) => name);
  return { table: algorithms, features: features.join(' ') };
}
