/** One step of the MNIST network (forward, backward, AdamW), as the engine runs it. */
import { valueAndGrad } from '@tessera/autograd';
import { compile, crossEntropy, div, manualSeed, memory, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { cacheUse, explain, programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { AdamW, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential } from '../src';

const batch = 2;

function training() {
  manualSeed(0);
  const model = new Sequential(
    new Conv2d(1, 16, 5, { padding: 2 }),
    new BatchNorm2d(16),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(16, 32, 3, { padding: 1 }),
    new BatchNorm2d(32),
    new ReLU(),
    new MaxPool2d(2),
    new Conv2d(32, 64, 3, { padding: 1 }),
    new BatchNorm2d(64),
    new ReLU(),
    new Flatten(),
    new Linear(3136, 10),
  );
  const optimizer = new AdamW(model.parameters(), { lr: 0.01, weightDecay: 0.01 });
  return compile(
    (x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(div(x, 255)), y), model.parameters());
      optimizer.step(grads);
      return value;
    },
    { commit: 'finite' },
  );
}
const images = () =>
  tensor(
    Uint8Array.from({ length: batch * 784 }, (_, i) => (i * 31) % 251),
    { shape: [batch, 1, 28, 28] },
  );
const labels = () => tensor(Int32Array.from({ length: batch }, (_, i) => i));

describe('the MNIST step', () => {
  beforeAll(() => setBackend(reference()));

  it('is at most 32 kernels, learns, and takes nothing new from the second call on', async () => {
    const step = training();
    const losses = [await step(images(), labels()).item()];
    expect(programsOf(step)[0]?.program.steps.length).toBeLessThanOrEqual(32);
    losses.push(await step(images(), labels()).item());
    const [room, made] = [memory(), cacheUse()];
    for (let i = 0; i < 3; i++) losses.push(await step(images(), labels()).item());
    expect(memory()).toEqual(room);
    expect(cacheUse()).toEqual(made);
    expect(losses[4]).toBeLessThan(losses[0] ?? 0);
  });

  it('updates every parameter, moment and statistic that it reads in place, but for small ones read again later', () => {
    const step = training();
    step(images(), labels());
    const [explanation] = programsOf(step);
    const fresh = explanation?.program.results.filter(({ leaf, size }) => leaf === null && size > 64);
    expect(fresh).toEqual([]);
  });

  it('updates the weight of a linear layer in the kernel that makes its gradient', () => {
    const step = training();
    step(images(), labels());
    expect(explain(step)).toMatch(/matmul \[10,2\]·\[2,3136\]: matmul, lerp, .*in place/);
  });
});
