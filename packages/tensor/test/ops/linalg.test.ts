import { beforeAll, describe, expect, it } from 'vitest';
import {
  bmm,
  dot,
  linear,
  matmul,
  meta,
  mm,
  mv,
  outer,
  type Shape,
  setBackend,
  type Tensor,
  tensor,
  transpose,
} from '../../src';
import { reference } from '../../src/reference';
import { expectNear, scattered, sumOver, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

describe('matmul', () => {
  it.each<[readonly number[], readonly number[], readonly number[], number]>([
    [[3, 4], [4, 2], [3, 2], 4],
    [[1, 5], [5, 1], [1, 1], 5],
    [[0, 4], [4, 2], [0, 2], 4],
    [[3, 0], [0, 2], [3, 2], 0],
  ])('of matrices %j and %j', async (a, b, shape, inner) => {
    const [x, y] = [scattered(a), scattered(b, 1)];
    const wanted = table(shape, (i, j) => sumOver(inner, (k) => x.at(i as number, k) * y.at(k, j as number)));
    const z = matmul(x.tensor, y.tensor);
    await expectNear(z, wanted);
  });

  it('broadcasts the axes before the matrices', async () => {
    const [x, y] = [scattered([2, 1, 3, 4]), scattered([5, 4, 2], 1)];
    const wanted = table([2, 5, 3, 2], (n, m, i, j) =>
      sumOver(4, (k) => x.at(n as number, 0, i as number, k) * y.at(m as number, k, j as number)),
    );
    await expectNear(matmul(x.tensor, y.tensor), wanted);
  });
  it('multiplies a stack by one matrix', async () => {
    const [x, y] = [scattered([2, 3, 4]), scattered([4, 2], 1)];
    const wanted = table([2, 3, 2], (n, i, j) =>
      sumOver(4, (k) => x.at(n as number, i as number, k) * y.at(k, j as number)),
    );
    await expectNear(matmul(x.tensor, y.tensor), wanted);
  });
  it('reads a transposed operand where it lies', async () => {
    const [x, y] = [scattered([4, 3]), scattered([2, 4], 1)];
    const wanted = table([3, 2], (i, j) => sumOver(4, (k) => x.at(k, i as number) * y.at(j as number, k)));
    await expectNear(matmul(transpose(x.tensor), transpose(y.tensor)), wanted);
  });
  it.each<[Shape, Shape, Shape]>([
    [[5], [5], []],
    [[5], [5, 3], [3]],
    [[4, 5], [5], [4]],
    [[5], [2, 5, 3], [2, 3]],
    [[2, 4, 5], [5], [2, 4]],
    [
      [null, 5],
      [5, 3],
      [null, 3],
    ],
    [
      [null, 4, 5],
      [5, 3],
      [null, 4, 3],
    ],
    [
      [null, 4, 5],
      [1, 5, 3],
      [null, 4, 3],
    ],
    [
      [2, null],
      [5, 3],
      [2, 3],
    ],
  ])('of shapes %j and %j has shape %j', (a, b, y) => expect(matmul(meta(a), meta(b)).shape).toEqual(y));

  it.each<[string, () => unknown, string]>([
    [
      'inner sizes that differ',
      () => matmul(meta([2, 3]), meta([4, 5])),
      'ShapeError: matmul: [2,3] · [4,5]: inner sizes 3 and 4 differ; transpose one, or check the layer before',
    ],
    [
      'inner sizes that differ in a stack',
      () => matmul(meta([2, 3]), meta([7, 4, 5])),
      'ShapeError: matmul: [2,3] · [7,4,5]: inner sizes 3 and 4 differ; transpose one, or check the layer before',
    ],
    [
      'inner sizes that differ with a stack first',
      () => matmul(meta([7, 2, 3]), meta([4, 5])),
      'ShapeError: matmul: [7,2,3] · [4,5]: inner sizes 3 and 4 differ; transpose one, or check the layer before',
    ],
    [
      'batches that do not broadcast',
      () => matmul(meta([2, 3, 4]), meta([3, 4, 5])),
      'ShapeError: matmul: [2,3,4] · [3,4,5]: shapes [2] and [3] do not broadcast (2 and 3 at dim -1); sizes must be equal or 1',
    ],
    [
      'a number',
      () => matmul(2, meta([3, 4])),
      'ShapeError: matmul: shapes [] and [3,4]; a single number is no matrix, use mul',
    ],
    [
      'integers',
      () => matmul(meta([2, 2], 'int32'), meta([2, 2])),
      "DTypeError: matmul: a is int32, wants float32 or float16; convert it with cast(x, 'float32')",
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});

describe('products by other names', () => {
  it.each<[string, () => Tensor, unknown]>([
    ['mm', () => mm(tensor([[1, 2]]), tensor([[3], [4]])), [[11]]],
    [
      'mv',
      () =>
        mv(
          tensor([
            [1, 2],
            [3, 4],
          ]),
          tensor([1, 1]),
        ),
      [3, 7],
    ],
    [
      'bmm',
      () =>
        bmm(
          tensor([[[1, 2]], [[3, 4]]]),
          tensor([
            [[1], [1]],
            [[2], [2]],
          ]),
        ),
      [[[3]], [[14]]],
    ],
    ['dot', () => dot(tensor([1, 2]), tensor([3, 4])), 11],
    [
      'outer',
      () => outer(tensor([1, 2]), tensor([3, 4, 5])),
      [
        [3, 4, 5],
        [6, 8, 10],
      ],
    ],
    [
      'linear',
      () =>
        linear(
          tensor([[1, 2]]),
          tensor([
            [1, 0],
            [0, 1],
            [1, 1],
          ]),
          tensor([10, 20, 30]),
        ),
      [[11, 22, 33]],
    ],
  ])('%s', async (_, product, wanted) => expect(await product().toArray()).toEqual(wanted));

  it.each<[string, () => unknown, string]>([
    [
      'mm of a stack',
      () => mm(meta([2, 3, 4]), meta([4, 5])),
      'ShapeError: mm: shapes [2,3,4] and [4,5]; wants 2 and 2 axes, or matmul, which takes any',
    ],
    [
      'bmm of unequal stacks',
      () => bmm(meta([2, 3, 4]), meta([1, 4, 5])),
      'ShapeError: bmm: 2 matrices and 1; wants equally many, or matmul, which broadcasts',
    ],
    [
      'outer of matrices',
      () => outer(meta([2, 3]), meta([4])),
      'ShapeError: outer: shapes [2,3] and [4]; wants two vectors',
    ],
    [
      'linear with another number of features',
      () => linear(meta([null, 100]), meta([10, 64])),
      'ShapeError: linear: input [?,100] has 100 features but weight [10,64] wants 64; flatten the input or size the layer to it',
    ],
  ])('refuses %s', (_, f, error) => expect(thrown(f)).toBe(error));
});
