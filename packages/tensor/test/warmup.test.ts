/** Making ready what a call will run. */
import { beforeEach, describe, expect, it } from 'vitest';
import { add, compile, mul, ones, State, setBackend, sum, type Tensor, tensor, warmup } from '../src/index';
import { cacheUse } from '../src/inspect';
import { reference } from '../src/reference';

beforeEach(() => setBackend(reference({ dtype: 'float32' })));

describe('warmup', () => {
  it('traces a compiled function for these shapes, changes nothing, and its first call finds all there', async () => {
    const counter = new State(tensor([0, 0]));
    let traced = 0;
    const step = compile((x: Tensor) => {
      traced++;
      counter.assign(add(counter.read(), x));
      return sum(counter.read());
    });
    await warmup(step, [ones([2])]);
    expect(traced).toBe(1);
    expect([...(await counter.data())]).toEqual([0, 0]);
    const { plans, executables } = cacheUse();
    expect(await step(tensor([3, 4])).item()).toBe(7);
    expect(traced).toBe(1);
    expect(cacheUse().executables - executables).toBeLessThanOrEqual(1); // the copy of a state that was read
    expect(cacheUse().plans - plans).toBeLessThanOrEqual(1);
  });

  it('makes the kernels of a function that is not compiled', async () => {
    const f = (x: Tensor) => mul(sum(x), 2);
    await warmup(f, [ones([3])]);
    const { executables } = cacheUse();
    expect(await f(tensor([1, 2, 3])).item()).toBe(12);
    expect(cacheUse().executables).toBe(executables);
  });

  it('tells how far it is, also on a backend that has its kernels at once', async () => {
    const told: unknown[] = [];
    await warmup((x: Tensor) => sum(x), [ones([3])], { onProgress: (progress) => told.push(progress) });
    expect(told).toEqual([{ done: 1, total: 1 }]);
  });

  it('does nothing where its signal has ended already', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(warmup((x: Tensor) => sum(x), [ones([3])], { signal })).rejects.toThrow('enough');
  });
});
