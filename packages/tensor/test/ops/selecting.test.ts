import { beforeAll, describe, expect, it } from 'vitest';
import { maskedSelect, nonzero, setBackend, tensor, unique, zeros } from '../../src';
import { reference } from '../../src/reference';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

describe('nonzero', () => {
  it('resolves to the coordinates, in row-major order', async () => {
    const found = await nonzero(
      tensor([
        [0, 3],
        [4, 0],
        [0, 5],
      ]),
    );
    expect([found.dtype, await found.toArray()]).toEqual([
      'int32',
      [
        [0, 1],
        [1, 0],
        [2, 1],
      ],
    ]);
  });
  it('finds nothing in zeros', async () => expect((await nonzero(zeros([2, 3]))).shape).toEqual([0, 2]));
  it('takes NaN for not zero', async () => {
    expect(await (await nonzero(tensor([0, Number.NaN]))).toArray()).toEqual([[1]]);
  });
  it('with a size fills up, and counts', async () => {
    const [found, count] = nonzero(
      tensor([
        [0, 3],
        [4, 0],
      ]),
      { size: 3 },
    );
    expect([await found.toArray(), await count.item()]).toEqual([
      [
        [0, 1],
        [1, 0],
        [-1, -1],
      ],
      2,
    ]);
  });
  it('with a size leaves out what has no room', async () => {
    const [found, count] = nonzero(tensor([1, 0, 1, 1]), { size: 2, fill: 9 });
    expect([await found.toArray(), await count.item()]).toEqual([[[0], [2]], 2]);
  });
});

describe('maskedSelect', () => {
  it('resolves to the elements under the mask', async () => {
    const picked = await maskedSelect(tensor([1, 2, 3]), tensor([true, false, true]));
    expect(await picked.toArray()).toEqual([1, 3]);
  });
  it('broadcasts', async () => {
    const picked = await maskedSelect(tensor([[1], [2]]), tensor([true, false, true]));
    expect(await picked.toArray()).toEqual([1, 1, 2, 2]);
  });
  it('with a size fills up, and counts', async () => {
    const [values, count] = maskedSelect(tensor([1, 2, 3]), tensor([false, false, true]), { size: 2, fill: 7 });
    expect([await values.toArray(), await count.item()]).toEqual([[3, 7], 1]);
  });
});

describe('unique', () => {
  it('resolves to the distinct values, where they went, and how often they occur', async () => {
    const { values, inverse, counts } = await unique(
      tensor([
        [3, 1],
        [3, 2],
      ]),
    );
    expect(await values.toArray()).toEqual([1, 2, 3]);
    expect(await inverse.toArray()).toEqual([
      [2, 0],
      [2, 1],
    ]);
    expect(await counts.toArray()).toEqual([1, 1, 2]);
  });
  it('takes one element', async () => expect(await (await unique(tensor(5))).values.toArray()).toEqual([5]));
  it('with a size fills up, and counts', async () => {
    const { values, counts, count } = unique(tensor([2, 2, 1]), { size: 3, fill: -1 });
    expect([await values.toArray(), await counts.toArray(), await count.item()]).toEqual([[1, 2, -1], [1, 2, 0], 2]);
  });
  it('finds nothing in an empty tensor', async () => {
    const { values, inverse, counts } = await unique(zeros([0, 3]));
    expect([values.shape, inverse.shape, counts.shape]).toEqual([[0], [0, 3], [0]]);
    const sized = unique(zeros([0]), { size: 2, fill: 7 });
    expect([await sized.values.toArray(), await sized.counts.toArray(), await sized.count.item()]).toEqual([
      [7, 7],
      [0, 0],
      0,
    ]);
  });
});
