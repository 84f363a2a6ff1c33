import { beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  arange,
  eye,
  full,
  fullLike,
  linspace,
  meta,
  ones,
  onesLike,
  reshape,
  setBackend,
  sum,
  tensor,
  zeros,
  zerosLike,
} from '../../src';
import { programsOf } from '../../src/inspect';
import { reference } from '../../src/reference';

beforeAll(() => setBackend(reference()));

describe('creation', () => {
  it('fills a shape', async () => {
    expect(await zeros([2, 2]).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    expect(await ones([2], { dtype: 'int32' }).toArray()).toEqual([1, 1]);
    expect(await ones([], { dtype: 'bool' }).toArray()).toBe(true);
    expect(await full([2], 2.5).toArray()).toEqual([2.5, 2.5]);
    expect(await full([2], tensor([[7]], { dtype: 'int32' })).toArray()).toEqual([7, 7]);
    expect(await full([2], 300, { dtype: 'uint8' }).toArray()).toEqual([44, 44]);
    expect((await zeros([0, 3]).data()).length).toBe(0);
  });

  it('fills the shape and dtype of another tensor, unknown sizes too', async () => {
    const x = tensor([[1, 2]], { dtype: 'int32' });
    expect(await zerosLike(x).toArray()).toEqual([[0, 0]]);
    expect(onesLike(x)).toMatchObject({ shape: [1, 2], dtype: 'int32' });
    expect(fullLike(x, 3, { dtype: 'float32' })).toMatchObject({ shape: [1, 2], dtype: 'float32' });
    expect(zerosLike(meta([null, 3])).shape).toEqual([null, 3]);
  });

  it('counts', async () => {
    expect(await arange(4).toArray()).toEqual([0, 1, 2, 3]);
    expect(arange(4).dtype).toBe('int32');
    expect(await arange(5, 0, -2).toArray()).toEqual([5, 3, 1]);
    expect(await arange(0, 1, 0.25).toArray()).toEqual([0, 0.25, 0.5, 0.75]);
    expect(await arange(1, 4, 1, { dtype: 'float32' }).toArray()).toEqual([1, 2, 3]);
    expect(await arange(3, 3).toArray()).toEqual([]);
  });

  it('spaces evenly, both ends exact', async () => {
    expect(await linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(await linspace(3, -3, 3).toArray()).toEqual([3, 0, -3]);
    expect(await linspace(2, 5, 1).toArray()).toEqual([2]);
    expect(await linspace(2, 5, 0).toArray()).toEqual([]);
    const tenths = await linspace(-1, 1, 21).data();
    expect([tenths[0], tenths[10], tenths[20]]).toEqual([-1, 0, 1].map((x) => expect.closeTo(x, 7)));
    expect(tenths[20]).toBe(1);
  });

  it('makes the identity, square or not', async () => {
    expect(await eye(2).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(await eye(2, 3, { dtype: 'int32' }).toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
  });

  it('is computed where it is used, without a buffer of its own', () => {
    const y = sum(add(reshape(arange(6), [2, 3]), ones([2, 3])), 1);
    const steps = programsOf([y]).flatMap(({ program }) => program.steps);
    expect(steps.map(({ kernel }) => [kernel.kind, kernel.inputs.length])).toEqual([['reduce', 0]]);
  });

  it('says what is wrong with sizes and steps', () => {
    expect(() => zeros([2, -1])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: constantFill: shape [2,-1] holds -1; sizes are whole numbers from 0 on]`,
    );
    expect(() => full([2], tensor([1, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: full: value has shape [2], wants one element]`,
    );
    expect(() => arange(0, 5, -1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arange: from 0 to 5 in steps of -1 never ends; turn the step's sign]`,
    );
    expect(() => arange(0, 5, 0)).toThrow('never ends');
  });
});
