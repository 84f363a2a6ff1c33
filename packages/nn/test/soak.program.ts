/**
 * Ten thousand tiny training steps in a process of its own; prints as JSON what `memory()` and the operating system saw
 * after 2,000 and after all of them.
 */
import { valueAndGrad } from '@tessera/autograd';
import { cpu } from '@tessera/backend-cpu';
import { compile, manualSeed, memory, mseLoss, setBackend, type Tensor, tensor } from '@tessera/tensor';
import * as nn from '../src/index';

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

/** What is in use once everything unreachable is gone: finalizers run in a macrotask behind the collection. */
async function use() {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { device: memory().bytes, resident: process.memoryUsage().rss };
}

let early = { device: 0, resident: 0 };
let worst = 0;
for (let i = 0; i < 10_000; i++) {
  const x = tensor(Float32Array.of(i % 3, 1, 2, 3), { shape: [1, 4] });
  const loss = step(x, tensor([[1, 2]]));
  schedule.step();
  // Most losses are dropped unread; a read is also where the collector's finalizers get to run.
  if (i % 10 === 0) worst = Math.max(worst, await loss.item());
  if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
  if (i === 2000) early = await use();
}
console.log(JSON.stringify({ collects: globalThis.gc !== undefined, early, late: await use(), worst }));
backend.dispose();
