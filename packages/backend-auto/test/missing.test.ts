/** Packages that are not installed are passed over, with what to install. */
import { expect, it, vi } from 'vitest';
import { autoBackend, type PassedOver } from '../src/index';

vi.mock('@tessera/backend-webgpu', () => {
  throw new Error('not found');
});
vi.mock('@tessera/backend-webgl', () => {
  throw new Error('not found');
});

it('says what to install', async () => {
  const passed: PassedOver[] = [];
  const backend = await autoBackend({ onPassedOver: (each) => passed.push(each) });
  expect(backend.name).toBe('cpu');
  expect(passed.map(({ name, reason }) => `${name}: ${reason.message}`)).toEqual([
    expect.stringMatching(/^webgpu: could not load its package .*; npm install @tessera\/backend-webgpu$/s),
    expect.stringMatching(/^webgl: could not load its package .*; npm install @tessera\/backend-webgl$/s),
  ]);
  backend.dispose();
});
