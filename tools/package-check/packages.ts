/** `npm test -- --only packages`: manifests, types and a stranger's project for each tarball; a check each. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { type Count, one, sum } from '../check/count.ts';
import { bin, quiet, root } from '../check/exec.ts';
import { consume } from './consumer.ts';
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

function readme({ package: { name } }: Tarball): void {
  if (!existsSync(join(root, 'packages', name, 'README.md'))) throw new Error(`packages/${name} has no README.md`);
}

export async function checkPackages(): Promise<Count> {
  const tarballs = packAll();
  const counts: Count[] = [];
  for (const [name, tarball] of tarballs) {
    const checks: [string, () => unknown][] = [
      ['has a README', () => readme(tarball)],
      ['manifest (publint)', () => manifest(tarball)],
      ['types resolve (attw)', () => types(tarball)],
      ['installs with npm alone, type-checks and runs', () => consume(name, withNeeds(tarballs, name))],
    ];
    for (const [says, check] of checks) {
      try {
        await check();
        console.log(`✓ @tessera/${name} ${says}`);
        counts.push(one(true));
      } catch (error) {
        console.error(`✗ @tessera/${name} ${says}\n${error instanceof Error ? error.message : error}`);
        counts.push(one(false));
      }
    }
  }
  return sum(counts);
}
