/** In Node and in pages: what is found is what works, and whatever was passed over says why. */
import { roundHalf } from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { autoBackend, type PassedOver } from '../src/index';
import { probe } from '../src/probe';

const inPage = 'document' in globalThis;
afterEach(() => vi.restoreAllMocks());

describe('autoBackend', () => {
  it('makes a backend that computes, and says of each that it passed over why', async () => {
    const passed: PassedOver[] = [];
    const backend = await autoBackend({ onPassedOver: (each) => passed.push(each) });
    await probe(backend);
    const order = ['webgpu', 'webgl', 'cpu'];
    expect(passed.map(({ name }) => name)).toEqual(order.slice(0, order.indexOf(backend.name)));
    for (const { reason } of passed) expect(reason.message.length).toBeGreaterThan(20);
    if (!inPage) expect(passed.map(({ name }) => name)).toContain('webgl');
    backend.dispose();
  });
  it('tries first what is preferred, and names only what was really tried', async () => {
    const passed: PassedOver[] = [];
    const backend = await autoBackend({ prefer: 'cpu', onPassedOver: (each) => passed.push(each) });
    expect([backend.name, passed]).toEqual(['cpu', []]);
    backend.dispose();
  });
  it('prints why where nobody listens', async () => {
    const info = vi.spyOn(console, 'info').mockImplementation(() => {});
    const backend = await autoBackend({ prefer: inPage ? 'cpu' : ['webgl', 'cpu'] });
    expect(info.mock.calls.flat().join()).toMatch(inPage ? /^$/ : /passed over webgl: .*WebGL/);
    backend.dispose();
  });
  it.each(['cuda', 'constructor'])('refuses a name that is no backend: %s', (name) =>
    expect(autoBackend({ prefer: ['cpu', name as 'cpu'] })).rejects.toThrow(
      `autoBackend: no backend is called '${name}'; prefer takes webgpu, webgl, cpu`,
    ),
  );
});

describe('the probe', () => {
  it('passes a right device and leaves no buffer', async () => {
    const backend = reference();
    await probe(backend);
    expect(backend.memory().buffers).toBe(0);
  });
  it('refuses one that computes in fewer bits than float32', async () => {
    const backend = reference();
    const download = backend.download.bind(backend);
    backend.download = async (...args) => (await download(...args)).map(roundHalf);
    await expect(probe(backend)).rejects.toThrow('reference: this device computes wrong: element 0 of a product');
  });
  it('refuses one that computes wrong, naming what it saw and wanted', async () => {
    const backend = reference();
    const download = backend.download.bind(backend);
    backend.download = async (...args) => (await download(...args)).map((x) => x + 1);
    await expect(probe(backend)).rejects.toThrow(
      /reference: this device computes wrong: element 0 of a product is \d+, wanted/,
    );
    expect(backend.memory().buffers).toBe(0);
  });
});
