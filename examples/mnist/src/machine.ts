/** The backend of the demo, and what decides the bits it computes. */
import { setFlagsFromString } from 'node:v8';
import { type Cpu, cpu } from '@tessera/backend-cpu';
import { type Backend, setBackend } from '@tessera/tensor';

export const backendNames = ['cpu', 'webgpu'] as const;
export type BackendName = (typeof backendNames)[number];

/** What must be equal for two runs to be equal in every bit; threads are not part of it. */
export interface Machine {
  readonly backend: BackendName;
  /** Version of the backend's table of algorithms and tiles. */
  readonly table: number;
  /** What the processor and the engine offer; the GPU and its driver. */
  readonly features: string;
}

/** A backend that runs, and what the report says of it. */
export interface Started {
  readonly backend: Backend;
  readonly machine: Machine;
  /** '2 threads with simd', or the name of the GPU. */
  readonly device: string;
}

/**
 * Starts the backend, on so many threads where it has any, and makes it the chosen one.
 * @throws BackendError that says what to install where there is no GPU.
 */
export async function startBackend(name: BackendName, threads: number | null): Promise<Started> {
  const started = await { cpu: () => startCpu(threads), webgpu: startGpu }[name]();
  setBackend(started.backend);
  return started;
}

async function startCpu(threads: number | null): Promise<Started> {
  // Node 20 has fused multiply-add (relaxed SIMD) behind this flag; later versions have it and ignore the flag.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  const backend = await cpu(threads === null ? {} : { threads });
  const machine = machineOf(backend);
  return { backend, machine, device: `${backend.info().threads} threads with ${machine.features}` };
}

export function machineOf(backend: Cpu): Machine {
  const { simd, relaxed, reference, algorithms } = backend.info();
  const features = [simd && 'simd', relaxed && 'relaxed-simd', reference && 'reference'].filter((name) => name);
  return { backend: 'cpu', table: algorithms, features: features.join(' ') };
}

async function startGpu(): Promise<Started> {
  const [{ webgpu }, { nodeGpu }] = await Promise.all([
    import('@tessera/backend-webgpu'),
    import('../../../tools/gpu/node.ts'),
  ]);
  const { adapter, emulated } = await nodeGpu();
  if (emulated)
    console.warn(
      'no GPU was found: SwiftShader computes, an emulator, right but very slow; try --limit 128 --batch 32',
    );
  const backend = await webgpu({ adapter });
  const device = backend.info().adapter;
  return { backend, machine: { backend: 'webgpu', table: 1, features: device }, device };
}
