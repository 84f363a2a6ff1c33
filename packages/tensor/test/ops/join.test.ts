import { beforeAll, describe, expect, it } from 'vitest';
import {
  broadcastTensors,
  cat,
  chunk,
  diagEmbed,
  foldWindows,
  meta,
  repeat,
  repeatInterleave,
  roll,
  setBackend,
  split,
  stack,
  type Tensor,
  tensor,
  tile,
  tril,
  triu,
  unbind,
  unfold,
  zeros,
} from '../../src';
import { reference } from '../../src/reference';
import { counting, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const x = counting([2, 3]).tensor;
const arrays = (list: readonly Tensor[]) => Promise.all(list.map((t) => t.toArray()));

describe('joining', () => {
  it.each<[string, () => Tensor, unknown]>([
    [
      'cat along the first axis',
      () => cat([x, tensor([[9, 9, 9]])]),
      [
        [0, 1, 2],
        [3, 4, 5],
        [9, 9, 9],
      ],
    ],
    [
      'cat along the last axis',
      () => cat([x, tensor([[7], [8]])], -1),
      [
        [0, 1, 2, 7],
        [3, 4, 5, 8],
      ],
    ],
    [
      'cat with an empty tensor',
      () => cat([zeros([0, 3]), x]),
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ],
    [
      'cat of views',
      () => cat([split(x, [1, 2], 1)[1] as Tensor, x], 1),
      [
        [1, 2, 0, 1, 2],
        [4, 5, 3, 4, 5],
      ],
    ],
    [
      'stack',
      () => stack([tensor([1, 2]), tensor([3, 4])], 1),
      [
        [1, 3],
        [2, 4],
      ],
    ],
    [
      'repeat',
      () => repeat(tensor([1, 2]), [2, 2]),
      [
        [1, 2, 1, 2],
        [1, 2, 1, 2],
      ],
    ],
    ['tile with fewer counts than axes', () => tile(tensor([[1, 2]]), [2]), [[1, 2, 1, 2]]],
    ['repeatInterleave', () => repeatInterleave(tensor([1, 2]), 2, 0), [1, 1, 2, 2]],
    ['repeatInterleave, of all elements', () => repeatInterleave(tensor([[1], [2]]), 2), [1, 1, 2, 2]],
    [
      'repeatInterleave, each place as often as it says',
      () => repeatInterleave(x, [2, 0, 1], 1),
      [
        [0, 0, 2],
        [3, 3, 5],
      ],
    ],
    ['roll', () => roll(tensor([1, 2, 3, 4]), 1, 0), [4, 1, 2, 3]],
    [
      'roll of the whole as one row',
      () => roll(x, 1),
      [
        [5, 0, 1],
        [2, 3, 4],
      ],
    ],
    ['roll back, further than the size', () => roll(tensor([1, 2, 3, 4]), -5, 0), [2, 3, 4, 1]],
    [
      'roll of two axes',
      () => roll(x, [1, 1], [0, 1]),
      [
        [5, 3, 4],
        [2, 0, 1],
      ],
    ],
    [
      'tril',
      () => tril(counting([3, 3]).tensor),
      [
        [0, 0, 0],
        [3, 4, 0],
        [6, 7, 8],
      ],
    ],
    [
      'triu above the diagonal',
      () => triu(counting([3, 3]).tensor, 1),
      [
        [0, 1, 2],
        [0, 0, 5],
        [0, 0, 0],
      ],
    ],
    [
      'diagEmbed',
      () => diagEmbed(tensor([1, 2]), { offset: 1 }),
      [
        [0, 1, 0],
        [0, 0, 2],
        [0, 0, 0],
      ],
    ],
    [
      'diagEmbed to the first axes',
      () => diagEmbed(tensor([[1, 2]]), { dim1: 0, dim2: 1 }),
      [
        [[1], [0]],
        [[0], [2]],
      ],
    ],
    [
      'foldWindows sums what unfold took',
      () => foldWindows(unfold(tensor([1, 2, 3, 4, 5]), 0, 3, 2), 0, 5, 2),
      [1, 2, 6, 4, 5],
    ],
  ])('%s', async (_, join, wanted) => expect(await join().toArray()).toEqual(wanted));

  it('promotes the dtypes of what it joins', () => {
    expect(cat([tensor([true]), tensor(Int32Array.of(1))]).dtype).toBe('int32');
    expect(cat([tensor([1]), tensor(Int32Array.of(1))]).dtype).toBe('float32');
  });
  it('carries unknown sizes', () => {
    expect(cat([meta([null, 3]), meta([2, 3])]).shape).toEqual([null, 3]);
    expect(cat([meta([null, 3]), meta([2, null])], 1).shape).toEqual([2, null]);
    expect(stack([meta([null, 3]), meta([null, 3])]).shape).toEqual([2, null, 3]);
    expect(repeat(meta([null, 3]), [2, 2]).shape).toEqual([null, 6]);
  });
});

describe('taking apart', () => {
  it.each<[string, () => Tensor[], unknown]>([
    ['split by size', () => split(tensor([1, 2, 3, 4, 5]), 2), [[1, 2], [3, 4], [5]]],
    ['split by sizes', () => split(tensor([1, 2, 3]), [1, 0, 2]), [[1], [], [2, 3]]],
    ['chunk makes fewer where sizes ask for it', () => chunk(tensor([1, 2, 3, 4, 5]), 4), [[1, 2], [3, 4], [5]]],
    [
      'unbind',
      () => unbind(x, 1),
      [
        [0, 3],
        [1, 4],
        [2, 5],
      ],
    ],
    [
      'broadcastTensors',
      () => broadcastTensors(tensor([1, 2]), tensor([[3], [4]])),
      [
        [
          [1, 2],
          [1, 2],
        ],
        [
          [3, 3],
          [4, 4],
        ],
      ],
    ],
  ])('%s', async (_, take, wanted) => expect(await arrays(take())).toEqual(wanted));
});

describe('joining what does not fit', () => {
  it.each<[string, () => unknown, string]>([
    [
      'cat',
      () => cat([x, tensor([[1, 2]])]),
      'ShapeError: cat: shapes [2,3] and [1,2] differ beside dim 0; only its sizes may',
    ],
    ['cat of nothing', () => cat([]), 'ArgumentError: cat: no tensors; wants at least one'],
    ['stack', () => stack([x, tensor([1])]), 'ShapeError: stack: shapes [2,3] and [1] differ; all must be equal'],
    [
      'split',
      () => split(x, [1, 1], 1),
      'ShapeError: split: sizes [1,1] do not add up to 3, the size of dim 1 of [2,3]',
    ],
    [
      'unbind of an unknown size',
      () => unbind(meta([null, 2])),
      'ShapeError: unbind: dim 0 of [?,2] is unknown, and so is the number of pieces; split by a list of sizes',
    ],
    ['repeat', () => repeat(x, [2]), 'ArgumentError: repeat: repeats [2] for shape [2,3]; wants a count for each axis'],
    [
      'repeatInterleave',
      () => repeatInterleave(x, [1, 2], 1),
      'ArgumentError: repeatInterleave: repeats [1,2] for dim 1 of [2,3]; wants a whole number from 0, or one for each place',
    ],
    [
      'repeatInterleave below zero',
      () => repeatInterleave(x, -1, 0),
      'ArgumentError: repeatInterleave: repeats -1 for dim 0 of [2,3]; wants a whole number from 0, or one for each place',
    ],
    ['roll', () => roll(x, [1], [0, 1]), 'ArgumentError: roll: 1 shifts for 2 dims; wants one each'],
    ['tril', () => tril(tensor([1])), 'ShapeError: tril: shape [1]; wants a matrix or a stack of them'],
  ])('%s', (_, join, error) => expect(thrown(join)).toBe(error));
});
