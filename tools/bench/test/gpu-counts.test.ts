/** What `pnpm bench:webgpu` counts without a GPU: the counts themselves, and that the counting is right. */
import { valueAndGrad } from '@tessera/autograd';
import { webgpu } from '@tessera/backend-webgpu';
import {
  AdamW,
  BatchNorm2d,
  Conv2d,
  compile as compileModel,
  Flatten,
  Linear,
  ReLU,
  Sequential,
  SGD,
} from '@tessera/nn';
import {
  add,
  batchNorm,
  compile,
  conv2d,
  crossEntropy,
  manualSeed,
  mul,
  ones,
  relu,
  setBackend,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { type Accumulate, contiguous, type Expr, expr as e } from '@tessera/tensor/backend';
import { programsOf } from '@tessera/tensor/inspect';
import { beforeAll, describe, expect, it } from 'vitest';
import { targetOf } from '../../../packages/backend-webgpu/src/device.ts';
import { causes } from '../causes.ts';
import { countCreations, countingDevice, total } from '../gpu/counting-device.ts';
import { counts } from '../gpu/counts.ts';
import { countAll } from '../gpu/report.ts';
import { bytesMoved, leastBytes } from '../gpu/traffic.ts';
import { type FactResult, factVerdict } from '../networks/facts.ts';

describe('steps on a GPU', () => {
  let results: FactResult[];
  beforeAll(async () => {
    results = await countAll(counts);
  }, 120_000);

  it('are counted, all of them', () => {
    expect(results.map(({ fact }) => fact.name)).toEqual(counts.map(({ name }) => name));
    for (const { ours } of results) expect(ours).toBeGreaterThanOrEqual(0);
  });
  it('stay within their goals; one that is lost says why', () => {
    const lost = results.filter((result) => factVerdict(result) === 'lost');
    const unexplained = lost.filter(({ fact }) => !(fact.name in causes));
    expect(unexplained.map(({ fact, ours }) => `${fact.name}: ${ours}`)).toEqual([]);
  });
  it('move few bytes in mixed precision, too', () => {
    const mixed = results.find(({ fact }) => fact.name === 'ResNet-50 mixed step: bytes over the op graph’s bound');
    expect(mixed?.ours).toBeLessThan(1.585);
  });
  it('make no buffer, bind group or pipeline from the second on', () => {
    const made = results.filter(({ fact }) => fact.name.endsWith('objects made by the second step'));
    expect(made.map(({ ours }) => ours)).toEqual([0, 0, 0, 0, 0]);
  });
  it('are one encoder, one pass and one submit each', () => {
    const of = (name: string) => results.find(({ fact }) => fact.name === name)?.ours;
    expect([of('ResNet-50 step: submits'), of('ResNet-50 step: compute passes')]).toEqual([1, 1]);
  });
});

describe('a loop that trains', () => {
  const uses = {
    'reads each loss': (loss: Tensor) => loss.item(),
    'holds all losses': () => {},
    'lets go of them': (loss: Tensor) => loss.dispose(),
  };
  it.each(
    (['SGD', 'AdamW'] as const).flatMap((kind) => Object.entries(uses).map(([name, use]) => ({ kind, name, use }))),
  )('with $kind that $name makes nothing from the second step on', async ({ kind, use }) => {
    const { device } = countingDevice();
    const made = countCreations(device);
    const backend = await webgpu({ device, probe: false });
    setBackend(backend);
    manualSeed(0);
    const model = new Sequential(
      ...[new Conv2d(3, 8, 3), new BatchNorm2d(8), new ReLU()],
      ...[new Conv2d(8, 300, 3), new BatchNorm2d(300), new ReLU(), new Flatten(), new Linear(300 * 16, 10)],
    );
    const optimizer =
      kind === 'SGD' ? new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 }) : new AdamW(model.parameters());
    const step = compile((x: Tensor, y: Tensor) => {
      const { value, grads } = valueAndGrad(() => crossEntropy(model.forward(x), y), model.parameters());
      optimizer.step(grads);
      return value;
    });
    const losses: Tensor[] = [];
    const objects: number[] = [];
    for (let batch = 0; batch < 5; batch++) {
      const loss = step(
        tensor(new Float32Array(400 * 3 * 8 * 8), { shape: [400, 3, 8, 8] }),
        tensor(new Int32Array(400)),
      );
      losses.push(loss);
      await use(loss);
      await backend.sync();
      objects.push(total(made));
    }
    expect(objects.slice(1)).toEqual(objects.slice(1).fill(objects[0] as number));
    backend.dispose();
  });
});

