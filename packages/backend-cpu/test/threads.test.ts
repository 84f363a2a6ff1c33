import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kernelCases, randomKernel, runKernelCase, unsupported } from '../../testkit/src/kernels';
import { type Cpu, cpu } from '../src/index';

/** Bits, so that NaN equals NaN and 0 is not −0. */
const bits = (arrays: readonly ArrayBufferView[]) =>
  arrays.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength).toString('base64'));

describe('any number of threads', () => {
  let backends: Cpu[] = [];
  beforeAll(async () => {
    backends = await Promise.all([1, 2, 3].map((threads) => cpu({ threads })));
  });
  afterAll(() => {
    for (const backend of backends) backend.dispose();
  });

  it('gives the same bits', async () => {
    const cases = [...kernelCases, ...Array.from({ length: 200 }, (_, seed) => randomKernel(seed))];
    for (const c of cases) {
      const [one, ...more] = backends as [Cpu, ...Cpu[]];
      if (unsupported(one.limits, c)) continue;
      const expected = bits(await runKernelCase(one, c));
      for (const backend of more) expect(bits(await runKernelCase(backend, c)), c.title).toEqual(expected);
    }
  });
});
