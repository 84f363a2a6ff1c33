/** A model made ready before its first call. */
import * as t from '@tessera/tensor';
import { cacheUse } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { beforeEach, describe, expect, it } from 'vitest';
import * as nn from '../src/index';

beforeEach(() => {
  t.setBackend(reference({ dtype: 'float32' }));
  t.manualSeed(0);
});

const made = () => new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU());
const images = () => t.tensor(new Float32Array(150), { shape: [2, 3, 5, 5] });

describe('warmup', () => {
  it('makes the kernels of a model’s forward for a shape, in its mode, and leaves its statistics alone', async () => {
    const model = made();
    await nn.warmup(model, [2, 3, 5, 5]);
    const norm = model[1] as nn.BatchNorm2d;
    expect([...(await (norm.runningMean as t.State).data())]).toEqual([0, 0, 0, 0]);
    model.eval();
    await nn.warmup(model, [2, 3, 5, 5]);
    const { executables } = cacheUse();
    await model.forward(images()).data();
    expect(cacheUse().executables).toBe(executables);
  });

  it('makes the plan of a compiled step, and initial values', async () => {
    const run = nn.compile(made(), { mode: 'eval' });
    await nn.warmup(run, [images()]);
    const { plans, executables } = cacheUse();
    await run(images()).data();
    expect(cacheUse()).toMatchObject({ plans, executables });
  });
});
