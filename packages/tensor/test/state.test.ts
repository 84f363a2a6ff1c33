import { beforeEach, describe, expect, it } from 'vitest';
import { add, mul, sub } from '../src/ops/arithmetic';
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
