import {
  amax,
  amin,
  argmax,
  cast,
  logsumexp,
  maxWithIndices,
  mean,
  minWithIndices,
  norm,
  prod,
  setBackend,
  square,
  std,
  sum,
  type Tensor,
  tensor,
  variance,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const x = () => tensor([1, -2, 3, 4, 0.5, -6, 2.5, -1.5, 0.75, 2, -1, 5], { shape: [2, 3, 2] });
const gradient = (f: (t: Tensor) => Tensor, at: Tensor) => grad((t: Tensor) => sum(f(t)))(at).toArray();

describe('gradients of reductions', () => {
  it.each<[string, (x: Tensor) => Tensor]>([
    ['sum over all', (t) => sum(square(t))],
    ['sum along one axis', (t) => sum(square(t), 1)],
    ['sum along two, kept', (t) => sum(square(t), [0, 2], { keepdim: true })],
    ['mean', (t) => mean(square(t), [-1, 0])],
    ['variance', (t) => variance(t, 1)],
    ['variance of a population, kept', (t) => variance(t, [0, 1], { correction: 0, keepdim: true })],
    ['std', (t) => std(t, 1)],
    ['std over all', (t) => std(t)],
    ['logsumexp', (t) => logsumexp(t, 1)],
    ['logsumexp over all, kept', (t) => logsumexp(t, undefined, { keepdim: true })],
    ['amax', (t) => square(amax(t, 1))],
    ['amin along two', (t) => square(amin(t, [0, 1]))],
    ['maxWithIndices', (t) => square(maxWithIndices(t, 1)[0] as Tensor)],
    ['minWithIndices, kept', (t) => square(minWithIndices(t, 0, { keepdim: true })[0] as Tensor)],
    ['prod', (t) => prod(t, 1)],
    ['prod along two', (t) => prod(t, [0, 2])],
    ['norm', (t) => norm(t, 2, 1)],
    ['1-norm', (t) => norm(t, 1, [0, 2])],
    ['3-norm', (t) => norm(t, 3, 1, { keepdim: true })],
    ['half-norm', (t) => norm(t, 0.5, 1)],
    ['∞-norm', (t) => norm(t, Number.POSITIVE_INFINITY, 1)],
  ])('%s agrees with finite differences, twice', async (_, f) => {
    await checkGradients(f, [x()]);
  });

  it('of a scalar are those of the element', async () => {
    for (const op of [sum, mean, prod, amax, logsumexp]) expect(await gradient((t) => op(t), tensor(2))).toBe(1);
    expect(await gradient((t) => norm(t), tensor(-2))).toBe(-1);
  });

  it('are shared evenly among ties of amax, and go to the first in maxWithIndices', async () => {
    const ties = tensor([2, 5, 5, 1]);
    expect(await gradient((t) => amax(t), ties)).toEqual([0, 0.5, 0.5, 0]);
    expect(await gradient((t) => maxWithIndices(t, 0)[0] as Tensor, ties)).toEqual([0, 1, 0, 0]);
  });

  it('of a product are the product of the others, zeros or not, twice', async () => {
    expect(await gradient((t) => prod(t), tensor([2, 0, 4]))).toEqual([0, 8, 0]);
    expect(await gradient((t) => prod(t), tensor([0, 3, 0]))).toEqual([0, 0, 0]);
    await checkGradients(
      (t) => prod(t, 1),
      [
        tensor([
          [0.5, 0, 2],
          [0, 1.5, 0],
        ]),
      ],
    );
  });

  it('are 0 where the spread or the norm is', async () => {
    expect(await gradient((t) => std(t), tensor([3, 3, 3]))).toEqual([0, 0, 0]);
    expect(await gradient((t) => norm(t), tensor([0, 0]))).toEqual([0, 0]);
    expect(await gradient((t) => norm(t, 3), tensor([0, 2]))).toEqual([0, 1]);
    // of one element that is 0, too, though |x|^½ is steep there: a penalty for being sparse stays a number
    expect(await gradient((t) => norm(t, 0.5), tensor([0, 4, 0]))).toEqual([0, 1, 0]);
  });

  it('of logsumexp are 0 in a row of −∞', async () => {
    const nothing = Number.NEGATIVE_INFINITY;
    expect(await gradient((t) => logsumexp(t, 0), tensor([nothing, nothing]))).toEqual([0, 0]);
  });

  it('do not exist for places', () => {
    expect(() => grad((t: Tensor) => cast(argmax(t), 'float32'))(x())).toThrow('only through a tensor of dtype int32');
  });
});
