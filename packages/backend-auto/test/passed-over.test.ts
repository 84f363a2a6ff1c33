/** Backends that fail, each in its way: which is passed over, with what reason, and what is left of it. */
import type { Backend } from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { beforeEach, expect, it, vi } from 'vitest';
import { autoBackend, type PassedOver } from '../src/index';

const packages = vi.hoisted(() => ({}) as Record<'webgpu' | 'webgl' | 'cpu', () => unknown>);
vi.mock('@tessera/backend-webgpu', () => ({ webgpu: () => packages.webgpu() }));
vi.mock('@tessera/backend-webgl', () => ({ webgl: () => packages.webgl() }));
vi.mock('@tessera/backend-cpu', () => ({ cpu: () => packages.cpu() }));

const disposed: string[] = [];
/** A backend of this name: that of the reference, with some of it changed. */
function named(name: string, change: (made: Backend) => Partial<Backend> = () => ({})): Backend {
  const made = reference();
  const { dispose } = made;
  return Object.assign(made, change(made), {
    name,
    dispose: () => {
      disposed.push(name);
      dispose.call(made);
    },
  });
}
/** Its matmul is right, its softmax has not been computed. */
const wrong = (made: Backend) => {
  const { submit } = made;
  return {
    submit: ({ steps }, ...rest) => submit.call(made, { steps: steps.slice(0, 1) }, ...rest),
  } as Partial<Backend>;
};
const none = () => Promise.reject(new Error('no adapter'));

let passed: PassedOver[];
const onPassedOver = (each: PassedOver) => passed.push(each);
const reasons = () => passed.map(({ name, reason }) => `${name}: ${reason.message}`);
beforeEach(() => {
  passed = [];
  disposed.length = 0;
  Object.assign(packages, { webgpu: none, webgl: none, cpu: async () => named('cpu') });
});

it('passes over one that starts and computes wrong, saying what it computed, and disposes of it', async () => {
  packages.webgpu = async () => named('webgpu', wrong);
  packages.webgl = async () => named('webgl');
  const found = await autoBackend({ onPassedOver });
  expect(found.name).toBe('webgl');
  expect(reasons()).toEqual([
    expect.stringMatching(/^webgpu: webgpu: this device computes wrong: element 0 of a softmax is 0, wanted 0\.\d+/),
  ]);
  expect(disposed).toEqual(['webgpu']);
});

it('passes over one whose reads reject', async () => {
  packages.webgpu = async () => named('webgpu', () => ({ download: () => Promise.reject(new Error('device lost')) }));
  expect((await autoBackend({ onPassedOver })).name).toBe('cpu');
  expect(reasons()).toEqual(['webgpu: device lost', 'webgl: no adapter']);
  expect(disposed).toEqual(['webgpu']);
});

it('keeps to the order that is preferred, each tried once', async () => {
  packages.cpu = none;
  packages.webgl = async () => named('webgl');
  expect((await autoBackend({ prefer: ['cpu', 'webgpu', 'cpu'], onPassedOver })).name).toBe('webgl');
  expect(passed.map(({ name }) => name)).toEqual(['cpu', 'webgpu']);
});

it('throws the reason of each where none works', async () => {
  packages.cpu = () => {
    throw 'out of order';
  };
  const failed = autoBackend({ onPassedOver });
  await expect(failed).rejects.toThrow(
    'autoBackend: no backend works here:\n  webgpu: no adapter\n  webgl: no adapter\n  cpu: cpu: out of order',
  );
  const { cause } = (await failed.catch((error: unknown) => error)) as { cause: AggregateError };
  expect(cause.errors).toEqual(passed.map(({ reason }) => reason));
});

it('ends where the signal says so, with its reason, though a driver hangs; what comes late is disposed of', async () => {
  const controller = new AbortController();
  let come: (made: Backend) => void = () => {};
  packages.webgpu = () => new Promise<Backend>((resolve) => (come = resolve));
  const found = autoBackend({ onPassedOver, signal: controller.signal });
  await vi.dynamicImportSettled();
  controller.abort(new Error('waited enough'));
  await expect(found).rejects.toThrow('waited enough');
  await expect(autoBackend({ onPassedOver, signal: controller.signal })).rejects.toThrow('waited enough');
  expect([passed, disposed]).toEqual([[], []]);
  come(named('webgpu'));
  await expect.poll(() => disposed).toEqual(['webgpu']);
});

it('does not wait for an answer that never comes, either', async () => {
  packages.webgpu = async () => named('webgpu', () => ({ download: () => new Promise(() => {}) }));
  await expect(autoBackend({ signal: AbortSignal.timeout(50) })).rejects.toThrow(/timeout/);
  expect(disposed).toEqual(['webgpu']);
});
