/** What a page may expect: threads where it is cross-origin isolated, one worker where not, and a UI thread that stays free. */
import { matmul, mul, setBackend, tensor } from '@tessera/tensor';
import { expect, it } from 'vitest';
import { cpu } from '../src/index';

it('takes the threads and the memory that the page may have', async () => {
  const backend = await cpu({ threads: 2 });
  const isolated = globalThis.crossOriginIsolated;
  expect(backend.info()).toMatchObject({ threads: isolated ? 2 : 1, shared: isolated, simd: true, reference: false });
  backend.dispose();
});

it('leaves the UI thread free while it computes', async () => {
  const backend = await cpu();
  setBackend(backend);
  const size = 768;
  const weights = tensor(new Float32Array(size * size).fill(1 / size), { shape: [size, size] });
  const products = async (count: number) => {
    let x = weights;
    for (let i = 0; i < count; i++) x = mul(matmul(x, weights), 1);
    return (await x.data())[0];
  };
  await products(2); // kernels are made

  const ticks = [performance.now()];
  const timer = setInterval(() => ticks.push(performance.now()), 1);
  expect(await products(16)).toBeCloseTo(1 / size);
  clearInterval(timer);
  ticks.push(performance.now());
  const whole = performance.now() - (ticks[0] as number);
  const longest = Math.max(...ticks.slice(1).map((tick, i) => tick - (ticks[i] as number)));
  expect(ticks.length).toBeGreaterThan(5);
  expect(longest).toBeLessThan(whole / 2);
  backend.dispose();
});
