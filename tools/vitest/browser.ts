import { expect, it } from 'vitest';

it('a page without COOP and COEP headers is not cross-origin isolated', () => {
  expect(globalThis.crossOriginIsolated).toBe(false);
  expect(typeof SharedArrayBuffer).toBe('undefined');
});
