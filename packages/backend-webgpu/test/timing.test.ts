/** Times of kernels in Node, from the device that `webgpu()` finds by itself. */
import { mul, ones, setBackend } from '@tessera/tensor';
import { afterAll, expect, it } from 'vitest';
import { type Webgpu, webgpu } from '../src/index';
import { useEmulator } from './emulated';

let backend: Webgpu | undefined;
afterAll(() => backend?.dispose());

/** What Dawn rounds timestamps to for pages, which may not measure each other: 2^16 ns. */
const quantum = 0.065536;

it('are finer than the steps that Dawn rounds to', async () => {
  useEmulator();
  backend = await webgpu({ probe: false });
  setBackend(backend);
  const times: number[] = [];
  backend.onKernel?.(({ milliseconds }) => times.push(milliseconds));
  for (let n = 1; n <= 8; n++) await mul(ones([n * 1000]), 2).data();
  await backend.sync();
  expect(times.length).toBeGreaterThanOrEqual(8);
  const off = times.map((time) => Math.abs(time / quantum - Math.round(time / quantum)));
  expect(Math.max(...off)).toBeGreaterThan(1e-3);
});
