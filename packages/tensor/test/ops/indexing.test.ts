import { beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  embedding,
  gather,
  indexAdd,
  indexCopy,
  indexPut,
  indexSelect,
  meta,
  oneHot,
  scatter,
  scatterAdd,
  scatterReduce,
  setBackend,
  type Tensor,
  takeAlongDim,
  takeRows,
  tensor,
  zeros,
} from '../../src';
import { reference } from '../../src/reference';
import { counting, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const whole = (...values: number[]) => tensor(Int32Array.from(values));
const table = (values: number[][]) => tensor(values, { dtype: 'int32' });
const x = counting([3, 4]).tensor;

describe('reading at an index', () => {
  it.each<[string, () => Tensor, unknown]>([
    [
      'gather along the last axis',
      () =>
        gather(
          x,
          1,
          table([
            [0, 3],
            [1, 1],
            [2, 0],
          ]),
        ),
      [
        [0, 3],
        [5, 5],
        [10, 8],
      ],
    ],
    ['gather along the first axis', () => gather(x, 0, table([[2, 0, 1]])), [[8, 1, 6]]],
    ['gather of no place', () => gather(x, 1, zeros([3, 0], { dtype: 'int32' })), [[], [], []]],
    [
      'takeAlongDim broadcasts',
      () => takeAlongDim(x, table([[3, 0]]), 1),
      [
        [3, 0],
        [7, 4],
        [11, 8],
      ],
    ],
    ['takeAlongDim on the flattened tensor', () => takeAlongDim(x, table([[11, 5]])), [11, 5]],
    [
      'indexSelect of rows',
      () => indexSelect(x, 0, whole(2, 0, 2)),
      [
        [8, 9, 10, 11],
        [0, 1, 2, 3],
        [8, 9, 10, 11],
      ],
    ],
    [
      'indexSelect of columns',
      () => indexSelect(x, -1, whole(3, 1)),
      [
        [3, 1],
        [7, 5],
        [11, 9],
      ],
    ],
    [
      'takeRows at an index of two axes',
      () =>
        takeRows(
          x,
          1,
          table([
            [0, 1],
            [2, 3],
          ]),
        ),
      [
        [
          [0, 1],
          [2, 3],
        ],
        [
          [4, 5],
          [6, 7],
        ],
        [
          [8, 9],
          [10, 11],
        ],
      ],
    ],
    [
      'embedding',
      () => embedding(counting([3, 2]).tensor, table([[2, 0]])),
      [
        [
          [4, 5],
          [0, 1],
        ],
      ],
    ],
    [
      'a read outside on the device is 0',
      () => indexSelect(x, 0, add(whole(0, 1), 2)),
      [
        [8, 9, 10, 11],
        [0, 0, 0, 0],
      ],
    ],
    [
      'oneHot',
      () => oneHot(whole(2, 0), 3),
      [
        [0, 0, 1],
        [1, 0, 0],
      ],
    ],
  ])('%s', async (_, read, wanted) => expect(await read().toArray()).toEqual(wanted));

  it('carries unknown sizes', () => {
    expect(gather(meta([null, 4]), 1, meta([null, 2], 'int32')).shape).toEqual([null, 2]);
    expect(embedding(meta([10, 8]), meta([null, 5], 'int32')).shape).toEqual([null, 5, 8]);
    expect(oneHot(meta([null], 'int32'), 7).shape).toEqual([null, 7]);
  });
  it('gives oneHot as int32', () => expect(oneHot(whole(0), 2).dtype).toBe('int32'));
});

describe('writing at an index', () => {
  const ones = (values: number[][]) => tensor(values);
  const base = zeros([2, 3]);
  it.each<[string, () => Tensor, unknown]>([
    [
      'scatter',
      () =>
        scatter(
          base,
          1,
          table([
            [2, 0],
            [1, 2],
          ]),
          ones([
            [5, 6],
            [7, 8],
          ]),
        ),
      [
        [6, 0, 5],
        [0, 7, 8],
      ],
    ],
    [
      'scatter: the last of several counts',
      () =>
        scatter(
          base,
          1,
          table([
            [1, 1],
            [0, 0],
          ]),
          ones([
            [5, 6],
            [7, 8],
          ]),
        ),
      [
        [0, 6, 0],
        [8, 0, 0],
      ],
    ],
    [
      'scatter of a number',
      () => scatter(base, 0, table([[1, 0, 1]]), 9),
      [
        [0, 9, 0],
        [9, 0, 9],
      ],
    ],
    [
      'scatter of the first of more values',
      () =>
        scatter(
          base,
          1,
          table([[2]]),
          ones([
            [5, 6],
            [7, 8],
          ]),
        ),
      [
        [0, 0, 5],
        [0, 0, 0],
      ],
    ],
    ['scatterAdd', () => scatterAdd(ones([[1, 1, 1]]), 1, table([[0, 0, 2]]), ones([[5, 6, 7]])), [[12, 1, 8]]],
    ['scatterReduce by sum', () => scatterReduce(tensor([1, 1]), 0, whole(0, 0), tensor([5, 6]), 'sum'), [12, 1]],
    ['scatterReduce by product', () => scatterReduce(tensor([2, 3]), 0, whole(0, 0), tensor([5, 6]), 'prod'), [60, 3]],
    [
      'scatterReduce by the largest',
      () => scatterReduce(tensor([2, 3]), 0, whole(0, 0), tensor([1, 6]), 'amax'),
      [6, 3],
    ],
    [
      'scatterReduce by the smallest',
      () => scatterReduce(tensor([2, 3]), 0, whole(0, 1), tensor([5, 1]), 'amin'),
      [2, 1],
    ],
    [
      'scatterReduce without what is there',
      () => scatterReduce(tensor([9, 9]), 0, whole(0, 0), tensor([5, 6]), 'amax', { includeSelf: false }),
      [6, 9],
    ],
    ['scatterReduce by the mean', () => scatterReduce(tensor([1, 2]), 0, whole(0, 0), tensor([5, 6]), 'mean'), [4, 2]],
    [
      'scatterReduce by the mean without what is there',
      () => scatterReduce(tensor([1, 2]), 0, whole(0, 0), tensor([5, 6]), 'mean', { includeSelf: false }),
      [5.5, 2],
    ],
    [
      'scatterReduce by the mean of integers, rounded down',
      () => scatterReduce(whole(5, 7, -7), 0, whole(0, 0, 2), whole(2, 4, -2), 'mean'),
      [3, 7, -5],
    ],
    [
      'scatterReduce of integers',
      () => scatterReduce(whole(9, 9), 0, whole(0, 0), whole(-5, -6), 'amax', { includeSelf: false }),
      [-5, 9],
    ],
    [
      'indexAdd',
      () =>
        indexAdd(
          base,
          1,
          whole(2, 2),
          ones([
            [1, 2],
            [3, 4],
          ]),
          { alpha: 10 },
        ),
      [
        [0, 0, 30],
        [0, 0, 70],
      ],
    ],
    [
      'indexCopy',
      () => indexCopy(base, 0, whole(1), ones([[1, 2, 3]])),
      [
        [0, 0, 0],
        [1, 2, 3],
      ],
    ],
    [
      'indexPut',
      () => indexPut(base, [whole(0, 1), whole(-1, 0)], tensor([5, 6])),
      [
        [0, 0, 5],
        [6, 0, 0],
      ],
    ],
    [
      'indexPut of rows, values broadcast',
      () => indexPut(base, [whole(-1)], 4),
      [
        [0, 0, 0],
        [4, 4, 4],
      ],
    ],
    [
      'indexPut that accumulates',
      () => indexPut(base, [whole(0, 0), whole(1)], tensor([5, 6]), { accumulate: true }),
      [
        [0, 11, 0],
        [0, 0, 0],
      ],
    ],
    [
      'an update outside on the device is dropped',
      () => scatterAdd(tensor([1, 2]), 0, add(whole(0, 1), 1), tensor([5, 6])),
      [1, 7],
    ],
  ])('%s', async (_, write, wanted) => expect(await write().toArray()).toEqual(wanted));
});

describe('an index that does not fit', () => {
  it.each<[string, () => unknown, string]>([
    [
      'a place outside',
      () => indexSelect(x, 0, whole(0, 3)),
      'ArgumentError: indexSelect: index 3 is outside of the axis; wants 0 to 2',
    ],
    [
      'a negative place',
      () => gather(x, 1, table([[-1]])),
      'ArgumentError: gather: index -1 is outside of the axis; wants 0 to 3',
    ],
    [
      'a class outside',
      () => oneHot(whole(3), 3),
      'ArgumentError: oneHot: index 3 is outside of the axis; wants 0 to 2',
    ],
    [
      'another rank',
      () => gather(x, 0, whole(0)),
      'ShapeError: gather: index [1] for [3,4]; wants as many axes, none larger beside dim 0',
    ],
    [
      'a larger index',
      () => gather(x, 0, table([[0, 0, 0, 0, 0]])),
      'ShapeError: gather: index [1,5] for [3,4]; wants as many axes, none larger beside dim 0',
    ],
    [
      'a float index',
      () => gather(x, 0, tensor([[1]])),
      "DTypeError: gather: index is float32, wants int32; convert it with cast(x, 'int32')",
    ],
    [
      'fewer values than indices',
      () => scatter(x, 1, table([[0, 1]]), tensor([[1]])),
      'ShapeError: scatter: src [1,1] is smaller than index [1,2]; wants a value for each index',
    ],
    [
      'values of another dtype',
      () => scatterAdd(x, 1, table([[0]]), table([[1]])),
      "DTypeError: scatterAdd: src is int32, wants float32; convert it with cast(x, 'float32')",
    ],
    [
      'rows of another size',
      () => indexAdd(x, 0, whole(0), tensor([[1, 2]])),
      'ShapeError: indexAdd: src [1,2] for [3,4] and index [1] along dim 0; wants [1,4]',
    ],
    [
      'an unknown reduction',
      () => scatterReduce(x, 0, table([[0]]), tensor([[1]]), 'median' as 'sum'),
      "ArgumentError: scatterReduce: reduce 'median'; wants 'sum', 'prod', 'mean', 'amax' or 'amin'",
    ],
    [
      'too many indices',
      () => indexPut(x, [whole(0), whole(0), whole(0)], 1),
      'ArgumentError: indexPut: 3 indices for [3,4]; wants one to 2',
    ],
    [
      'a table that is none',
      () => embedding(meta([3]), whole(0)),
      'ShapeError: embedding: weight [3]; wants [entries, features]',
    ],
  ])('%s', (_, f, error) => expect(thrown(f)).toBe(error));
});
