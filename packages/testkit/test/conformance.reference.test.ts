import { readFile } from 'node:fs/promises';
import { reference } from '@tessera/tensor/reference';
import { describeBackend } from '../src/conformance';

describeBackend('reference', () => reference({ dtype: 'float32' }), {
  load: (name) => readFile(new URL(`../golden/${name}`, import.meta.url)),
  random: 0,
});
