/** Training and inference as they are written, on a device that counts and computes nothing: what each step from the second on makes. */
import { valueAndGrad } from '@tessera/autograd';
import { batches } from '@tessera/data';
import * as nn from '@tessera/nn';
import { add, compile, crossEntropy, manualSeed, mul, realize, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { afterEach, expect, it } from 'vitest';
import { countingDevice } from '../../../tools/bench/gpu/counting-device';
import { type Webgpu, webgpu } from '../src/index';
import { type Calls, counted, since } from './counted';

let backend: Webgpu;
let calls: Calls;
async function setUp(features: readonly GPUFeatureName[] = ['subgroups']): Promise<void> {
  const { device } = countingDevice(features);
  backend = await webgpu({ device, probe: false });
  calls = counted(device);
  setBackend(backend);
  manualSeed(0);
}
afterEach(() => backend.dispose());

const network = (dropout = 0) =>
  new nn.Sequential(
    ...[new nn.Conv2d(3, 8, 3), new nn.BatchNorm2d(8), new nn.ReLU(), new nn.MaxPool2d(2), new nn.Flatten()],
    ...[new nn.Linear(72, 300), new nn.ReLU(), new nn.Dropout(dropout), new nn.Linear(300, 10)],
  );
const images = (n: number) => tensor(new Float32Array(n * 192), { shape: [n, 3, 8, 8] });
const labels = (n: number) => tensor(new Int32Array(n));

/** What each of these rounds called. */
async function rounds(count: number, round: (i: number) => Promise<unknown>): Promise<Calls[]> {
  const seen: Calls[] = [];
  for (let i = 0; i < count; i++) {
    const before = { ...calls };
    await round(i);
    await backend.sync();
    seen.push(since(calls, before));
  }
  return seen;
}

interface Recipe {
  readonly optimizer: (parameters: readonly nn.Parameter[]) => nn.Optimizer;
  readonly dropout?: number;
  readonly clip?: number;
  readonly mixed?: true;
}
function trainer({ optimizer: make, dropout = 0, clip, mixed }: Recipe) {
  const model = network(dropout);
  const parameters = model.parameters();
  const optimizer = make(parameters);
  const lossScale = mixed ? new nn.LossScaler() : null;
  return nn.compile(
    (x: Tensor, y: Tensor) => {
      const f = () => crossEntropy(model.forward(x), y);
      const { value, grads } = lossScale ? lossScale.valueAndGrad(f, parameters) : valueAndGrad(f, parameters);
      optimizer.step(clip ? nn.clipGradNorm(grads, clip).gradients : grads);
      return value;
    },
    { precision: mixed ? 'mixed' : 'float32', lossScale },
  );
}
const one = { createCommandEncoder: 1, beginComputePass: 1, submit: 1 };

const recipes: Readonly<Record<string, Recipe>> = {
  SGD: { optimizer: (p) => new nn.SGD(p, { lr: 0.1, momentum: 0.9 }) },
  Adam: { optimizer: (p) => new nn.Adam(p) },
  'AdamW, dropout': { optimizer: (p) => new nn.AdamW(p), dropout: 0.5 },
  'SGD, gradients clipped': { optimizer: (p) => new nn.SGD(p, { lr: 0.1 }), clip: 1 },
  'AdamW, dropout, clipped, mixed precision': { optimizer: (p) => new nn.AdamW(p), dropout: 0.5, clip: 1, mixed: true },
};
it.each(Object.entries(recipes))('%s: a step is an encoder, a pass, a submit, and nothing else', async (_, recipe) => {
  await setUp(recipe.mixed ? ['subgroups', 'shader-f16'] : ['subgroups']);
  const step = trainer(recipe);
  const seen = await rounds(6, async () => step(images(80), labels(80)).dispose());
  expect(seen.slice(1)).toEqual(seen.slice(1).fill(one));
});

it('arguments of a few numbers, which lie among all that is small, settle in the third step', async () => {
  await setUp();
  const step = trainer(recipes['AdamW, dropout'] as Recipe);
  const seen = await rounds(6, async () => step(images(4), labels(4)).dispose());
  expect(seen.slice(2)).toEqual(seen.slice(2).fill(one));
});

it('a rate that changes at each step makes nothing', async () => {
  await setUp();
  const model = network();
  const optimizer = new nn.AdamW(model.parameters(), { lr: 0.1 });
  const step = nn.compile((x: Tensor, y: Tensor) => {
    const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), model.parameters());
    optimizer.step(grads);
    return value;
  });
  const seen = await rounds(8, async (i) => {
    optimizer.lr = 0.1 / (i + 1);
    step(images(80), labels(80)).dispose();
  });
  expect(seen.slice(1)).toEqual(seen.slice(1).fill(one));
});

