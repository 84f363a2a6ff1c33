/** What every backend must pass. */
import { readFile } from 'node:fs/promises';
import { describeBackend } from '@tessera/testkit';
import { scribe } from '../src/index';

const load = (name: string) => readFile(new URL(import.meta.resolve(`@tessera/testkit/golden/${name}`)));
describeBackend('scribe', scribe, { load });
