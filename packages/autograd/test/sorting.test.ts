import { kthvalue, median, sort, square, type Tensor, topk } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, it } from 'vitest';
import { checkGradients } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });

describe('gradients of sorted values', () => {
  it.each<[string, (x: Tensor) => Tensor]>([
    ['sort', (x) => sort(x, 0)[0]],
    ['sort, descending', (x) => sort(x, 1, { descending: true })[0]],
    ['topk', (x) => topk(x, 2)[0]],
    ['topk of the smallest', (x) => topk(x, 3, { dim: 0, largest: false })[0]],
    ['kthvalue', (x) => kthvalue(x, 3, { dim: 1 })[0]],
    ['median', (x) => median(x, 1, { keepdim: true })[0]],
    ['median of all', (x) => median(x)],
  ])('agree with finite differences: %s', async (_, order) => {
    await checkGradients((x) => square(order(x)), [scattered([4, 5])], { backend });
  });
});
