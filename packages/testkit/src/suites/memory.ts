/** Memory: a training loop does not grow, what is disposed comes back, a disposed backend says so. */

import { valueAndGrad } from '@tessera/autograd';
import {
  add,
  BackendError,
  compile,
  expand,
  memory,
  mul,
  ones,
  ReadError,
  State,
  setBackend,
  sin,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Subject } from './subject';

export function describeMemory(of: Subject): void {
  describe(`memory of ${of.name}`, () => {
    beforeEach(async () => setBackend(await of.fresh()));

    it('is flat over many compiled steps', async () => {
      const w = new State(ones([16]));
      const step = compile((x: Tensor) => {
        const { value, grads } = valueAndGrad(() => sum(sin(mul(w.read(), x))), w);
        w.assign(sub(w.read(), mul(grads, 0.01)));
        return value;
      });
      const x = ones([16]);
      const run = async (): Promise<void> => {
        using value = step(x);
        await value.data();
      };
      for (let i = 0; i < 3; i++) await run();
      const { bytes, buffers } = memory();
      for (let i = 0; i < 500; i++) await run();
      // less it may be: what the trace made goes when the collector comes by
      const after = memory();
      expect(after.bytes).toBeLessThanOrEqual(bytes);
      expect(after.buffers).toBeLessThanOrEqual(buffers);
    });
    it('is flat over many eager steps whose outputs are disposed', async () => {
      const w = new State(ones([16]));
      const run = async (): Promise<void> => {
        w.assign(mul(w.read(), 0.99));
        using value = sum(w.read());
        await value.data();
      };
      for (let i = 0; i < 3; i++) await run();
      const { buffers } = memory();
      for (let i = 0; i < 200; i++) await run();
      // versions that only the collector can let go of are let go of
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(memory().buffers).toBeLessThan(buffers + 450);
    });
    it('comes back on dispose, once pending work is through', async () => {
      const x = add(ones([1000]), 1);
      await x.data();
      const before = memory().bytes;
      const pending = mul(x, 3);
      x.dispose();
      expect([...(await pending.data())].slice(0, 2)).toEqual([6, 6]);
      expect(memory().bytes).toBeLessThanOrEqual(before);
      pending.dispose();
      expect(memory().bytes).toBeLessThan(before);
    });
    it('refuses a tensor after dispose', async () => {
      const x = tensor([1, 2]);
      x.dispose();
      await expect(async () => x.data()).rejects.toThrow(ReadError);
      expect(() => add(x, 1)).toThrow('disposed');
    });
    it('refuses what fits no buffer, naming op and size, and goes on', async () => {
      const huge = mul(expand(tensor([1]), [2 ** 31]), 2);
      await expect(async () => huge.data()).rejects.toThrow(BackendError);
      await expect(async () => huge.data()).rejects.toThrow(/mul.*2147483648/);
      expect(await sum(ones([5])).item()).toBe(5);
    });
    it('rejects reads of a backend that was disposed', async () => {
      const backend = await of.fresh();
      setBackend(backend);
      const x = mul(ones([1000]), 2);
      await x.data();
      backend.dispose();
      await expect(async () => x.data()).rejects.toThrow(BackendError);
      await expect(async () => sum(x).data()).rejects.toThrow(/disposed/);
    });
    it('holds tensors of nothing', async () => {
      expect([...(await add(ones([0, 3]), 1).data())]).toEqual([]);
      expect(await sum(ones([0])).item()).toBe(0);
    });
  });
}
