/**
 * What a backend makes of whole networks: `describeModels('cpu', () => cpu())` in a test file of Node or of a page. Logits in both
 * modes, loss and the norm of each gradient, from the formula's weights; the tolerance is that of golden models.
 */
import { type Backend, setBackend } from '@tessera/tensor';
import { describeFault, type GoldenFile, readGolden, runCase } from '@tessera/testkit';
import { afterAll, describe, expect, it } from 'vitest';
import { modelRows, steady } from './golden-rows';

/** The networks of each golden file: PyTorch's answers, but in `small` and `thin`, which tools/golden/make_small.ts wrote. */
const files = {
  /** Images of 32 to 263 pixels. */
  families: [
    ...['cifarResnet20', 'cifarPlain20', 'cifarPreactResnet20', 'plain18', 'preactResnet18', 'preactResnet50'],
    ...['squeezenet1_0', 'squeezenet1_1', 'densenet121', 'mobilenetV2', 'lectureAlexnet', 'vggLike'],
    ...['alexnetPaper', 'overfeatFast', 'overfeatAccurate'],
  ],
  /** 64 and 96 pixels. */
  small: ['alexnet', 'vgg11', 'vgg16_bn', 'resnet18', 'resnet50', 'googlenet'],
  /** 35 to 64 pixels, few channels (thin.ts). */
  thin: ['thinVgg', 'thinInception', 'thinDensenet'],
  /** 96 pixels; Inception 299, the fewest that its auxiliary head takes. */
  models: ['resnet34', 'resnext50_32x4d', 'wide_resnet50_2', 'inception_v3'],
};
/** All that there are. */
export const conformanceNetworks: readonly string[] = Object.values(files).flat();

/** Milliseconds that a network may take: an emulated GPU compiles each of its shaders, and does 0.5 GFLOP/s. */
const slowest = 600_000;

export interface ModelsOptions {
  /** Names out of `conformanceNetworks`: those that the backend has the time and the memory for. */
  readonly networks: readonly string[];
}

/** Registers a test a network with vitest. */
export function describeModels(
  name: string,
  make: () => Promise<Backend> | Backend,
  { networks }: ModelsOptions,
): void {
  let made: Promise<Backend> | undefined;
  const backend = () => (made ??= Promise.resolve(make()));
  describe(`networks on ${name}`, () => {
    it.each(networks)(
      '%s',
      async (network) => {
        setBackend(await backend());
        const file = await fileOf(network);
        const golden = file.cases.find(({ op }) => op === `model_${network}`);
        if (!golden) throw new Error(`no network ${network}; there are ${conformanceNetworks.join(', ')}`);
        const fault = await runCase(modelRows, steady(golden), file);
        expect(fault && describeFault(fault)).toBe(null);
      },
      slowest,
    );
    afterAll(async () => (await backend()).dispose());
  });
}

/** From disk, or from the server of the page. */
async function fileOf(network: string): Promise<GoldenFile> {
  const name = Object.entries(files).find(([, networks]) => networks.includes(network))?.[0] ?? 'models';
  const url = new URL(`../golden/${name}.safetensors`, import.meta.url);
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (fs) return readGolden(await fs.readFile(url));
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return readGolden(new Uint8Array(await answer.arrayBuffer()));
}
