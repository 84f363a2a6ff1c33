/** Where there is no WebGL, the error says so, and what to use. */
import { BackendError } from '@tessera/tensor';
import { expect, it } from 'vitest';
import { webgl } from '../src/index';

it('says in Node that there is no WebGL, and which backend to use', async () => {
  const failed = webgl();
  await expect(failed).rejects.toBeInstanceOf(BackendError);
  await expect(failed).rejects.toThrow(/no WebGL here.*pages and workers.*@tessera\/backend-cpu/);
});
