/** The whole suite in a page, on whatever draws WebGL2 there: in these tests an emulator. */
import { describeBackend } from '@tessera/testkit';
import { webgl } from '../src/index';

/** A fixture of testkit, from the server of the page. */
async function load(name: string): Promise<Uint8Array> {
  const url = new URL(`../../testkit/golden/${name}`, import.meta.url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

describeBackend('webgl', () => webgl(), { load, random: 20, runs: 3, accuracy: 'shader' });
