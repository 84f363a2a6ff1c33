import { beforeEach, describe, expect, it } from 'vitest';
import { compile } from '../src/compile';
import { BackendError } from '../src/errors';
import { add, mul, sub } from '../src/ops/arithmetic';
import { ones, zeros } from '../src/ops/create';
import { sum } from '../src/ops/reduction';
import { reference } from '../src/reference';
import { setBackend } from '../src/runtime';
import { State } from '../src/state';
import { tensor } from '../src/tensor';

beforeEach(() => setBackend(reference()));

describe('State', () => {
  it('is read at the version of the moment', async () => {
    const w = new State(tensor([1, 2]));
    const before = w.read();
    w.assign(mul(w, 10));
    const after = w.read();
    expect(await after.toArray()).toEqual([10, 20]);
    expect(await before.toArray()).toEqual([1, 2]);
  });

  it('keeps pending readers of an old version right', async () => {
    const w = new State(tensor([1, 2]));
    const total = sum(w.read());
    w.assign(add(w, 1));
    await w.data();
    w.assign(add(w, 1));
    expect(await total.item()).toBe(3);
    expect(await w.data()).toEqual(Float32Array.of(3, 4));
  });

  it('runs all assignments with the next read, so that a loop does not grow', async () => {
    const w = new State(tensor([0]));
    for (let i = 0; i < 100; i++) {
      w.assign(add(w, 1));
      if (i % 10 === 9) await tensor([1]).data();
    }
    expect(await w.item()).toBe(100);
  });

  it('takes host data by an upload alone: no kernel copies it, and who else has the data has it still', async () => {
    const backend = reference();
    let kernels = 0;
    const submit = backend.submit.bind(backend);
    backend.submit = (plan, ...rest) => {
      kernels += plan.steps.length;
      submit(plan, ...rest);
    };
    setBackend(backend);
    const given = tensor([1, 2]);
    const [w, v] = [new State(given), new State(tensor([0, 0]))];
    v.assign(given);
    expect(await w.data()).toEqual(Float32Array.of(1, 2));
    expect(kernels).toBe(0);
    compile(() => w.assign(add(w, 1)))();
    expect(kernels).toBeGreaterThan(0);
    expect(await w.data()).toEqual(Float32Array.of(2, 3));
    for (const each of [v, given]) expect(await each.data()).toEqual(Float32Array.of(1, 2));
  });

  it('too large for the backend fails once and where it is read, and the rest goes on', async () => {
    const backend = reference();
    const allocate = backend.allocate.bind(backend);
    let most = 100;
    backend.allocate = (dtype, size) => {
      if (size * 4 > most) throw new BackendError(`no memory for ${dtype}[${size}] beyond ${most} bytes`);
      return allocate(dtype, size);
    };
    setBackend(backend);
    const [large, w] = [new State(zeros([1000])), new State(tensor([1]))];
    large.assign(ones([1000]));
    w.assign(add(w, 1));
    const failure = /out of memory: this plan of 1 kernels needs .* \(no memory for float32\[1000\] beyond 100 bytes\)/;
    await expect(mul(tensor([3]), 2).data()).rejects.toThrow(failure);
    expect(await mul(tensor([3]), 2).toArray()).toEqual([6]);
    w.assign(add(w, 1));
    expect(await w.item()).toBe(3);
    await expect(large.data()).rejects.toThrow(failure);
    const step = compile(() => w.assign(mul(w, 2)));
    step();
    expect(await w.item()).toBe(6);
    most = 10_000; // memory was freed: what was assigned is still there
    expect((await large.data())[999]).toBe(1);
    large.assign(add(large, 1));
    expect((await large.data())[999]).toBe(2);
  });

  it('is an operand like a tensor', async () => {
    const w = new State(tensor([3]));
    expect(await sub(w, 1).item()).toBe(2);
  });

  it('refuses another shape or dtype', () => {
    const w = new State(tensor([1, 2]));
    expect(() => w.assign(tensor([1]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: assign: the state is float32 [2], the value float32 [1]; reshape or cast it first]`,
    );
    expect(() => w.assign(tensor([1, 2], { dtype: 'int32' }))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: assign: the state is float32 [2], the value int32 [2]; reshape or cast it first]`,
    );
  });
});
