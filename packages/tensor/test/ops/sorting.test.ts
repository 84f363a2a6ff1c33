import { beforeAll, describe, expect, it } from 'vitest';
import { argsort, kthvalue, median, meta, msort, setBackend, sort, type Tensor, tensor, topk } from '../../src';
import { reference } from '../../src/reference';
import { thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const both = (pair: readonly Tensor[]) => Promise.all(pair.map((t) => t.toArray()));
const NaN_ = Number.NaN;

describe('one element without axes', () => {
  const one = tensor(3);
  it.each<[string, () => readonly Tensor[]]>([
    ['sort', () => sort(one)],
    ['topk', () => topk(one, 1, { dim: 0 })],
    ['kthvalue', () => kthvalue(one, 1)],
    ['median', () => median(one, 0)],
  ])('is in order: %s', async (_, f) => expect(await both(f())).toEqual([3, 0]));
  it('has no second largest', () =>
    expect(thrown(() => topk(one, 2))).toBe('ArgumentError: topk: k 2 for dim 0 of []; wants 0 to 1'));
});

describe('order', () => {
  it.each<[string, () => readonly Tensor[], unknown]>([
    [
      'sort',
      () => sort(tensor([3, 1, 2])),
      [
        [1, 2, 3],
        [1, 2, 0],
      ],
    ],
    [
      'sort along the first axis',
      () =>
        sort(
          tensor([
            [3, 0],
            [1, 5],
          ]),
          0,
        ),
      [
        [
          [1, 0],
          [3, 5],
        ],
        [
          [1, 0],
          [0, 1],
        ],
      ],
    ],
    [
      'sort, descending',
      () => sort(tensor([3, 1, 2]), 0, { descending: true }),
      [
        [3, 2, 1],
        [0, 2, 1],
      ],
    ],
    [
      'equals keep their order',
      () => sort(tensor([1, 0, 1, 0])),
      [
        [0, 0, 1, 1],
        [1, 3, 0, 2],
      ],
    ],
    [
      'equals keep their order, descending',
      () => sort(tensor([1, 0, 1, 0]), 0, { descending: true }),
      [
        [1, 1, 0, 0],
        [0, 2, 1, 3],
      ],
    ],
    [
      'NaN is the largest',
      () => sort(tensor([NaN_, 1, Number.POSITIVE_INFINITY])),
      [
        [1, Number.POSITIVE_INFINITY, NaN_],
        [1, 2, 0],
      ],
    ],
    [
      'NaN is the largest, descending',
      () => sort(tensor([1, NaN_, 2]), 0, { descending: true }),
      [
        [NaN_, 2, 1],
        [1, 2, 0],
      ],
    ],
    [
      'sort of integers',
      () => sort(tensor(Int32Array.of(2, -1))),
      [
        [-1, 2],
        [1, 0],
      ],
    ],
    ['sort of nothing', () => sort(tensor([])), [[], []]],
    [
      'topk',
      () => topk(tensor([1, 4, 2, 4]), 3),
      [
        [4, 4, 2],
        [1, 3, 2],
      ],
    ],
    [
      'topk of the smallest',
      () =>
        topk(
          tensor([
            [1, 4],
            [0, 5],
          ]),
          1,
          { dim: 0, largest: false },
        ),
      [[[0, 4]], [[1, 0]]],
    ],
    ['topk of none', () => topk(tensor([1, 2]), 0), [[], []]],
    ['kthvalue', () => kthvalue(tensor([[5, 1, 3]]), 2), [[3], [2]]],
    ['kthvalue with its axis', () => kthvalue(tensor([[5, 1, 3]]), 1, { keepdim: true }), [[[1]], [[1]]]],
    ['median of an odd number', () => median(tensor([5, 1, 3]), 0), [3, 2]],
    ['median of an even number is the lower', () => median(tensor([[4, 1, 3, 2]]), 1), [[2], [3]]],
    ['median with its axis', () => median(tensor([[4, 1, 3]]), 1, { keepdim: true }), [[[3]], [[2]]]],
    ['median beside NaN', () => median(tensor([1, NaN_, 2]), 0), [NaN_, 1]],
    ['argsort', () => [argsort(tensor([3, 1, 2]), -1, { descending: true })], [[0, 2, 1]]],
    [
      'msort',
      () => [
        msort(
          tensor([
            [3, 1],
            [2, 5],
          ]),
        ),
      ],
      [
        [
          [2, 1],
          [3, 5],
        ],
      ],
    ],
    [
      'median of all',
      () => [
        median(
          tensor([
            [5, 1],
            [3, 9],
          ]),
        ),
      ],
      [3],
    ],
  ])('%s', async (_, order, wanted) => expect(await both(order())).toEqual(wanted));

  it('gives int32 indices and carries unknown sizes', () => {
    const [values, indices] = topk(meta([null, 9]), 3);
    expect([values.shape, indices.shape, indices.dtype]).toEqual([[null, 3], [null, 3], 'int32']);
    expect(sort(meta([2, null]))[0].shape).toEqual([2, null]);
  });
  it.each<[string, () => unknown, string]>([
    ['more than there are', () => topk(meta([2, 3]), 4), 'ArgumentError: topk: k 4 for dim 1 of [2,3]; wants 0 to 3'],
    ['the 0th', () => kthvalue(meta([3]), 0), 'ArgumentError: kthvalue: k 0 for dim 0 of [3]; wants 1 to 3'],
    [
      'an axis that is not there',
      () => sort(meta([3]), 1),
      'ArgumentError: sort: dim 1 is out of range for shape [3]; use -1 to 0',
    ],
    [
      'the middle of nothing',
      () => median(meta([0]), 0),
      'ArgumentError: median: dim 0 of [0] is empty; wants an element',
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
