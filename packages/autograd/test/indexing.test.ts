import {
  embedding,
  gather,
  indexAdd,
  indexCopy,
  indexPut,
  indexSelect,
  maskedSelect,
  scatter,
  scatterAdd,
  scatterReduce,
  setBackend,
  square,
  type Tensor,
  takeAlongDim,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, vjp } from '../src/index';
import { scattered, whole } from './inputs';

const backend = reference({ dtype: 'float64' });
beforeAll(() => setBackend(backend));
const places = whole([0, 2, 2, 1, 1, 0], [3, 2]);

describe('gradients of reading at an index', () => {
  it.each<[string, readonly number[], (x: Tensor) => Tensor]>([
    ['gather, some places twice', [3, 3], (x) => gather(x, 0, places)],
    ['takeAlongDim', [3, 2], (x) => takeAlongDim(x, whole([2, 0, 2, 1], [4, 1]), 0)],
    ['indexSelect, some rows twice', [2, 4, 3], (x) => indexSelect(x, 1, whole([3, 0, 3]))],
    ['embedding', [4, 3], (x) => embedding(x, whole([1, 1, 3, 0], [2, 2]))],
    [
      'maskedSelect',
      [2, 3],
      (x) =>
        maskedSelect(
          x,
          tensor([
            [true, false, true],
            [false, true, true],
          ]),
          { size: 3 },
        )[0],
    ],
  ])('agree with finite differences: %s', async (_, shape, read) => {
    await checkGradients((x) => square(read(x)), [scattered(shape)], { backend });
  });
});

describe('gradients of writing at an index', () => {
  const rows = whole([3, 0, 1]);
  it.each<[string, readonly number[], readonly number[], (x: Tensor, src: Tensor) => Tensor]>([
    ['scatter', [4, 2], [3, 2], (x, src) => scatter(x, 0, whole([0, 3, 2, 1, 1, 0], [3, 2]), src)],
    ['scatter of more than is indexed', [4, 3], [3, 3], (x, src) => scatter(x, 0, whole([2, 1], [1, 2]), src)],
    ['scatterAdd, some places twice', [3, 2], [3, 2], (x, src) => scatterAdd(x, 0, places, src)],
    ['scatterReduce by product', [3, 2], [3, 2], (x, src) => scatterReduce(x, 0, places, src, 'prod')],
    [
      'scatterReduce by product of src alone',
      [3, 2],
      [3, 2],
      (x, src) => scatterReduce(x, 0, places, src, 'prod', { includeSelf: false }),
    ],
    ['scatterReduce by the largest', [3, 2], [3, 2], (x, src) => scatterReduce(x, 0, places, src, 'amax')],
    ['scatterReduce by the smallest', [3, 2], [3, 2], (x, src) => scatterReduce(x, 0, places, src, 'amin')],
    ['indexAdd', [4, 2], [3, 2], (x, src) => indexAdd(x, 0, whole([3, 0, 3]), src, { alpha: 2 })],
    ['indexCopy', [2, 4], [2, 3], (x, src) => indexCopy(x, 1, rows, src)],
    ['indexPut', [4, 3, 2], [3, 2], (x, src) => indexPut(x, [rows, whole([-1, 1, 0])], src)],
    ['indexPut that accumulates', [4, 2], [2], (x, src) => indexPut(x, [whole([1, 1, 0])], src, { accumulate: true })],
  ])('agree with finite differences: %s', async (_, x, src, write) => {
    await checkGradients((a, b) => square(write(a as Tensor, b as Tensor)), [scattered(x), scattered(src, 1)], {
      backend,
    });
  });

  it.each<[string, number[], number[], number[], number[]]>([
    ['without zeros the others are the product over each', [2, 3], [4, 5], [20, 1], [10, 8]],
    ['beside one zero all others are 0', [0, 3], [4, 5], [20, 1], [0, 0]],
    ['a lone zero has the product of the rest', [2, 3], [0, 5], [0, 1], [10, 0]],
    ['beside two zeros everyone has 0', [2, 3], [0, 0], [0, 1], [0, 0]],
  ])('of products: %s', async (_, x, src, dx, dsrc) => {
    const { pullback } = vjp(
      (a, b) => scatterReduce(a as Tensor, 0, whole([0, 0]), b as Tensor, 'prod'),
      [tensor(x), tensor(src)],
    );
    const [a, b] = pullback(tensor([1, 1])) as [Tensor, Tensor];
    expect([await a.toArray(), await b.toArray()]).toEqual([dx, dsrc]);
  });

  it('of a largest are shared among equals', async () => {
    const { pullback } = vjp(
      (a, b) => scatterReduce(a as Tensor, 0, whole([0, 0]), b as Tensor, 'amax'),
      [tensor([5, 1]), tensor([5, 2])],
    );
    const [a, b] = pullback(tensor([1, 1])) as [Tensor, Tensor];
    expect([await a.toArray(), await b.toArray()]).toEqual([
      [0.5, 1],
      [0.5, 0],
    ]);
  });
});
