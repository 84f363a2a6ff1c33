/** What changes and what never does: state, compiled steps, kept outputs, random numbers, failures. */
import { valueAndGrad } from '@tessera/autograd';
import {
  add,
  BackendError,
  compile,
  cumsum,
  dropout,
  manualSeed,
  matmul,
  mean,
  mul,
  ones,
  ReadError,
  rand,
  randn,
  relu,
  State,
  setBackend,
  sin,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Subject } from './subject';

/** A regression of two layers with momentum: every kind of state that training has. */
function trainer() {
  const shape = { shape: [4, 3] };
  const w = [
    new State(
      tensor(
        Float32Array.from({ length: 12 }, (_, i) => Math.sin(i) / 2),
        shape,
      ),
    ),
    new State(ones([3, 1])),
  ];
  const velocities = w.map((each) => new State(mul(each.read(), 0)));
  const step = (x: Tensor, y: Tensor): Tensor => {
    const forward = (): Tensor => matmul(relu(matmul(x, (w[0] as State).read())), (w[1] as State).read());
    const { value, grads } = valueAndGrad(() => mean(square(sub(forward(), y))), w);
    grads.forEach((g, i) => {
      const [cell, velocity] = [w[i] as State, velocities[i] as State];
      velocity.assign(add(mul(velocity.read(), 0.9), g));
      cell.assign(sub(cell.read(), mul(velocity.read(), 0.05)));
    });
    return value;
  };
  return { w, step };
}
const batch = (n: number): [Tensor, Tensor] => [
  tensor(
    Float32Array.from({ length: 20 }, (_, i) => Math.cos(i * n)),
    { shape: [5, 4] },
  ),
  tensor(
    Float32Array.from({ length: 5 }, (_, i) => Math.sin(i + n)),
    { shape: [5, 1] },
  ),
];

export function describeState(of: Subject): void {
  describe(`state and compiled steps on ${of.name}`, () => {
    beforeEach(async () => {
      setBackend(await of.backend());
      manualSeed(7);
    });

    it('trains the same to the last bit, compiled or not', async () => {
      const [eager, compiled] = [trainer(), trainer()];
      const step = compile(compiled.step);
      for (let i = 1; i <= 5; i++) expect(await step(...batch(i)).data()).toEqual(await eager.step(...batch(i)).data());
      for (const [i, cell] of compiled.w.entries()) expect(await cell.data()).toEqual(await eager.w[i]?.data());
    });
    it('never writes over an output that is kept, or a read on its way', async () => {
      const counter = new State(tensor([0, 0, 0]));
      const step = compile((x: Tensor) => {
        const next = add(counter.read(), x);
        counter.assign(next);
        return mul(next, 1);
      });
      const kept = Array.from({ length: 8 }, () => step(ones([3])));
      const early = kept.map((y) => y.data());
      const later = Array.from({ length: 8 }, () => step(ones([3])));
      for (const [i, data] of early.entries()) expect([...(await data)]).toEqual([i + 1, i + 1, i + 1]);
      for (const [i, y] of later.entries()) expect([...(await y.data())]).toEqual([i + 9, i + 9, i + 9]);
      expect([...(await (kept[0] as Tensor).data())]).toEqual([1, 1, 1]);
    });
    it('a reader of an old version keeps its value, whatever is assigned since', async () => {
      const cell = new State(tensor([1, 2]));
      const old = cell.read();
      const pending = mul(old, 10);
      const step = compile(() => {
        cell.assign(add(cell.read(), 1));
        return sum(cell.read());
      });
      expect(await step().item()).toBe(5);
      expect(await step().item()).toBe(7);
      cell.assign(tensor([7, 7]));
      expect([...(await pending.data())]).toEqual([10, 20]);
      expect([...(await old.data())]).toEqual([1, 2]);
      expect([...(await cell.data())]).toEqual([7, 7]);
    });
    it('swaps states within one step', async () => {
      const [a, b] = [new State(tensor([1, 2])), new State(tensor([3, 4]))];
      const swap = compile(() => {
        const [x, y] = [a.read(), b.read()];
        a.assign(y);
        b.assign(x);
      });
      for (let i = 0; i < 3; i++) swap();
      expect([...(await a.data()), ...(await b.data())]).toEqual([3, 4, 1, 2]);
    });
    it('updates in place what also reads its neighbours', async () => {
      const cell = new State(tensor([1, 2, 3, 4]));
      const step = compile(() => cell.assign(add(cumsum(cell.read(), 0), mul(cell.read(), 0))));
      step();
      step();
      expect([...(await cell.data())]).toEqual([1, 4, 10, 20]);
    });
    it('traces another shape anew and keeps the first', async () => {
      let traced = 0;
      const f = compile((x: Tensor) => {
        traced++;
        return sum(sin(x));
      });
      for (const n of [3, 5, 3, 5]) await f(ones([n])).item();
      expect(traced).toBe(2);
    });
    it('draws the same numbers for a seed, compiled or not, and others at each draw', async () => {
      const draw = (): Tensor => dropout(add(rand([64]), randn([64])), { p: 0.3 });
      const eager = [await draw().data(), await draw().data()];
      manualSeed(7);
      const compiled = compile(draw);
      const replayed = [await compiled().data(), await compiled().data()];
      expect(replayed).toEqual(eager);
      expect(eager[0]).not.toEqual(eager[1]);
    });
    it('gives uniform numbers as the reference does, bit for bit', async () => {
      const mine = await rand([257]).data();
      setBackend(reference({ dtype: 'float32' }));
      manualSeed(7);
      expect(mine).toEqual(await rand([257]).data());
    });
    it('gives the same bits for the same work', async () => {
      const x = tensor(
        Float32Array.from({ length: 64 * 64 }, (_, i) => Math.sin(i)),
        { shape: [64, 64] },
      );
      const work = (): Promise<unknown> => sum(matmul(sin(x), x), 0).data();
      expect(await work()).toEqual(await work());
    });
    it('refuses to mix backends, naming the way over', async () => {
      const x = mul(ones([1000]), 2);
      await x.data();
      setBackend(await of.fresh());
      await expect(async () => add(x, 1).data()).rejects.toThrow(BackendError);
      await expect(async () => add(x, 1).data()).rejects.toThrow('to(t, backend)');
    });
    it('refuses a read inside a compiled function, and works afterwards', async () => {
      const f = compile((x: Tensor) => {
        void x.data().catch(() => undefined);
        return x;
      });
      const g = compile((x: Tensor) => mul(x, 2));
      try {
        f(ones([2]));
      } catch (error) {
        expect(error).toBeInstanceOf(ReadError);
      }
      expect([...(await g(ones([2])).data())]).toEqual([2, 2]);
    });
  });
}