describe('counting', () => {
  it('sees every object that a device makes, whoever makes it, but no command encoder', async () => {
    const { device } = countingDevice();
    const made = countCreations(device);
    device.createBuffer({ size: 4, usage: 128 });
    await device.createComputePipelineAsync({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: '' }) },
    });
    device.createCommandEncoder();
    expect(made).toEqual({ createBuffer: 1, createShaderModule: 1, createComputePipeline: 1 });
    expect(total(made)).toBe(3);
  });

  it('sees what each new step makes, and that a known one makes nothing', async () => {
    const { device, encoded } = countingDevice();
    const made = countCreations(device);
    const backend = await webgpu({ device, probe: false });
    setBackend(backend);
    manualSeed(0); // the state of the random numbers was on another
    const step = compile((x: Tensor) => add(x, 1));
    const run = async () => {
      const [objects, dispatches] = [total(made), encoded.dispatches];
      const y = step(x);
      await backend.sync();
      y.dispose();
      return { objects: total(made) - objects, dispatches: encoded.dispatches - dispatches };
    };
    const x = ones([1000]);
    await x.data();
    expect((await run()).objects).toBeGreaterThan(2);
    expect(await run()).toEqual({ objects: 0, dispatches: 1 });
    backend.dispose();
  });

  it('bounds bytes by the op graph: products read and write once, a norm reads once, the rest is free', async () => {
    const { device } = countingDevice();
    const backend = await webgpu({ device, probe: false });
    setBackend(backend);
    const [n, c, size] = [2, 4, 8];
    const [x, w, v] = [ones([n, c, size, size]), ones([c, c, 3, 3]), ones([c, c, 1, 1])];
    const step = compile((x: Tensor, w: Tensor, v: Tensor) =>
      conv2d(relu(batchNorm(conv2d(x, w, { padding: 1 }), { training: true })), v),
    );
    step(x, w, v).dispose();
    const [program] = programsOf(step);
    const map = n * c * size * size;
    expect(program && leastBytes(program)).toBe(4 * (2 * map + 9 * c * c + map + 2 * map + c * c));
    backend.dispose();
  });

  it('bounds a norm by the float16 map that its input is', async () => {
    const { device } = countingDevice(['subgroups', 'shader-f16'] as GPUFeatureName[]);
    const backend = await webgpu({ device, probe: false });
    setBackend(backend);
    manualSeed(0);
    const [n, c, size] = [2, 4, 8];
    const conv = new Conv2d(c, c, 1, { bias: false });
    const model = new Sequential(conv, new BatchNorm2d(c, { affine: false, trackRunningStats: false }));
    const step = compileModel(
      (x: Tensor, seen: Tensor) =>
        valueAndGrad(() => sum(mul(model.forward(x), seen)), [conv.weight]).grads[0] as Tensor,
      { precision: 'mixed' },
    );
    const [x, seen] = [ones([n, c, size, size]), ones([n, c, size, size])];
    step(x, seen).dispose();
    const [program] = programsOf(step);
    const [map, w] = [n * c * size * size, c * c];
    // two products of float16, x of the norm twice as float16, its cotangent as float32 once
    expect(program && leastBytes(program)).toBe(2 * (2 * map + w) + 2 * (2 * map + w) + 2 * map + 2 * map + 4 * map);
    backend.dispose();
  });

  it('counts a row once where lanes hold it, else as often as its reduction goes over it; a bool as a word', () => {
    const { device } = countingDevice();
    const reduce = (row: number) => {
      const view = contiguous([2, row]);
      const x: Expr = { op: 'load', dtype: 'float32', input: 0, view, at: null };
      const stage = (expr: Expr): Accumulate[] => [{ combine: 'sum', expr, dtype: 'float32' }];
      return bytesMoved(
        {
          kind: 'reduce',
          shape: [2, row],
          axes: [1],
          stages: [stage(x), stage(e.mul(x, e.acc(0)))],
          stores: [{ per: 'element', output: 0, view, expr: e.cast(e.mul(x, e.acc(1)), 'bool') }],
          inputs: [{ dtype: 'float32', size: 2 * row }],
          outputs: [{ dtype: 'bool', size: 2 * row }],
          uniforms: [],
          aliases: [-1],
        },
        targetOf(device),
      );
    };
    expect(reduce(100)).toBe(4 * (200 + 200));
    expect(reduce(100_000)).toBe(4 * (3 * 200_000 + 200_000));
  });
});
