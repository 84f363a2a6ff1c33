import { beforeEach, describe, expect, it } from 'vitest';
import { add, mul } from '../src/ops/arithmetic';
import { full } from '../src/ops/create';
import { format } from '../src/print';
import { reference } from '../src/reference';
import { runtime, setBackend } from '../src/runtime';
import { State } from '../src/state';
import { isTensor, meta, realize, tensor, to } from '../src/tensor';

let backend = reference();
beforeEach(() => {
  backend = reference();
  setBackend(backend);
});

describe('tensor', () => {
  it('takes numbers, nested arrays, typed arrays and image data', async () => {
    expect([tensor(3).shape, tensor([]).shape, tensor([[1, 2]]).shape]).toEqual([[], [0], [1, 2]]);
    expect(tensor(Int32Array.of(1, 2)).dtype).toBe('int32');
    expect(tensor([true, false]).dtype).toBe('bool');
    const image = tensor({ data: Uint8ClampedArray.of(1, 2, 3, 255), width: 1, height: 1 });
    expect([image.dtype, image.shape]).toEqual(['uint8', [1, 1, 4]]);
    expect(await tensor([true, false]).toArray()).toEqual([true, false]);
  });

  it('copies what it is given', async () => {
    const data = Float32Array.of(1, 2);
    const x = tensor(data);
    data[0] = 9;
    expect(await x.toArray()).toEqual([1, 2]);
  });

  it('says what is wrong with the data', () => {
    expect(() => tensor([[1, 2], [3]])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: tensor: nested arrays are ragged: data[1] has 1 entries, others 2]`,
    );
    expect(() => tensor([1, [2]])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: tensor: nested arrays are ragged: data[1] has 1 entries, others none]`,
    );
    expect(() => tensor(['1'] as never)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: tensor: data[0] is string; wants numbers or booleans]`,
    );
    expect(() => tensor(new BigInt64Array(2) as never)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: tensor: data is a BigInt64Array; wants numbers: Int32Array.from(data, Number)]`,
    );
    expect(() => tensor([1, 2, 3], { shape: [2, 2] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: tensor: shape [2,2] wants 4 elements, the data has 3]`,
    );
  });

  it('shows shape, dtype and place without waiting', () => {
    expect(String(tensor([[1, 2]]))).toBe('Tensor([1, 2], float32, host)');
    expect(String(add(tensor([1]), 1))).toBe('Tensor([1], float32, pending)');
    expect(String(meta([null, 3]))).toBe('Tensor([?, 3], float32, meta)');
  });

  it('names the import to add where there is no backend', async () => {
    runtime.backend = null;
    await expect(add(tensor([1]), 1).data()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BackendError: no backend is chosen; add: import { cpu } from '@tessera/backend-cpu'; setBackend(await cpu());]`,
    );
  });

  it('waits for a backend however long the graph is: models may be made before one is chosen', () => {
    runtime.backend = null;
    let x = tensor([1]);
    for (let i = 0; i < 5000; i++) x = add(x, 1);
    expect(String(x)).toBe('Tensor([1], float32, pending)');
  });

  it('is computed on the way where ops are stacked without end', async () => {
    let x = tensor([1]);
    for (let i = 0; i < 4500; i++) x = add(x, 1);
    expect(x.node.depth).toBeLessThan(1000);
    expect(await x.item()).toBe(4501);
  });

  it('waits where nobody wants it, however much else is made: initial values of layers that are never used', async () => {
    const { bytes } = backend.memory();
    const counter = new State(tensor([0]));
    const weights = Array.from({ length: 1200 }, (_, i) => {
      if (i >= 200) counter.assign(add(counter, 1)); // as random numbers do
      return new State(mul(full([1e12], 2), counter));
    });
    expect(weights.filter(({ pending }) => String(pending).endsWith('pending)'))).toHaveLength(1200);
    expect(backend.memory().bytes - bytes).toBeLessThan(1000);
    expect(add(counter, 1).node.depth).toBe(1);
    expect(await counter.item()).toBe(1000);
  });

  it('refuses to be read after dispose, and gives its memory back', async () => {
    const x = add(tensor(new Float32Array(1000)), 1);
    await realize(x);
    const before = backend.memory().buffers;
    x.dispose();
    expect(backend.memory().buffers).toBe(before - 1);
    await expect(x.data()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ReadError: data: this tensor was disposed; read it before dispose() or keep it with using]`,
    );
    expect(() => add(x, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ReadError: add: an input was disposed; make the op's result before dispose()]`,
    );
  });

  it('keeps memory that pending work needs until it has run', async () => {
    const x = add(tensor(new Float32Array(1000)), 1);
    await realize(x);
    const y = mul(x, 2);
    x.dispose();
    expect((await y.data())[0]).toBe(2);
  });

  it('lives on one backend and moves on request', async () => {
    const x = add(tensor(new Float32Array(1000)), 1);
    await realize(x);
    const other = reference();
    setBackend(other);
    await expect(add(x, 1).data()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[BackendError: a tensor of 1000 elements lives on reference, the chosen backend is reference; move it with to(t, backend)]`,
    );
    expect((await add(await to(x), 1).data())[0]).toBe(2);
  });

  it('refuses item() of several elements and any read of a meta tensor', async () => {
    await expect(tensor([1, 2]).item()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ReadError: item: the tensor has shape [2], 2 elements; use data() or toArray()]`,
    );
    await expect(meta([2]).data()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ReadError: data: a meta tensor of shape [2] has a shape but no values]`,
    );
    await expect(meta([null, 2]).data()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ReadError: data: shape [?,2] has unknown sizes; it has no values to read]`,
    );
  });

  it('notices a tensor of another copy of the package', () => {
    const stranger = { [Symbol.for('tessera.tensor')]: '9.9.9' };
    expect(() => isTensor(stranger)).toThrowErrorMatchingInlineSnapshot(
      `[TesseraError: two copies of @tessera/tensor are loaded (0.1.0 and 9.9.9): a tensor of one was handed to the other; dedupe them (npm ls @tessera/tensor)]`,
    );
  });
});

describe('print', () => {
  it.each([
    [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      'tensor([[1., 2.],\n        [3., 4.]])',
    ],
    [tensor([0.5, -1.25]), 'tensor([ 0.5000, -1.2500])'],
    [tensor([1e-5, 1]), 'tensor([1.0000e-05, 1.0000e+00])'],
    [tensor([1, Number.NaN, Number.POSITIVE_INFINITY]), 'tensor([1., nan, inf])'],
    [tensor([true, false]), 'tensor([ True, False])'],
    [tensor(Int32Array.of(1, 10)), 'tensor([ 1, 10], dtype=int32)'],
    [tensor(3), 'tensor(3.)'],
    [tensor([]), 'tensor([])'],
    [
      tensor(new Float32Array(8), { shape: [2, 2, 2] }),
      'tensor([[[0., 0.],\n         [0., 0.]],\n\n        [[0., 0.],\n         [0., 0.]]])',
    ],
  ])('%s', async (x, text) => expect(await format(x)).toBe(text));

  it('cuts long axes to their edges', async () => {
    expect(await format(tensor(Float32Array.from({ length: 2000 }, (_, i) => i)))).toBe(
      'tensor([   0.,    1.,    2., ..., 1997., 1998., 1999.])',
    );
  });
});
