import { full, gt, maskedFill, mul, setBackend, square, sum, type Tensor, tensor, where } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

describe('gradients of choosing', () => {
  it('where hands each its part, summed where it was broadcast', async () => {
    const a = tensor([[1.5, -2, 0.5]]);
    const b = tensor([[2], [-0.75]]);
    await checkGradients((x, y) => where(gt(x, y), square(x), mul(x, y)), [a, b]);
  });

  it('nothing leaks from what is not chosen', async () => {
    const x = tensor([0, 4]);
    const g = grad((t: Tensor) => sum(maskedFill(square(t), tensor([true, false]), Number.NaN)))(x);
    expect(await g.toArray()).toEqual([0, 8]);
  });
});

describe('gradients of creation', () => {
  it('full hands its value the sum', async () => {
    await checkGradients((v) => mul(full([2, 3], v), tensor([1, 2, 3])), [tensor([0.5])]);
  });
});
