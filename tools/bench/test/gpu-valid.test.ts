/** Whole steps as WebGPU checks them: Dawn's null backend validates every shader, bind group and command, and computes nothing. */
import { webgpu } from '@tessera/backend-webgpu';
import { manualSeed, setBackend } from '@tessera/tensor';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareStep, type StepWork } from '../gpu/steps.ts';

let dawn: GPU; // must outlive its devices
beforeAll(async () => {
  const name = 'webgpu';
  const { create } = (await import(/* @vite-ignore */ name)) as { create(flags: readonly string[]): GPU };
  dawn = create(['backend=null']);
});

describe('steps on a device that binds eight buffers', () => {
  const steps: readonly StepWork[] = [
    { net: 'mnist', pass: 'train', batch: 128 },
    { net: 'resnet50', pass: 'train', batch: 2, size: 32 },
  ];
  it.each(steps)(
    '$net, batch $batch: valid from the first on, however tensors move',
    async (work) => {
      const adapter = await dawn.requestAdapter();
      const device = (await adapter?.requestDevice()) as GPUDevice;
      expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
      const backend = await webgpu({ device, probe: false });
      setBackend(backend);
      manualSeed(0);
      const { step, inputs } = await prepareStep(work);
      const run = async () => {
        step(...inputs)?.dispose();
        await backend.sync(); // rejects with what validation found
      };
      for (let i = 0; i < 4; i++) await run();
      backend.dispose();
    },
    120_000,
  );
});
