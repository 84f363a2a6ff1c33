/** Runs in a page and in Node: starts the backend's worker and says how it went. */
import * as entry from '@tessera/backend-cpu';

async function main(): Promise<string> {
  const { cpu } = entry;
  const backend = await cpu();
  return `ok ${typeof backend}`;
}

const outcome = await main().catch((error: unknown) => `failed: ${error instanceof Error ? error.stack : error}`);
Object.assign(globalThis, { outcome });
console.log(`outcome: ${outcome}`);
