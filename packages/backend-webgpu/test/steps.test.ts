/** What a step costs from the second one on, and how faults reach whoever waits. */
import { valueAndGrad } from '@tessera/autograd';
import { compile, matmul, mul, ones, State, setBackend, square, sub, sum, type Tensor } from '@tessera/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Webgpu, webgpu } from '../src/index';
import { emulated } from './emulated';

let backend: Webgpu;
beforeAll(async () => {
  backend = await webgpu(await emulated());
  setBackend(backend);
});
afterAll(() => backend.dispose());

describe('a compiled step', () => {
  it('creates no object on the GPU once it has run a few times', async () => {
    const w = new State(ones([8, 4]));
    const step = compile((x: Tensor) => {
      const { value, grads } = valueAndGrad(() => sum(square(matmul(x, w.read()))), w);
      w.assign(sub(w.read(), mul(grads, 0.001)));
      return value;
    });
    const x = ones([3, 8]);
    const losses: number[] = [];
    const run = async () => losses.push(await step(x).item());
    for (let i = 0; i < 3; i++) await run();
    const { objects } = backend.info();
    const { reserved } = backend.memory();
    for (let i = 0; i < 20; i++) await run();
    expect(backend.info().objects).toEqual(objects);
    expect(backend.memory().reserved).toBe(reserved);
    expect(losses[22]).toBeLessThan(losses[0] as number);
  });
});

describe('faults', () => {
  it('rejects reads that wait when the device is lost, and tells onLost', async () => {
    const options = await emulated();
    const adapter = options.adapter ?? (await navigator.gpu.requestAdapter());
    const device = await (adapter as GPUAdapter).requestDevice();
    const lost: string[] = [];
    const own = await webgpu({ device, onLost: ({ message }) => lost.push(message) });
    const buffer = own.allocate('float32', 4);
    own.upload(buffer, 'float32', new Float32Array(4));
    const read = own.download(buffer, 'float32', 4);
    device.destroy();
    await expect(read).rejects.toThrow(/webgpu: /);
    await device.lost;
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(lost).toEqual([expect.stringMatching(/device was lost/)]);
    await expect(own.sync()).rejects.toThrow(/device was lost/);
  });

  it('refuses a buffer beyond the limit of the device, naming both', () => {
    expect(() => backend.allocate('float32', backend.limits.maxBufferBytes)).toThrow(
      /float32\[\d+\] needs \d+ bytes, this device holds at most \d+/,
    );
  });
});
