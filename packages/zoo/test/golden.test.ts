/**
 * PyTorch's logits, loss and gradient norms, of the networks that take under ten seconds and 2 GB. All 25:
 * `pnpm golden packages/zoo/golden/models.safetensors --backend cpu`, and the same with families.safetensors.
 */
import { readFileSync } from 'node:fs';
import { cpu } from '@tessera/backend-cpu';
import { type Backend, setBackend } from '@tessera/tensor';
import { describeFault, readGolden, runCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelRows, steady } from './golden-rows';

const quick = {
  /** torchvision's networks, at full size. */
  models: [
    'alexnet',
    'resnet18',
    'resnet34',
    'resnet50',
    'resnext50_32x4d',
    'wide_resnet50_2',
    'googlenet',
    'inception_v3',
  ],
  /** Small images; those that torchvision has not are written down for PyTorch in tools/golden/make_zoo.py. */
  families: [
    ...['cifarResnet20', 'cifarPlain20', 'plain18', 'preactResnet18', 'cifarPreactResnet20'],
    ...['squeezenet1_0', 'squeezenet1_1', 'densenet121', 'mobilenetV2'],
  ],
};
let backend: Backend;
beforeAll(async () => setBackend((backend = await cpu())));
afterAll(() => backend.dispose());

describe.each(Object.entries(quick))('golden %s', (name, networks) => {
  const file = readGolden(readFileSync(new URL(`../golden/${name}.safetensors`, import.meta.url)));

  it('are whole, and have a row each', () => {
    const known = file.cases.filter(({ op }) => op in modelRows);
    expect([file.cases.length, known.length]).toEqual(name === 'models' ? [10, 10] : [15, 15]);
  });

  it.each(networks)('%s', async (network) => {
    const golden = file.cases.find(({ op }) => op === `model_${network}`);
    if (!golden) throw new Error(`no case of ${network}`);
    const fault = await runCase(modelRows, steady(golden), file);
    expect(fault && describeFault(fault)).toBe(null);
  });
});
