/** Runs in a page and in Node: starts the backend's worker, multiplies, and says how it went. */
import { cpu } from '@tessera/backend-cpu';
import { matmul, setBackend, tensor } from '@tessera/tensor';

async function main(): Promise<string> {
  const backend = await cpu();
  setBackend(backend);
  const [value] = await matmul(tensor([[1, 2]]), tensor([[3], [4]])).data();
  if (value !== 11) return `1·3 + 2·4 came out as ${value}`;
  const { threads, shared, reference } = backend.info();
  return reference ? 'the reference backend took over' : `ok, ${threads} thread(s), shared memory: ${shared}`;
}

const outcome = await main().catch((error: unknown) => `failed: ${error instanceof Error ? error.stack : error}`);
Object.assign(globalThis, { outcome });
console.log(`outcome: ${outcome}`);
