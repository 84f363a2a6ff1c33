/**
 * Mixed precision on a device with shader-f16. The emulator has none, so the device is Dawn's null backend: it checks every shader
 * and every call as a GPU's does, and computes nothing. Numbers are the reference backend's to show (packages/nn).
 */
import * as nn from '@tessera/nn';
import { crossEntropy, manualSeed, ones, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generate } from '../src/compile';
import { targetOf } from '../src/device';
import { type Webgpu, webgpu } from '../src/index';
import { emulated } from './emulated';

/** Dawn's instance must outlive its devices. */
let dawn: GPU;
async function nullDevice(wanted: readonly GPUFeatureName[]): Promise<GPUDevice> {
  const name = 'webgpu';
  const { create } = (await import(name)) as { create(flags: readonly string[]): GPU };
  dawn = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
  const adapter = (await dawn.requestAdapter()) as GPUAdapter;
  return adapter.requestDevice({ requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)) });
}

const network = () =>
  new nn.Sequential(
    ...[new nn.Conv2d(3, 8, 3, { padding: 1, bias: false }), new nn.BatchNorm2d(8), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Flatten(), new nn.LayerNorm([128]), new nn.Linear(128, 5)],
  );
/** A step with everything that mixed precision has. */
function mixedStep() {
  const model = network();
  const optimizer = new nn.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const lossScale = new nn.LossScaler();
  const step = nn.compile(
    (x: Tensor, y: Tensor) => {
      const loss = () => crossEntropy(model.forward(x), y);
      const { value, grads } = lossScale.valueAndGrad(loss, model.parameters());
      optimizer.step(grads);
      return value;
    },
    { name: 'step', precision: 'mixed', lossScale },
  );
  return () => step(ones([2, 3, 8, 8]), tensor(Int32Array.of(1, 3)));
}

describe('mixed precision on a device with shader-f16', () => {
  let backend: Webgpu;
  let device: GPUDevice;
  beforeAll(async () => {
    device = await nullDevice(['shader-f16', 'subgroups']);
    backend = await webgpu({ device, probe: false });
    setBackend(backend);
  });
  afterAll(() => {
    backend.dispose();
    device.destroy();
  });

  it('is valid from the first shader to the last', async () => {
    expect(backend.limits.dtypes).toContain('float16');
    const run = mixedStep();
    await run().data(); // rejects with what the device found wrong
    await run().data();
  });

  it('has float16 operands in products, sums of them in f32, and float32 in norms, losses and state', async () => {
    const model = network();
    const step = nn.compile((x: Tensor) => model.forward(x), { precision: 'mixed' });
    step(ones([2, 3, 8, 8]));
    const kernels = programsOf(step).flatMap(({ program }) => program.steps.map(({ kernel }) => kernel));
    const products = kernels.filter(({ kind }) => kind === 'conv' || kind === 'matmul');
    expect(products).toHaveLength(2);
    for (const kernel of products) {
      expect(kernel.inputs.slice(0, 2).map(({ dtype }) => dtype)).toEqual(['float16', 'float16']);
      const source = generate(kernel, targetOf(device))
        .dispatches.map((each) => each.source)
        .join('\n');
      expect(source).toContain('enable f16;');
      expect(source).toMatch(/array<(vec4<)?f16>/);
      expect(source).toMatch(/var c0_0 = vec4<f32>\(\);/); // its sums
    }
    // a norm may read what a convolution stored in half the bytes, and store the next product's operand; it computes in float32
    for (const kernel of kernels)
      if (kernel.kind === 'reduce') expect(kernel.stages.flat().every(({ dtype }) => dtype === 'float32')).toBe(true);
    // operands are stored by who makes them: only the images and the weights are converted on their own
    const conversions = kernels.filter(
      ({ kind, outputs }) => kind === 'map' && outputs.every(({ dtype }) => dtype === 'float16'),
    );
    expect(conversions.length).toBeLessThanOrEqual(3);
    expect(model.parameters().every(({ dtype }) => dtype === 'float32')).toBe(true);
  });
});

describe('mixed precision on a device without shader-f16', () => {
  it('is refused when the step is called, naming the step, the backend and what it stores', async () => {
    const backend = await webgpu(await emulated());
    setBackend(backend);
    manualSeed(0);
    const run = mixedStep();
    if (backend.limits.dtypes.includes('float16')) await run().data();
    else
      expect(run).toThrow(
        /compile: step has precision 'mixed', but backend webgpu stores .*, no float16; choose a backend/,
      );
    backend.dispose();
  });
});
