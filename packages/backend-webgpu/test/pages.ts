/**
 * The whole suite of testkit in pages, on Chromium's emulated GPU: three files, each with a backend of its own, for the process of
 * a GPU keeps every shader as long as the backend lives.
 */
import { type ConformancePart, describeBackend } from '@tessera/testkit';
import { vi } from 'vitest';
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
  const parts = (Object.keys(pageOf) as ConformancePart[]).filter((part) => pageOf[part] === page);
  describeBackend('webgpu', within, { load, accuracy: 'shader', emulated: true, random: 0, runs: 2, parts });
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

/** A fixture of testkit, from the server of the page. */
async function load(name: string): Promise<Uint8Array> {
  const url = new URL(`../../testkit/golden/${name}`, import.meta.url);
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}
