/** What needs no WebGL: the error that says so, and the sources of all draws. */
import { BackendError } from '@tessera/tensor';
import { kernelCases } from '@tessera/testkit';
import { expect, it } from 'vitest';
import { generate } from '../src/compile';
import { webgl } from '../src/index';

it('says in Node that there is no WebGL, and which backend to use', async () => {
  const failed = webgl();
  await expect(failed).rejects.toBeInstanceOf(BackendError);
  await expect(failed).rejects.toThrow(/no WebGL here.*pages and workers.*@tessera\/backend-cpu/);
});

it.each(kernelCases.map(({ title, kernel }) => [title, kernel] as const))('prints the draws of: %s', (_, kernel) => {
  if ([...kernel.inputs, ...kernel.outputs].some(({ dtype }) => dtype === 'float16')) return;
  const begin = performance.now();
  generate(kernel, 8);
  expect(performance.now() - begin).toBeLessThan(2000); // shared expressions are walked once: as trees they never end
});
