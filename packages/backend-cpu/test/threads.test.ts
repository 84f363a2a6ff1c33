import { conv2d, matmul, runtime, setBackend, sum, type Tensor, tensor, transpose } from '@tessera/tensor';
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

  it('gives the same bits of large products and convolutions, which are split', async () => {
    const wave = (...shape: number[]) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return tensor(
        Float32Array.from({ length: size }, (_, i) => Math.sin(i * 0.37)),
        { shape },
      );
    };
    const works: readonly (() => Tensor)[] = [
      () => matmul(wave(1, 1024), wave(1024, 1024)), // rows of B streamed, parts of K added in order
      () => matmul(wave(2, 700), wave(700, 900)),
      () => matmul(wave(130, 300), wave(300, 170)),
      () => matmul(wave(8, 8192), wave(8192, 8)), // long K, small result
      () => matmul(wave(20, 5000), wave(5000, 24)), // its parts added in order
      () => matmul(wave(3, 20_000), transpose(wave(5, 20_000))), // dot products in parts
      () => conv2d(wave(2, 16, 24, 24), wave(32, 16, 3, 3), { padding: 1 }), // Winograd
      () => conv2d(wave(3, 64, 2, 2), wave(72, 64, 3, 3), { padding: 1 }), // few tiles
      () => conv2d(wave(2, 64, 7, 7), wave(72, 64, 3, 3), { padding: 1 }),
      () => conv2d(wave(2, 64, 9, 9), wave(72, 64, 1, 7), { padding: [0, 3] }), // lines
      () => conv2d(wave(2, 64, 23, 23), wave(72, 64, 3, 3), { stride: 2 }), // columns
      () => conv2d(wave(1, 64, 20, 20), wave(48, 64, 1, 1)), // one element: a product
      () => sum(wave(300_000)),
    ];
    const before = runtime.backend;
    for (const [place, work] of works.entries()) {
      const results: string[][] = [];
      for (const backend of backends) {
        setBackend(backend);
        results.push(bits([await work().data()]));
      }
      expect(results[1], `work ${place}`).toEqual(results[0]);
      expect(results[2], `work ${place}`).toEqual(results[0]);
    }
    runtime.backend = before;
  });
});
