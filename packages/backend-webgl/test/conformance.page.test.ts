/** The whole suite of testkit in a page, on whatever draws WebGL2 there: in these tests an emulator. */
import { describeBackend } from '@tessera/testkit';
import { vi } from 'vitest';
import { webgl } from '../src/index';

// Some tests are a hundred programs, each of which takes the emulator 35 ms, and more beside other work.
vi.setConfig({ testTimeout: 300_000 });

/** A fixture of testkit, from the server of the page. */
async function load(name: string): Promise<Uint8Array> {
  const url = new URL(`../../testkit/golden/${name}`, import.meta.url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

describeBackend('webgl', () => webgl(), { load, accuracy: 'shader', emulated: true, random: 20, runs: 3 });
