/** A long training takes no more memory than a short one. */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import { compile, manualSeed, memory, mseLoss, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { describe, expect, it } from 'vitest';
import * as nn from '../src/index';

describe('ten thousand steps', () => {
  it('keep memory() and the process flat, while losses are dropped or read', async () => {
    const backend = await cpu({ threads: 1 });
    setBackend(backend);
    manualSeed(1);
    const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2));
    const optimizer = new nn.AdamW(model.parameters());
    const schedule = new nn.OneCycleLR(optimizer, { maxLr: 0.01, totalSteps: 10_000 });
    const step = compile((x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => mseLoss(model.forward(x), y), model.parameters());
      optimizer.step(grads);
      return value;
    });
    // Finalizers run in a macrotask behind the collection.
    const use = async () => {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return { device: memory().bytes, resident: process.memoryUsage().rss };
    };
    let early = { device: 0, resident: 0 };
    for (let i = 0; i < 10_000; i++) {
      const x = tensor(Float32Array.of(i % 3, 1, 2, 3), { shape: [1, 4] });
      const loss = step(x, tensor([[1, 2]]));
      schedule.step();
      // Most losses are dropped unread; a read is also where the collector's finalizers get to run.
      if (i % 10 === 0) expect(await loss.item()).toBeGreaterThanOrEqual(0);
      if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
      if (i === 2000) early = await use();
    }
    const late = await use();
    expect(late.device - early.device).toBeLessThan(10_000);
    expect(late.resident - early.resident).toBeLessThan(40_000_000);
    backend.dispose();
  });
});
