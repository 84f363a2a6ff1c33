/**
 * The whole suite of testkit in pages, on Chromium's emulated GPU: three files, each with a backend of its own, for the process of
 * a GPU keeps every shader as long as the backend lives.
 */
import { type ConformancePart, describeBackend } from '@tessera/testkit';
import { vi } from 'vitest';
import { load, partsOf } from '../../testkit/test/pages';
import { webgpu } from '../src/index';

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
  describeBackend('webgpu', () => webgpu(), {
    load,
    accuracy: 'shader',
    emulated: true,
    random: 0,
    runs: 2,
    parts: partsOf(pageOf, page),
  });
}
