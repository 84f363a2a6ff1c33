/**
 * `pnpm golden FILE --backend NAME`: runs a file of golden cases on a backend, lists what fails with the first wrong element,
 * and ends with `N passed, N failed`. Any seed, any path; make_golden.py writes such files.
 */
import { readFile } from 'node:fs/promises';
import { type Backend, setBackend } from '@tessera/tensor';
import { readGolden } from '@tessera/testkit';
import { Command, Option } from 'commander';
import { runGolden } from './run.ts';

/** Backends by name, loaded when chosen. */
const backends: Record<string, () => Promise<Backend>> = {
  cpu: async () => (await import('@tessera/backend-cpu')).cpu(),
  webgpu: async () => {
    const [{ webgpu }, { nodeGpu }] = await Promise.all([import('@tessera/backend-webgpu'), import('../gpu/node.ts')]);
    return webgpu({ adapter: (await nodeGpu()).adapter });
  },
  reference: async () => (await import('@tessera/tensor/reference')).reference({ dtype: 'float32' }),
  reference64: async () => (await import('@tessera/tensor/reference')).reference({ dtype: 'float64' }),
};

async function golden(path: string, options: { backend: string; only?: string }): Promise<void> {
  const file = readGolden(await readFile(path));
  const backend = await (backends[options.backend] as () => Promise<Backend>)();
  setBackend(backend);
  const { passed, failed } = await runGolden(file, {
    only: options.only,
    onCase: (name, fault) => fault && console.log(`${name} ${fault}`),
  });
  backend.dispose();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

await new Command('golden')
  .description('Runs golden cases (PyTorch’s answers) on a backend.')
  .argument('<file>', 'a .safetensors file of cases')
  .addOption(new Option('--backend <name>', 'where to compute').choices(Object.keys(backends)).default('cpu'))
  .option('--only <prefix>', 'cases whose name begins so, such as conv2d or pad/2')
  .action(golden)
  .parseAsync();
