import {
  compile,
  dropout,
  manualSeed,
  mul,
  normal,
  ones,
  setBackend,
  sum,
  type Tensor,
  tensor,
  uniform,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeEach, describe, expect, it } from 'vitest';
import { grad, valueAndGrad } from '../src/index';

beforeEach(() => {
  setBackend(reference({ dtype: 'float64' }));
  manualSeed(3);
});

describe('gradients of random ops', () => {
  it('drop what dropout dropped, without keeping a mask', async () => {
    const x = ones([64]);
    const { value, grads } = valueAndGrad(() => {
      const y = dropout(x, { p: 0.25 });
      return [sum(y), y];
    }, x) as { value: Tensor; grads: Tensor; aux?: unknown };
    expect(await grads.data()).toEqual(await dropped());
    expect(await value.item()).toBeGreaterThan(0);
  });
  const dropped = async () => {
    manualSeed(3);
    return dropout(ones([64]), { p: 0.25 }).data();
  };

  it('draw alike in a compiled step', async () => {
    const step = compile((x: Tensor) => grad((t: Tensor) => sum(dropout(t, { p: 0.25 })))(x));
    expect(await step(ones([64])).data()).toEqual(await dropped());
  });

  it('reach dropout twice', async () => {
    const x = tensor([1, 2, 3, 4]);
    const cube = (t: Tensor) => sum(dropout(mul(t, mul(t, t)), { p: 0.5 }));
    const twice = await grad((t: Tensor) => sum(grad(cube)(t)))(x).data();
    manualSeed(3);
    const kept = await dropout(ones([4]), { p: 0.5 }).data();
    expect([...twice]).toEqual([...kept].map((k, i) => 6 * (i + 1) * k));
  });

  it('go to mean and deviation, to low and high', async () => {
    const [a, b] = [tensor([1, 2]), tensor([0.5, 1])];
    const [byMean] = grad((m: Tensor, s: Tensor) => sum(normal(m, s)), { wrt: [0, 1] })(a, b);
    expect(await byMean?.toArray()).toEqual([1, 1]);
    const bounds = grad((lo: Tensor, hi: Tensor) => sum(uniform(lo, hi)), { wrt: [0, 1] })(a, b);
    const [low, high] = await Promise.all(bounds.map((g) => g.data()));
    expect([...(low as Float64Array)].map((v, i) => v + ((high as Float64Array)[i] as number))).toEqual([1, 1]);
  });
});
