/** What a step costs from the second one on, how it is made ready, and how values come to the device. */
import { valueAndGrad } from '@tessera/autograd';
import {
  add,
  compile,
  matmul,
  mul,
  ones,
  realize,
  State,
  setBackend,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  warmup,
} from '@tessera/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Webgpu, webgpu } from '../src/index';
import { type Calls, counted, since } from './counted';
import { emulatedAdapter } from './emulated';

let backend: Webgpu;
let calls: Calls;
beforeAll(async () => {
  backend = await webgpu({ adapter: await emulatedAdapter() });
  calls = counted(backend.device);
  setBackend(backend);
});
afterAll(() => backend.dispose());

function trainer(columns: number) {
  const w = new State(ones([8, columns]));
  const step = compile((x: Tensor) => {
    const { value, grads } = valueAndGrad(() => sum(square(matmul(x, w.read()))), w);
    w.assign(sub(w.read(), mul(grads, 0.001)));
    return value;
  });
  return { w, step };
}

describe('a compiled step', () => {
  it('from the second one on creates nothing and validates nothing: an encoder, a pass, a submit', async () => {
    const { step } = trainer(4);
    const x = ones([3, 8]);
    const first = await step(x).item();
    await step(x).item();
    const { objects } = backend.info();
    const { reserved } = backend.memory();
    const before = { ...calls };
    const steps = 20;
    for (let i = 0; i < steps; i++) step(x).dispose();
    expect(since(calls, before)).toEqual({ createCommandEncoder: steps, beginComputePass: steps, submit: steps });
    const read = { ...calls };
    expect(await step(x).item()).toBeLessThan(first);
    // a read is a copy behind the step
    expect(since(calls, read)).toEqual({ createCommandEncoder: 2, beginComputePass: 1, submit: 2 });
    expect(backend.info().objects).toEqual(objects);
    expect(backend.memory().reserved).toBe(reserved);
  });

  it('keeps its bind groups where results alternate between buffers', async () => {
    const { step } = trainer(2);
    const x = ones([3, 8]);
    const round = async () => {
      const kept = [step(x), step(x), step(x)];
      for (const value of kept) await value.data();
      for (const value of kept) value.dispose();
    };
    for (let i = 0; i < 3; i++) await round();
    // what the trace made goes when the collector comes by, and is handed out again
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (let i = 0; i < 3; i++) await round();
    const { bindGroups } = backend.info().objects;
    for (let i = 0; i < 5; i++) await round();
    expect(backend.info().objects.bindGroups).toBe(bindGroups);
  });

  it('makes nothing for small values that lie elsewhere each time, and reads and writes them where they are', async () => {
    const [rate, sums] = [new State(tensor(0)), new State(tensor([0, 0]))];
    const step = compile((x: Tensor) => {
      const next = mul(add(x, sums.read()), rate.read());
      sums.assign(add(sums.read(), x));
      return next;
    });
    let x = tensor([1, 2]);
    const held: Tensor[] = [];
    const wanted: number[] = [];
    const made: unknown[] = [];
    let [host, total] = [1, 0];
    for (let i = 0; i < 12; i++) {
      if (i % 3 === 0) sums.assign(tensor([(total = 0), 0]));
      rate.assign(tensor(Float32Array.of(1 / (i + 1)), { shape: [] }));
      held.push((x = step(x)));
      [host, total] = [(host + total) / (i + 1), total + host];
      wanted.push(host);
      made.push(backend.info().objects.bindGroups);
    }
    const saw = await Promise.all(held.map(async (each) => (await each.data())[0] as number));
    saw.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] as number, 5);
    });
    expect(made.slice(4)).toEqual(made.slice(4).fill(made[4]));
  });

  it('puts large arguments at the start of its own commands, out of a ring', async () => {
    const f = compile((x: Tensor) => sum(x));
    const values = (value: number) => tensor(new Float32Array(100_000).fill(value), { shape: [100_000] });
    for (let i = 0; i < 3; i++) expect(await f(values(i)).item()).toBe(i * 100_000);
    const before = { ...calls };
    expect(await f(values(7)).item()).toBe(700_000);
    expect(since(calls, before)).toEqual({ createCommandEncoder: 2, beginComputePass: 1, submit: 2 });
  });
});

describe('an upload', () => {
  it('comes in its turn, whichever way it goes', async () => {
    const n = 100_000;
    const buffer = backend.allocate('float32', n);
    backend.upload(buffer, 'float32', new Float32Array(n).fill(1));
    backend.upload(buffer, 'float32', new Float32Array(8).fill(2));
    const values = await backend.download(buffer, 'float32', n);
    expect([values[7], values[8], values[n - 1]]).toEqual([2, 1, 1]);
    for (let i = 3; i < 9; i++) backend.upload(buffer, 'float32', new Float32Array(n).fill(i)); // more than lie ready
    expect((await backend.download(buffer, 'float32', n))[n - 1]).toBe(8);
    backend.free(buffer);
  });

  it('does not come to whoever is given the memory afterwards', async () => {
    const n = 100_000;
    const first = backend.allocate('float32', n);
    backend.upload(first, 'float32', new Float32Array(n).fill(1));
    backend.free(first);
    const second = backend.allocate('float32', n);
    backend.upload(second, 'float32', new Float32Array(4).fill(5));
    expect((await backend.download(second, 'float32', 4))[0]).toBe(5);
    backend.free(second);
  });
});

describe('warmup', () => {
  it('makes ready what a step will run, tells how far it is, and runs nothing', async () => {
    const { w, step } = trainer(3);
    const x = ones([5, 8]);
    await realize(x, w);
    await import('../src/kernels/rare'); // what waits is loaded, so pipelines are still under way when it begins
    const before = { ...calls };
    const progress: string[] = [];
    await warmup(step, [x], { onProgress: ({ done, total }) => progress.push(`${done}/${total}`) });
    expect(since(calls, before)['submit']).toBeUndefined();
    expect(progress.length).toBeGreaterThan(1);
    const total = Number(progress[0]?.split('/')[1]);
    expect(progress.at(-1)).toBe(`${total}/${total}`);

    const ready = { ...calls };
    expect(await step(x).item()).toBe(5 * 3 * 64); // of weights that are still 1
    const after = since(calls, ready);
    for (const made of ['createShaderModule', 'createComputePipelineAsync', 'createPipelineLayout'])
      expect(after[made]).toBeUndefined();
  });

  it('ends when it is told to, with the reason', async () => {
    const { step } = trainer(7);
    const controller = new AbortController();
    const wait = warmup(step, [ones([6, 8])], { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(wait).rejects.toThrow(/abort/);
    expect(await step(ones([6, 8])).item()).toBeGreaterThan(0);
  });
});
