/** What suites of backends in pages share. */
import type { ConformancePart } from '../src/index';

/** A fixture of testkit: from disk, or from the server of the page. */
export async function load(name: string): Promise<Uint8Array> {
  const url = new URL(`../golden/${name}`, import.meta.url);
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (fs) return fs.readFile(url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The parts of a page. In `pageOf` each part has one: a part that is new has to be given one. */
export const partsOf = <Page extends string>(pageOf: Record<ConformancePart, Page>, page: Page): ConformancePart[] =>
  (Object.keys(pageOf) as ConformancePart[]).filter((part) => pageOf[part] === page);
