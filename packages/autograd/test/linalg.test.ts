import { bmm, dot, linear, matmul, outer, type Tensor, transpose } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, it } from 'vitest';
import { checkGradients } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });

describe('gradients of matrix products', () => {
  it.each<[string, readonly number[], readonly number[], (a: Tensor, b: Tensor) => Tensor]>([
    ['matrices', [3, 4], [4, 2], matmul],
    ['a transposed operand', [3, 4], [2, 4], (a, b) => matmul(a, transpose(b))],
    ['a stack by a matrix', [2, 3, 4], [4, 2], matmul],
    ['a matrix by a stack', [3, 4], [2, 4, 2], matmul],
    ['stacks that broadcast', [2, 1, 3, 4], [3, 4, 2], matmul],
    ['vector by matrix', [4], [4, 3], matmul],
    ['matrix by vector', [3, 4], [4], matmul],
    ['vector by stack', [4], [2, 4, 3], matmul],
    ['dot', [5], [5], dot],
    ['outer', [3], [4], outer],
    ['bmm', [2, 3, 4], [2, 4, 3], bmm],
    ['linear', [2, 3, 4], [5, 4], (x, w) => linear(x, w)],
  ])('agree with finite differences: %s', async (_, a, b, product) => {
    await checkGradients(product, [scattered(a), scattered(b, 1)], { backend });
  });
});
