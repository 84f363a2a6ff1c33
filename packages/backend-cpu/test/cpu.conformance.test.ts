/** The whole suite: in Node, in a page with one worker, and in a page with threads. */
import { describeBackend } from '@tessera/testkit';
import { cpu } from '../src/index';

const inPage = 'document' in globalThis;

/** A fixture of testkit: from disk, or from the server of the page. */
async function load(name: string): Promise<Uint8Array> {
  const url = new URL(`../../testkit/golden/${name}`, import.meta.url);
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (fs) return fs.readFile(url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// Pages run the same WebAssembly as Node, so fewer random cases do there; all others run everywhere.
describeBackend('cpu', () => cpu({ threads: 2 }), { load, ...(inPage && { random: 40, runs: 8 }) });
