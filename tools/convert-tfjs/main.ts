/**
 * `node --import ./tools/loader/register.mjs --conditions=@tessera/source tools/convert-tfjs/main.ts model.json out.safetensors`:
 * the options for `inceptionV3` are printed, and stand in the file's metadata.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cpu } from '@tessera/backend-cpu';
import { saveSafetensors } from '@tessera/nn';
import { setBackend } from '@tessera/tensor';
import { convert, type LayersModel } from './convert.ts';

const [source, target] = process.argv.slice(2);
if (!source || !target) throw new Error('wants a model.json, its shards beside it, and the name of a file to write');
const backend = await cpu();
setBackend(backend);
const model = JSON.parse(readFileSync(source, 'utf8')) as LayersModel;
const paths = model.weightsManifest.flatMap(({ paths }) => paths);
const { tensors, options } = convert(
  model,
  paths.map((path) => readFileSync(join(dirname(source), path))),
);
await saveSafetensors(tensors, target, { metadata: { options: JSON.stringify(options) } });
backend.dispose();
console.log(`inceptionV3(${JSON.stringify(options)})`);
