import {
  cummax,
  cummin,
  cumprod,
  cumsum,
  logcumsumexp,
  setBackend,
  square,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const x = () =>
  tensor([
    [1.5, -0.5, 2, 0.25],
    [-1, 3, 0.75, -2],
  ]);

describe('gradients of running results', () => {
  it.each<[string, (x: Tensor) => Tensor]>([
    ['cumsum', (t) => square(cumsum(t, 1))],
    ['cumsum from the end', (t) => square(cumsum(t, 0, { reverse: true }))],
    ['cumprod', (t) => cumprod(t, 1)],
    ['cumprod from the end', (t) => cumprod(t, 1, { reverse: true })],
    ['cumprod of those before', (t) => cumprod(t, -1, { exclusive: true })],
    ['cumprod of those behind', (t) => cumprod(t, 1, { exclusive: true, reverse: true })],
    ['cummax', (t) => square(cummax(t, 1)[0] as Tensor)],
    ['cummin', (t) => square(cummin(t, 0)[0] as Tensor)],
    ['logcumsumexp', (t) => logcumsumexp(t, 1)],
    ['logcumsumexp along columns', (t) => logcumsumexp(t, 0)],
  ])('%s agrees with finite differences, twice', async (_, f) => {
    await checkGradients(f, [x()]);
  });

  it('of cumprod are right where elements are 0, one or several, twice', async () => {
    for (const row of [
      [1.5, 0, 2, 0.5],
      [1.5, 0, 2, 0, 3],
      [0, 2, 0, 1.5, 0],
    ])
      for (const options of [{}, { exclusive: true, reverse: true }])
        await checkGradients((t) => cumprod(t, 0, options), [tensor(row)]);
  });

  it('of cummax go to the last of equals', async () => {
    const g = grad((t: Tensor) => sum(cummax(t, 0)[0] as Tensor))(tensor([2, 1, 2, 3]));
    expect(await g.toArray()).toEqual([2, 0, 1, 1]);
  });

  it('of logcumsumexp are 0 for −∞', async () => {
    const g = grad((t: Tensor) => sum(logcumsumexp(t, 0)))(tensor([Number.NEGATIVE_INFINITY, 0]));
    expect(await g.toArray()).toEqual([0, 1]);
  });
});
