/**
 * Writes packages/zoo/golden/small.safetensors: what backend-cpu makes of those of make_golden.py's networks that have large
 * images there for small ones, so that a slower backend can be held against them. That it makes PyTorch's numbers of them at full size is what
 * `pnpm golden packages/zoo/golden/models.safetensors` shows; `--backend reference64` runs this file in float64. And
 * thin.safetensors, of networks with few channels (packages/zoo/test/thin.ts).
 *
 *     node --import ./tools/loader/register.mjs --conditions=@tessera/source tools/golden/make_small.ts small
 */
import { fileURLToPath } from 'node:url';
import { cpu } from '@tessera/backend-cpu';
import { saveSafetensors } from '@tessera/nn';
import { setBackend, type Tensor } from '@tessera/tensor';
import { type ModelAttrs, makers, modelRows } from '../../packages/zoo/test/golden-rows.ts';

const seed = 0;
/** Sides of the images. Gradients of GoogLeNet turn with rounding at 64: its last batch norms have 8 values a channel there. */
const files: Record<string, Readonly<Record<string, number>>> = {
  small: { alexnet: 64, vgg11: 64, vgg16_bn: 64, resnet18: 64, resnet50: 64, googlenet: 96 },
  thin: { thinVgg: 32, thinInception: 35, thinDensenet: 64 },
};
const name = process.argv[2] ?? '';
const networks = files[name];
if (!networks) throw new Error(`no file ${name}; there are ${Object.keys(files).join(', ')}`);
/** Norms of gradients that are left out: an input changed by 1e-6 of itself moves one by 2.2 times the bound. */
const unsteady = 'resnet50';

const backend = await cpu();
setBackend(backend);
const tensors = new Map<string, Tensor>();
const cases: object[] = [];
for (const [network, side] of Object.entries(networks)) {
  const op = `model_${network}`;
  const [make, row] = [makers[network], modelRows[op]];
  if (!make || !row) throw new Error(`no network ${network}`);
  const parameters = make().namedParameters();
  const attrs: ModelAttrs = {
    input: [2, 3, side, side],
    params: parameters.reduce((sum, [, { shape }]) => sum + shape.reduce<number>((a, b) => a * (b as number), 1), 0),
    grad_norm_of: parameters.map(([key]) => key),
  };
  const outputs = (await row({}, attrs as never, { name: `${op}/0`, seed, inputsOf: () => ({}) })) as Record<
    string,
    Tensor
  >;
  if (network === unsteady) delete outputs['grad_norm'];
  for (const [name, tensor] of Object.entries(outputs)) tensors.set(`${op}/0/out/${name}`, tensor);
  cases.push({ op, case: `${op}/0`, attrs, in: [], out: Object.keys(outputs) });
  console.log(network, await (outputs['loss'] as Tensor).item());
}
const file = fileURLToPath(new URL(`../../packages/zoo/golden/${name}.safetensors`, import.meta.url));
await saveSafetensors(tensors, file, { metadata: { cases: JSON.stringify(cases), seed: String(seed) } });
backend.dispose();
