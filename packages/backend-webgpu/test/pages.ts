/**
 * The whole suite of testkit in pages, on Chromium's emulated GPU: three files, each with a backend of its own, for the process of
 * a GPU keeps every shader as long as the backend lives.
 */
import { type ConformancePart, describeBackend } from '@tessera/testkit';
import { vi } from 'vitest';
import { load, partsOf } from '../../testkit/test/pages';
import { type Webgpu, webgpu } from '../src/index';

type Page = 'engine' | 'elements' | 'products';
const pageOf: Record<ConformancePart, Page> = {
  kernels: 'engine',
  golden: 'engine',
  properties: 'engine',
  state: 'engine',
  memory: 'engine',
  elements: 'elements',
  rows: 'products',
  shapes: 'products',
  products: 'products',
};

/** Registers the parts of a page. */
export function describePage(page: Page): void {
  // Some tests are a hundred shaders, each of which takes the emulator 20 ms and more, and more beside other work.
  vi.setConfig({ testTimeout: 300_000 });
  describeBackend('webgpu', within, {
    load,
    accuracy: 'shader',
    emulated: true,
    random: 0,
    runs: 2,
    parts: partsOf(pageOf, page),
  });
}

/**
 * Kernels of more operands than the device binds would find them by a table, and Chromium's emulator takes a
 * minute and more for large shaders of that kind. They have a suite of their own (pages.conformance.test.ts).
 */
async function within(): Promise<Webgpu> {
  const backend = await webgpu();
  const maxBuffers = backend.device.limits.maxStorageBuffersPerShaderStage - 1;
  return Object.assign(backend, { limits: { ...backend.limits, maxBuffers } });
}
