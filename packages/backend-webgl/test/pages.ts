/**
 * The whole suite of testkit in pages, on whatever draws WebGL2 there: in these tests an emulator. Three files, each with a backend of
 * its own, for the process of a GPU keeps the code of every program as long as its context lives.
 */
import { type ConformancePart, describeBackend } from '@tessera/testkit';
import { vi } from 'vitest';
import { load, partsOf } from '../../testkit/test/pages';
import { webgl } from '../src/index';

type Page = 'engine' | 'elements' | 'rows';
const pageOf: Record<ConformancePart, Page> = {
  kernels: 'engine',
  golden: 'engine',
  properties: 'engine',
  state: 'engine',
  memory: 'engine',
  elements: 'elements',
  products: 'elements',
  rows: 'rows',
  shapes: 'rows',
};

/** Registers the parts of a page. */
export function describePage(page: Page): void {
  // Some tests are a hundred programs, each of which takes the emulator 35 ms, and more beside other work.
  vi.setConfig({ testTimeout: 300_000 });
  describeBackend('webgl', () => webgl(), {
    load,
    accuracy: 'shader',
    emulated: true,
    random: 20,
    runs: 3,
    steps: 2,
    parts: partsOf(pageOf, page),
  });
}
