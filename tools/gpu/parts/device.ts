/** What the device is and has. To start it is to try it: a small step forward and backward, against answers that are known. */
import { align } from '../../bench/table.ts';
import type { Options, Tell } from '../job.ts';
import { gpuWithout, start } from '../start.ts';

export async function device({ without }: Options, tell: Tell): Promise<void> {
  const { adapter, emulated } = await gpuWithout(without);
  const { vendor, architecture, description } = adapter.info;
  tell({ found: { vendor, architecture, description, emulated, offered: [...adapter.features].sort() } });
  const begun = performance.now();
  const backend = await start({ without });
  const ready = performance.now() - begun;
  const { adapter: name, features, limits, disabled, dtypes } = backend.info();
  const matrix = (backend.device.adapterInfo as { subgroupMatrixConfigs?: object[] } | undefined)
    ?.subgroupMatrixConfigs;
  tell({ found: { name, features, limits, disabled, dtypes, matrix, ready } });
  console.log(`${name}; Node ${process.version}; tried and ready in ${ready.toFixed(0)} ms`);
  console.log(`features: ${features.join(', ') || 'none'}; dtypes: ${dtypes.join(', ')}`);
  console.log(align(Object.entries(limits).map(([key, value]) => [`  ${key}`, String(value)])).join('\n'));
  for (const line of disabled) console.log(`  without ${line}`);
  backend.dispose();
}
