/** CONTRIBUTING.md's worked examples of an op and of a layer, put into the files that they name: they compile and compute. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { root } from '../../check/exec.ts';

const page = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');

/** The blocks of a section, each with the file that its item names. */
function blocksOf(section: string): [file: string, code: string][] {
  const text = page.split(/^## /m).find((each) => each.startsWith(section)) ?? '';
  const items = text.matchAll(/^\d\. `(\S+)`(?:(?!^\d\. ).)*?^```js\n(.*?)^```$/gms);
  return [...items].map(([, file = '', code = '']) => [file, code]);
}
const op = blocksOf('Worked example: an op');
const layer = blocksOf('Worked example: a layer');

/** Where the page says that a block goes. */
const places: Record<string, (source: string, code: string) => string> = {
  'packages/tensor/src/ops/activation.ts': (source, code) => `${source}\n${code}`,
  'packages/autograd/src/activation.ts': (source, code) =>
    `import { abs, hardshrink } from '@tessera/tensor';\n${source.replace(/\}\s*$/, `${code}}\n`)}`,
  'packages/testkit/src/exercises/elements.ts': (source, code) => source.replace(/const broken = .*\[\n/, `$&${code}`),
  'packages/nn/src/activation.ts': (source, code) =>
    `import { hardshrink } from '@tessera/tensor';\n${source}\n${code}`,
  'packages/nn/test/plain-layers.test.ts': (source, code) =>
    source.replace(/\[new nn\.Identity\(\), .*\n/, `$&${code}`),
};
const changed = new Map(
  [...op, ...layer].map(([file, code]) => {
    const source = readFileSync(join(root, file), 'utf8');
    const after = places[file]?.(source, code) ?? source;
    if (after === source) throw new Error(`CONTRIBUTING.md: no place in ${file} for\n${code}`);
    return [join(root, file), after] as const;
  }),
);

const overlay: Plugin = {
  name: 'blocks of the page',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const contents = changed.get(path);
      return contents === undefined ? null : { contents, loader: 'ts' };
    });
  },
};

/** What the changed sources export, as one module. */
async function changedHouse(): Promise<House> {
  const { outputFiles } = await build({
    stdin: { contents: house, resolveDir: root, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    conditions: ['@tessera/source'],
    plugins: [overlay],
    logLevel: 'error',
  });
  const folder = join(root, '.cache/readme');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'contributing.mjs');
  writeFileSync(file, outputFiles[0]?.text ?? '');
  return import(/* @vite-ignore */ pathToFileURL(file).href);
}
const house = `
export { reference } from '@tessera/tensor/reference';
export { cpu } from '@tessera/backend-cpu';
export { webgpu } from '@tessera/backend-webgpu';
export { emulated } from './packages/backend-webgpu/test/emulated';
export { setBackend } from '@tessera/tensor';
export { vjp } from '@tessera/autograd';
export { Hardshrink } from '@tessera/nn';
export { exercises } from './packages/testkit/src/exercises';
export { toTensor } from './packages/testkit/src/exercises/exercise';
`;
interface House {
  reference: typeof import('@tessera/tensor/reference').reference;
  cpu: typeof import('@tessera/backend-cpu').cpu;
  webgpu: typeof import('@tessera/backend-webgpu').webgpu;
  emulated: typeof import('../../../packages/backend-webgpu/test/emulated').emulated;
  setBackend: typeof import('@tessera/tensor').setBackend;
  vjp: typeof import('@tessera/autograd').vjp;
  Hardshrink: new (lambda: number) => import('@tessera/nn').Module;
  exercises: typeof import('@tessera/testkit').exercises;
  toTensor: typeof import('@tessera/testkit').toTensor;
}

describe('CONTRIBUTING.md', () => {
  it('adds an op in its family, its gradient and a row of tests, and nowhere else', () => {
    expect(op.map(([file]) => file)).toEqual([
      'packages/tensor/src/ops/activation.ts',
      'packages/autograd/src/activation.ts',
      'packages/testkit/src/exercises/elements.ts',
    ]);
    expect(layer.map(([file]) => file)).toEqual([
      'packages/nn/src/activation.ts',
      'packages/nn/test/plain-layers.test.ts',
    ]);
  });

  it('has blocks that compile where they belong', () => {
    const { config } = ts.readConfigFile(join(root, 'tsconfig.base.json'), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    const host = ts.createCompilerHost(options);
    const { readFile } = host;
    host.readFile = (file) => changed.get(file) ?? readFile(file);
    const sources = [...changed.keys()].filter((file) => !file.endsWith('.test.ts'));
    const program = ts.createProgram(sources, options, host);
    const faults = sources.flatMap((file) => {
      const source = program.getSourceFile(file);
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    });
    expect(faults.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
  });

  describe('adds what', () => {
    let all: House;
    beforeAll(async () => {
      all = await changedHouse();
    }, 60_000); // beside other work; alone a second
    const wanted = (x: number): number => (Math.abs(x) <= 0.5 ? 0 : x);
    const backends = ['reference', 'cpu', 'webgpu'] as const;

    it.each(backends)('%s computes and differentiates, in every exercise of the row', async (name) => {
      const { cpu, emulated, exercises, reference, setBackend, toTensor, vjp, webgpu } = all;
      const make = {
        reference,
        cpu: () =>
          cpu({ threads: 1, workerUrl: new URL('../../../packages/backend-cpu/src/worker.ts', import.meta.url) }),
        webgpu: async () => webgpu(await emulated()),
      }[name];
      const backend = await make();
      setBackend(backend);
      const rows = exercises().elements.filter((row) => row.name.startsWith('hardshrink'));
      expect(rows.map((row) => row.name)).toEqual(['hardshrink', 'hardshrink of special values']);
      for (const { f, cases } of rows)
        for (const [sample] of cases) {
          if (!sample) continue;
          const x = toTensor(sample);
          const { value, pullback } = vjp((input) => f(input) as typeof x, [x]);
          expect(await value.data()).toEqual(Float32Array.from(sample.data, wanted));
          const [gradient] = pullback(value);
          expect(await gradient?.data()).toEqual(Float32Array.from(sample.data, wanted));
        }
      backend.dispose();
    });

    it('a network has as a layer', async () => {
      const { Hardshrink, reference, setBackend, toTensor } = all;
      setBackend(reference());
      const data = [-0.3, -0.1, 0, 0.2, 0.25];
      const y = new Hardshrink(0.2).forward(toTensor({ shape: [5], dtype: 'float32', data }));
      expect(await (y as ReturnType<typeof toTensor>).data()).toEqual(Float32Array.of(-0.3, 0, 0, 0, 0.25));
    });
  });
});
