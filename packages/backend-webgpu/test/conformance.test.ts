/** The whole suite of testkit on an emulated GPU in Node (Dawn); in pages: pages.ts. */
import { describeBackend } from '@tessera/testkit';
import { vi } from 'vitest';
import { load } from '../../testkit/test/pages';
import { webgpu } from '../src/index';
import { emulated } from './emulated';

// Tests of many shaders take the emulator half a minute beside other work.
vi.setConfig({ testTimeout: 300_000 });

// Each shader takes an emulated GPU 20 ms and more to compile: fewer random cases than elsewhere, all others.
describeBackend('webgpu', async () => webgpu(await emulated()), {
  load,
  accuracy: 'shader',
  emulated: true,
  random: 20,
  runs: 4,
});
