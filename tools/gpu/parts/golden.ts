/** Golden cases on the GPU, from where the process before came to. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readGolden } from '@tessera/testkit';
import { runGolden } from '../../golden/run.ts';
import { matches, type Options, type Tell } from '../job.ts';
import { start } from '../start.ts';

export async function golden(
  file: string,
  { cases, without }: Options,
  tell: Tell,
  done: ReadonlySet<string>,
): Promise<void> {
  const backend = await start({ without });
  const all = readGolden(await readFile(join(import.meta.dirname, `golden/${file}.safetensors`)));
  const others = all.cases.map(({ name }) => name).filter((name) => !matches(name, cases));
  tell({ found: { cases: all.cases.length - others.length } });
  await runGolden(all, {
    skip: new Set([...done, ...others]),
    onStart: (name) => tell({ begin: name }),
    onCase: async (name, fault) => {
      if (fault) console.log(`  ${name} ${fault}`);
      tell({ end: name, fault });
      if (fault) await backend.sync(); // a lost device ends this process, and the next goes on
    },
  });
  backend.dispose();
}
