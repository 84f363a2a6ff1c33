/** What a page that names one network loads, as a bundler cuts it. */
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';

const zoo = 'packages/zoo/src/';
let outputs: Metafile['outputs'];
/** The files that `createModel` imports when it is called. */
let families: string[];
beforeAll(async () => {
  const { metafile } = await build({
    absWorkingDir: fileURLToPath(new URL('../../..', import.meta.url)),
    stdin: {
      contents: `import { createModel } from '@tessera/zoo'; console.log(await createModel('resnet18'));`,
      resolveDir: fileURLToPath(new URL('..', import.meta.url)),
    },
    conditions: ['@tessera/source'],
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    outdir: 'out',
    format: 'esm',
    platform: 'browser',
  });
  outputs = metafile.outputs;
  families = (metafile.inputs[`${zoo}index.ts`]?.imports ?? []).flatMap(({ path, kind }) =>
    kind === 'dynamic-import' ? [path] : [],
  );
});

/** The source files in a chunk and in those that it cannot do without. */
function loadedBy(chunk: string, seen = new Set<string>()): string[] {
  if (seen.has(chunk)) return [];
  seen.add(chunk);
  const { inputs, imports } = outputs[chunk] as Metafile['outputs'][string];
  const further = imports.flatMap(({ path, kind }) => (kind === 'import-statement' ? loadedBy(path, seen) : []));
  return [...Object.keys(inputs), ...further];
}
const chunkOf = (entry: string) =>
  Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === entry)?.[0] ?? '';
const familiesIn = (chunk: string) => loadedBy(chunk).filter((file) => families.includes(file));

describe('createModel', () => {
  it('brings no family with the program that calls it', () => {
    const app = Object.keys(outputs).find((path) => outputs[path]?.inputs[`${zoo}index.ts`]) ?? '';
    expect(loadedBy(app)).toContain(`${zoo}index.ts`);
    expect(familiesIn(app)).toEqual([]);
  });

  it('loads one family, each a chunk of its own', () => {
    expect(families).toHaveLength(12);
    for (const family of families) expect(familiesIn(chunkOf(family))).toEqual([family]);
  });
});
