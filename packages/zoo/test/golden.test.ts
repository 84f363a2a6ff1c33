/**
 * PyTorch's logits, loss and gradient norms at full size, of the networks that take a few seconds and under 2 GB. All ten:
 * `pnpm golden packages/zoo/golden/models.safetensors --backend cpu`.
 */
import { readFileSync } from 'node:fs';
import { cpu } from '@tessera/backend-cpu';
import { type Backend, setBackend } from '@tessera/tensor';
import { describeFault, readGolden, runCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelRows } from './golden-rows';

const file = readGolden(readFileSync(new URL('../golden/models.safetensors', import.meta.url)));
const quick = ['alexnet', 'resnet18', 'resnet50', 'resnext50_32x4d', 'googlenet', 'inception_v3'];
/**
 * Gradients of Inception's first layers turn with rounding: an input changed by 1e-6 of itself moves the first convolution's norm
 * from 264.2 to 264.9, which is 0.98 of the bound. They pass in `pnpm golden`; here a new kernel's rounding must not fail.
 */
const unsteady = ['model_inception_v3'];

let backend: Backend;
beforeAll(async () => setBackend((backend = await cpu())));
afterAll(() => backend.dispose());

describe('golden models', () => {
  it('are ten, each with a row', () =>
    expect(file.cases.map(({ op }) => op).filter((op) => op in modelRows).length).toBe(10));

  it.each(file.cases.filter(({ op }) => quick.includes(op.slice('model_'.length))))('$op', async (golden) => {
    const { grad_norm, ...others } = golden.outputs;
    const outputs = unsteady.includes(golden.op) ? others : golden.outputs;
    const fault = await runCase(modelRows, { ...golden, outputs }, file);
    expect(fault && describeFault(fault)).toBe(null);
  });
});
