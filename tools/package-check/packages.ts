/** `npm test -- --only packages`: manifests, types and a stranger's project for each tarball; a check each. */
import { readFileSync } from 'node:fs';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import type { Count } from '../check/count.ts';
import { bin, quiet } from '../check/exec.ts';
import { runChecks } from '../check/named.ts';
import { consume } from './consumer.ts';
import { passSuite } from './custom-backend.ts';
import { packAll, type Tarball, withNeeds } from './tarballs.ts';

/** publint on the tarball: exports that exist, in the right order, with the right endings. */
async function manifest({ file }: Tarball): Promise<void> {
  const bytes = readFileSync(file);
  const tarball = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  if (messages.length > 0) throw new Error(messages.map((message) => formatMessage(message, pkg)).join('\n'));
}

/** attw on the tarball: every entry's types resolve as Node and bundlers resolve its code. */
function types({ file }: Tarball): void {
  const { ok, output } = quiet(process.execPath, [
    bin('@arethetypeswrong/cli', 'attw'),
    file,
    '--profile=esm-only',
    '--no-emoji',
    '--no-definitely-typed',
    '--format=ascii',
  ]);
  if (!ok) throw new Error(output);
}

export function checkPackages(): Promise<Count> {
  const tarballs = packAll();
  return runChecks([
    ...[...tarballs].flatMap(([name, tarball]) => [
      { says: `@tessera/${name}: manifest (publint)`, run: () => manifest(tarball) },
      { says: `@tessera/${name}: types resolve (attw)`, run: () => types(tarball) },
      {
        says: `@tessera/${name}: installs with npm alone, type-checks and runs`,
        run: () => consume(name, withNeeds(tarballs, name)),
      },
    ]),
    {
      says: 'examples/custom-backend against the tarballs of tensor, autograd and testkit alone: the whole suite',
      run: () => passSuite(withNeeds(tarballs, 'testkit')),
    },
  ]);
}