it('fit reads each loss beside a step; its last batch, a smaller one, and its sums settle in the first epochs', async () => {
  await setUp();
  const model = network(0.5);
  const perEpoch = 6; // of which the last is smaller
  let before = { ...calls };
  const seen: Calls[] = [];
  await nn.fit(model, {
    data: batches({ image: images(420), label: labels(420) }, { size: 80, shuffle: true }),
    loss: crossEntropy,
    optimizer: new nn.AdamW(model.parameters()),
    metrics: { accuracy: nn.accuracy },
    clipGradNorm: 1,
    epochs: 6,
    onStep: () => {
      seen.push(since(calls, before));
      before = { ...calls };
    },
  });
  const read = { createCommandEncoder: 2, beginComputePass: 1, submit: 2 };
  const within = seen.filter((_, i) => i % perEpoch > 0 && i % perEpoch < perEpoch - 1);
  expect(within).toEqual(within.map(() => read));
  const made = seen.slice(3 * perEpoch).flatMap((step) => Object.keys(step).filter((name) => !(name in read)));
  expect(made).toEqual([]);
});

it('inference keeps what it made for two batch sizes, the values read each time', async () => {
  await setUp();
  const f = nn.compile(network(0.5) as nn.Module<[Tensor], Tensor>, { mode: 'eval' });
  const seen = await rounds(12, async (i) => {
    const y = f(images([4, 4, 3][i % 3] as number));
    await y.data();
    y.dispose();
  });
  expect(seen.slice(3)).toEqual(seen.slice(3).fill({ createCommandEncoder: 2, beginComputePass: 1, submit: 2 }));
});

it('two steps that take turns keep theirs, losses held or not', async () => {
  await setUp();
  const [a, b] = [trainer(recipes['SGD'] as Recipe), trainer(recipes['AdamW, dropout'] as Recipe)];
  const held: Tensor[] = [];
  const seen = await rounds(12, async (i) => {
    held.push(a(images(4), labels(4)), b(images(4), labels(4)));
    if (i % 2) for (const loss of held.splice(0)) loss.dispose();
  });
  expect(seen.slice(2)).toEqual(seen.slice(2).fill({ createCommandEncoder: 2, beginComputePass: 2, submit: 2 }));
});

it('small values that come and go, in pages too, are copied by ways that a device allows', async () => {
  await setUp();
  const each = compile((...xs: Tensor[]) => xs.map((x, i) => mul(x, i + 1)));
  const all = compile((...xs: Tensor[]) => xs.reduce((a, b) => add(a, b)));
  const [taken, live] = [30, [] as Tensor[]];
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % below;
  };
  for (let round = 0; round < 40; round++) {
    while (live.length < taken + 4) {
      const one = tensor([1, 2]);
      await realize(one);
      live.push(one);
    }
    const some = [...live].sort(() => random(3) - 1).slice(0, taken);
    const made = each(...some);
    all(...some).dispose();
    await backend.sync(); // the device that counts refuses copies within a buffer
    for (const one of made) {
      if (random(2)) live.push(one);
      else one.dispose();
    }
    while (live.length > taken / 2) live.splice(random(live.length), 1)[0]?.dispose();
  }
});
/** What was dropped is given back. */
async function collected(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10)); // finalizers run between macrotasks
  }
}
it('a thousand steps, losses read, held for a while or dropped, leave memory, objects and the heap as they were', async () => {
  await setUp();
  const step = trainer(recipes['AdamW, dropout'] as Recipe);
  const held: Tensor[] = [];
  const train = async (steps: number) => {
    for (let i = 0; i < steps; i++) {
      const loss = step(images(80), labels(80));
      if (i % 3 === 0) await loss.item();
      if (i % 3 === 1) held.push(loss);
      if (i % 50 === 49) {
        for (const each of held.splice(0)) each.dispose();
        await collected(); // else the collector comes when it likes, and losses that wait for it take a page more
      }
    }
    await collected();
    const { peak, ...use } = backend.memory();
    return { use, objects: backend.info().objects, peak, heap: process.memoryUsage().heapUsed };
  };
  const { heap, peak, ...early } = await train(200);
  const { heap: lateHeap, peak: latePeak, ...late } = await train(1000);
  expect(late).toEqual(early);
  expect(peak).toBeGreaterThan(early.use.bytes);
  expect(latePeak - peak).toBeLessThan(2 ** 13); // losses that the collector came for later, 256 bytes each
  expect(lateHeap - heap).toBeLessThan(1_000_000); // 1 kB a step
});
