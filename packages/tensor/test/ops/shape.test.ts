import { beforeAll, describe, expect, it } from 'vitest';
import {
  broadcastTo,
  diagonal,
  expand,
  flatten,
  flip,
  meta,
  movedim,
  narrow,
  permute,
  type Range,
  reshape,
  rot90,
  type Shape,
  select,
  setBackend,
  slice,
  squeeze,
  type Tensor,
  tensor,
  transpose,
  unfold,
  unsqueeze,
} from '../../src';
import { reference } from '../../src/reference';
import { counting, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const x = counting([3, 4]).tensor;
const values = (t: Tensor) => t.toArray();

describe('shapes of moves', () => {
  it.each<[string, Shape, (t: Tensor) => Tensor, Shape]>([
    ['reshape infers the size -1', [2, 3, 4], (t) => reshape(t, [4, -1]), [4, 6]],
    ['reshape to rank 0', [1, 1], (t) => reshape(t, []), []],
    ['reshape keeps an empty axis', [0, 3], (t) => reshape(t, [0, 6]), [0, 6]],
    ['reshape carries an unknown size', [null, 3, 4], (t) => reshape(t, [-1, 12]), [null, 12]],
    ['flatten all', [2, 3, 4], (t) => flatten(t), [24]],
    ['flatten from an axis', [null, 3, 4], (t) => flatten(t, 1), [null, 12]],
    ['flatten over an unknown size', [null, 3, 4], (t) => flatten(t, 0, 1), [null, 4]],
    ['flatten of a scalar', [], (t) => flatten(t), [1]],
    ['squeeze all', [1, 2, 1, null], (t) => squeeze(t), [2, null]],
    ['squeeze leaves larger axes', [1, 2, 1], (t) => squeeze(t, [1, -1]), [1, 2]],
    ['unsqueeze at the end', [2, 3], (t) => unsqueeze(t, -1), [2, 3, 1]],
    ['permute', [2, null, 4], (t) => permute(t, [2, 0, -2]), [4, 2, null]],
    ['transpose the last two', [2, 3, 4], (t) => transpose(t), [2, 4, 3]],
    ['movedim of several', [2, 3, 4, 5], (t) => movedim(t, [0, 1], [-1, 0]), [3, 4, 5, 2]],
    ['expand new and old axes', [3, 1], (t) => expand(t, [2, -1, 4]), [2, 3, 4]],
    ['expand keeps an unknown size', [null, 1], (t) => expand(t, [-1, 4]), [null, 4]],
    ['broadcastTo', [4], (t) => broadcastTo(t, [2, 4]), [2, 4]],
    ['slice of an unknown size', [null, 4], (t) => slice(t, [[2], [1, 3]]), [null, 2]],
    ['slice of one place drops an unknown axis', [null, 4], (t) => slice(t, [0]), [4]],
    ['unfold', [2, 7, 3], (t) => unfold(t, 1, 3, 2), [2, 3, 3, 3]],
    ['unfold of an unknown size', [null, 3], (t) => unfold(t, 0, 2, 1), [null, 3, 2]],
    ['diagonal of an unknown size', [2, null, 3], (t) => diagonal(t, { dim1: 1, dim2: 2 }), [2, null]],
  ])('%s', (_, from, move, to) => expect(move(meta(from)).shape).toEqual(to));
});

describe('slice', () => {
  it.each<[string, readonly Range[], unknown]>([
    ['x[1]', [1], [4, 5, 6, 7]],
    ['x[-1, -2]', [-1, -2], 10],
    ['x[:, 1]', [null, 1], [1, 5, 9]],
    [
      'x[1:, ::2]',
      [[1], [null, null, 2]],
      [
        [4, 6],
        [8, 10],
      ],
    ],
    ['x[::-1, 0]', [[null, null, -1], 0], [8, 4, 0]],
    ['x[0, 3:0:-2]', [0, [3, 0, -2]], [3, 1]],
    ['x[0, -100:100]', [0, [-100, 100]], [0, 1, 2, 3]],
    ['x[0, 2:1]', [0, [2, 1]], []],
    ['x[0, 100::-1]', [0, [100, null, -1]], [3, 2, 1, 0]],
    ['x[0, :-1]', [0, [null, -1]], [0, 1, 2]],
  ])('%s is as in Python', async (_, ranges, wanted) => expect(await values(slice(x, ranges))).toEqual(wanted));
});

describe('moves', () => {
  it.each<[string, () => Tensor, unknown]>([
    ['permute', () => permute(counting([2, 1, 3]).tensor, [2, 1, 0]), [[[0, 3]], [[1, 4]], [[2, 5]]]],
    [
      'reshape after a transpose',
      () => reshape(transpose(x), [2, 6]),
      [
        [0, 4, 8, 1, 5, 9],
        [2, 6, 10, 3, 7, 11],
      ],
    ],
    [
      'expand',
      () => expand(tensor([[1], [2]]), [2, 2]),
      [
        [1, 1],
        [2, 2],
      ],
    ],
    [
      'flip',
      () => flip(x, [0, -1]),
      [
        [11, 10, 9, 8],
        [7, 6, 5, 4],
        [3, 2, 1, 0],
      ],
    ],
    [
      'narrow from the end',
      () => narrow(x, 1, -3, 2),
      [
        [1, 2],
        [5, 6],
        [9, 10],
      ],
    ],
    ['select', () => select(x, -1, -1), [3, 7, 11]],
    [
      'unfold',
      () => unfold(tensor([1, 2, 3, 4, 5]), 0, 3, 2),
      [
        [1, 2, 3],
        [3, 4, 5],
      ],
    ],
    ['diagonal', () => diagonal(x), [0, 5, 10]],
    ['diagonal above', () => diagonal(x, { offset: 2 }), [2, 7]],
    ['diagonal below', () => diagonal(x, { offset: -2 }), [8]],
    ['diagonal outside', () => diagonal(x, { offset: 9 }), []],
    [
      'rot90',
      () =>
        rot90(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
      [
        [2, 4],
        [1, 3],
      ],
    ],
    [
      'rot90 twice',
      () =>
        rot90(
          tensor([
            [1, 2],
            [3, 4],
          ]),
          2,
        ),
      [
        [4, 3],
        [2, 1],
      ],
    ],
    [
      'rot90 back',
      () =>
        rot90(
          tensor([
            [1, 2],
            [3, 4],
          ]),
          -1,
        ),
      [
        [3, 1],
        [4, 2],
      ],
    ],
    ['moves of bools', () => flip(tensor([true, false]), 0), [false, true]],
  ])('%s', async (_, move, wanted) => expect(await values(move())).toEqual(wanted));
});

describe('moves that do not fit', () => {
  it.each<[string, () => unknown, string]>([
    ['reshape', () => reshape(x, [5, 2]), 'ShapeError: reshape: [3,4] has 12 elements, which [5,2] cannot hold'],
    [
      'reshape with -1',
      () => reshape(x, [5, -1]),
      'ShapeError: reshape: [3,4] has 12 elements, which [5,-1] cannot hold',
    ],
    [
      'reshape with two open sizes',
      () => reshape(x, [-1, -1]),
      'ArgumentError: reshape: sizes [-1,-1]; wants whole numbers, one of them may be -1',
    ],
    ['flatten', () => flatten(x, 1, 0), 'ArgumentError: flatten: start 1 lies behind end 0 in [3,4]'],
    [
      'permute',
      () => permute(x, [0, 0]),
      'ArgumentError: permute: dims [0,0] for shape [3,4]; wants each of its axes once',
    ],
    [
      'expand',
      () => expand(x, [3, 5]),
      'ShapeError: expand: [3,4] does not broadcast to [3,5]; sizes must be equal or 1',
    ],
    ['slice by place', () => slice(x, [3]), 'ShapeError: slice: place 3 is outside of dim 0 of [3,4]; its size is 3'],
    [
      'slice by step',
      () => slice(x, [[0, 2, 0]]),
      'ArgumentError: slice: step 0 on dim 0; wants a whole number that is not 0',
    ],
    ['slice by rank', () => slice(x, [0, 0, 0]), 'ArgumentError: slice: 3 ranges for shape [3,4]; wants at most 2'],
    ['narrow', () => narrow(x, 1, 3, 2), 'ShapeError: narrow: 3 + 2 is outside of dim 1 of [3,4]'],
    ['unfold', () => unfold(x, 0, 4, 1), 'ShapeError: unfold: windows of 4 do not fit dim 0 of [3,4]'],
    [
      'transpose',
      () => transpose(x, 0, 2),
      'ArgumentError: transpose: dim 2 is out of range for shape [3,4]; use -2 to 1',
    ],
  ])('%s', (_, move, error) => expect(thrown(move)).toBe(error));
});
