import { beforeEach, describe, expect, it, vi } from 'vitest';
import { compile, guard } from '../src/compile';
import { cacheUse, programsOf } from '../src/inspect';
import { add, div, mul, sub } from '../src/ops/arithmetic';
import { matmul } from '../src/ops/linalg';
import { mean, sum } from '../src/ops/reduction';
import { expand } from '../src/ops/shape';
import { reference } from '../src/reference';
import { setBackend } from '../src/runtime';
import { State } from '../src/state';
import { realize, type Tensor, tensor } from '../src/tensor';

let backend = reference();
beforeEach(() => {
  backend = reference();
  setBackend(backend);
});

describe('compile', () => {
  it('gives what the function gives, tracing it once a signature', async () => {
    const f = vi.fn((x: Tensor, scale: number) => mul(add(x, 1), scale));
    const g = compile(f);
    expect(await g(tensor([1, 2]), 3).toArray()).toEqual([6, 9]);
    expect(await g(tensor([5, 6]), 3).toArray()).toEqual([18, 21]);
    expect(f).toHaveBeenCalledTimes(1);
    expect(await g(tensor([1, 2, 3]), 3).toArray()).toEqual([6, 9, 12]);
    expect(await g(tensor([1, 2]), 4).toArray()).toEqual([8, 12]);
    expect(f).toHaveBeenCalledTimes(3);
  });

  it('keeps the shape of what the function returns', async () => {
    const g = compile((x: Tensor) => ({ twice: mul(x, 2), list: [x, sum(x)], name: 'x' }));
    const { twice, list, name } = g(tensor([1, 2]));
    expect([await twice.toArray(), await list[0]?.toArray(), await list[1]?.item(), name]).toEqual([
      [2, 4],
      [1, 2],
      3,
      'x',
    ]);
  });

  it('updates state in place, seen by eager reads before and after', async () => {
    const w = new State(tensor([1, 1]));
    const step = compile((x: Tensor) => {
      const loss = sum(mul(w, x));
      w.assign(sub(w, mul(x, 0.5)));
      return loss;
    });
    expect(await step(tensor([1, 2])).item()).toBe(3);
    const kept = w.read();
    expect(await step(tensor([1, 2])).item()).toBe(0.5);
    expect(await kept.toArray()).toEqual([0.5, 0]);
    expect(await w.read().toArray()).toEqual([0, -1]);
    expect(programsOf(step)[0]?.program.results.map(({ leaf }) => leaf !== null)).toEqual([true, false]);
  });

  it('takes a number once, however often it is written: zero by its sign', async () => {
    const step = compile((x: Tensor) => [add(mul(x, 0.5), 0.5), div(x, -0), div(x, 0)]);
    const [half, less, more] = step(tensor([1, 2])) as Tensor[];
    expect([await half?.toArray(), await less?.toArray(), await more?.toArray()]).toEqual([
      [1, 1.5],
      [-Infinity, -Infinity],
      [Infinity, Infinity],
    ]);
    const uniforms = programsOf(step)[0]?.program.steps.flatMap((each) => each.uniforms);
    expect(new Set(uniforms).size).toBe(3);
  });

  it('sees an assignment within the step', async () => {
    const n = new State(tensor([0]));
    const step = compile(() => {
      n.assign(add(n, 1));
      const once = mul(n, 10);
      n.assign(add(n, 1));
      return once;
    });
    expect(await step().toArray()).toEqual([10]);
    expect(await step().toArray()).toEqual([30]);
    expect(await n.data()).toEqual(Float32Array.of(4));
  });

  it('swaps two states', async () => {
    const [a, b] = [new State(tensor([1])), new State(tensor([2]))];
    const swap = compile(() => {
      const [x, y] = [a.read(), b.read()];
      a.assign(y);
      b.assign(x);
    });
    swap();
    swap();
    swap();
    expect([...(await a.data()), ...(await b.data())]).toEqual([2, 1]);
  });

  it('reads eager assignments made between steps', async () => {
    const lr = new State(tensor(1));
    const step = compile((x: Tensor) => mul(x, lr));
    expect(await step(tensor([3])).toArray()).toEqual([3]);
    lr.assign(tensor(10));
    expect(await step(tensor([3])).toArray()).toEqual([30]);
  });

  it('never writes over an output that someone holds', async () => {
    const w = new State(tensor([1]));
    const step = compile(() => {
      w.assign(mul(w, 2));
      return w.read();
    });
    const outputs = [step(), step(), step()];
    expect(await Promise.all(outputs.map((output) => output.item()))).toEqual([2, 4, 8]);
  });

  it('traces anew when a setting it looked at has changed', async () => {
    let training = true;
    const f = vi.fn((x: Tensor) => (guard(() => training) ? mul(x, 2) : x));
    const g = compile(f);
    expect(await g(tensor([1])).toArray()).toEqual([2]);
    training = false;
    expect(await g(tensor([1])).toArray()).toEqual([1]);
    training = true;
    expect(await g(tensor([1])).toArray()).toEqual([2]);
    expect(f).toHaveBeenCalledTimes(2);
  });

  it('uses tensors from outside as they are, pending or not', async () => {
    const outside = add(tensor([1, 2]), 1);
    const g = compile((x: Tensor) => mul(x, outside));
    expect(await g(tensor([10, 10])).toArray()).toEqual([20, 30]);
    expect(await g(outside).toArray()).toEqual([4, 9]);
  });

  it('leaves everything else alone where initial values cannot be had', async () => {
    const huge = new State(expand(tensor([1]), [2 ** 31]));
    await expect(realize(huge)).rejects.toThrow('at most');
    const step = compile(() => sum(huge));
    expect(() => step()).toThrow('at most');
    expect(await add(tensor([1]), 1).item()).toBe(2);
  });

  it('writes over initial values in place, unless someone holds them', async () => {
    const make = () => new State(add(tensor([1, 1, 1, 1]), 0));
    const [alone, read, late, shared] = [make(), make(), make(), tensor([1, 1, 1, 1])];
    const [a, b] = [new State(shared), new State(shared)];
    const before = read.read();
    await realize(alone, before, late, a, b);
    const after = late.read();
    const states = [alone, read, late, a, b];
    const step = compile(() => {
      for (const [i, state] of states.entries()) state.assign(mul(state, i + 2));
      return sum(alone);
    });
    const allocate = vi.spyOn(backend, 'allocate');
    step();
    // copies of `read` and `late`, whose old values are held, and the result
    expect(allocate.mock.calls.map(([, size]) => size)).toEqual([4, 4, 1]);
    for (const held of [before, after, shared]) expect(await held.toArray()).toEqual([1, 1, 1, 1]);
    for (const [i, state] of states.entries()) expect([...(await state.data())]).toEqual(Array(4).fill(i + 2));
  });

  it('takes no memory, plans or executables from the second step on', async () => {
    const w = new State(tensor(new Float32Array(64).fill(0.1), { shape: [8, 8] }));
    const step = compile((x: Tensor) => {
      const loss = mean(matmul(x, w));
      w.assign(sub(w, mul(w, 0.01)));
      return loss;
    });
    const x = () => tensor(new Float32Array(32).fill(1), { shape: [4, 8] });
    await step(x()).item();
    await step(x()).item();
    const [memory, use] = [backend.memory(), cacheUse()];
    for (let i = 0; i < 50; i++) await step(x()).item();
    expect(backend.memory()).toEqual(memory);
    expect(cacheUse()).toEqual(use);
  });

  it('can leave state as it was where a result is not finite', async () => {
    const w = new State(tensor([1, 2]));
    const step = compile(
      (x: Tensor) => {
        w.assign(mul(w, x));
        return sum(w);
      },
      { commit: 'finite' },
    );
    expect(await step(tensor([2, 2])).item()).toBe(6);
    expect(await step(tensor([Number.NaN, 1])).item()).toBeNaN();
    expect(await w.data()).toEqual(Float32Array.of(2, 4));
    expect(await step(tensor([Number.POSITIVE_INFINITY, 1])).item()).toBe(Number.POSITIVE_INFINITY);
    expect(await step(tensor([1, 2])).item()).toBe(10);
  });

  it('refuses to read values inside, and to wait', async () => {
    let reading: Promise<number> | undefined;
    const read = compile((x: Tensor) => {
      reading = x.item();
      return x;
    });
    read(tensor(1));
    await expect(reading).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ReadError: data: values cannot be read inside a compiled function (it is traced once, then replayed); return the tensor and read it outside]`,
    );
    const waiting = compile(async (x: Tensor) => x);
    expect(() => waiting(tensor(1))).toThrowErrorMatchingInlineSnapshot(
      `[ReadError: compile: compiled function is async; a compiled function returns tensors at once, await their values outside]`,
    );
  });

  it('refuses arguments and results that it cannot bind', () => {
    expect(() => compile((x: object) => x as never)({})).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: compile: an argument is Object; hand in tensors, numbers, strings or booleans]`,
    );
    expect(() => compile(() => new Map() as never)()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: compile: compiled function returned Map; return tensors, arrays or plain objects of them]`,
    );
  });
});
