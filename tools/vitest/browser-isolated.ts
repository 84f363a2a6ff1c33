import { expect, it } from 'vitest';

it('a page with COOP and COEP headers is cross-origin isolated and shares memory', () => {
  expect(globalThis.crossOriginIsolated).toBe(true);
  expect(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer).toBeInstanceOf(SharedArrayBuffer);
});
