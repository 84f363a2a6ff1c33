import {
  abs,
  add,
  addcdiv,
  addcmul,
  clamp,
  div,
  floorDivide,
  fmod,
  lerp,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  remainder,
  setBackend,
  sign,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const a = () =>
  tensor([
    [1.5, -2, 0.75],
    [3, 0.5, -1.25],
  ]);
const row = () => tensor([2, -1.5, 0.5]);
const column = () => tensor([[1.25], [-0.75]]);
const above = (t: Tensor) => add(abs(t), 0.5);
/** ∂ Σf by each argument. */
const grads = async (f: (...xs: Tensor[]) => Tensor, ...xs: Tensor[]) =>
  Promise.all(grad((...all: Tensor[]) => sum(f(...all)), { wrt: xs.map((_, i) => i) })(...xs).map((g) => g.toArray()));

describe('gradients of arithmetic', () => {
  it.each<[string, (...xs: Tensor[]) => Tensor, Tensor[]]>([
    ['add', add, [a(), row()]],
    ['sub', sub, [a(), column()]],
    ['mul', mul, [a(), row()]],
    ['div', div, [column(), a()]],
    ['a scalar and a matrix', (s, t) => mul(div(s, t), sub(t, s)), [tensor(1.5), a()]],
    ['pow of a number', (x) => pow(x, 3), [a()]],
    ['a number to a power', (x) => pow(2, x), [a()]],
    ['pow of both', (x, y) => pow(above(x), y), [a(), row()]],
    ['maximum', maximum, [a(), row()]],
    ['minimum', minimum, [a(), column()]],
    ['neg, abs, square', (x) => neg(mul(abs(x), square(x))), [a()]],
    ['reciprocal', reciprocal, [a()]],
    ['remainder', (x, y) => mul(remainder(x, y), x), [a(), tensor([0.625, -0.875, 1])]],
    ['fmod', (x, y) => mul(fmod(x, y), y), [a(), tensor([0.625, -0.875, 1])]],
    ['clamp to numbers', (x) => square(clamp(x, -1, 1)), [a()]],
    [
      'clamp to tensors',
      (x, lo, hi) => square(clamp(x, lo, hi)),
      [a(), tensor([[-1], [0.75]]), tensor([0.9, 1.1, 0.6])],
    ],
    ['lerp', lerp, [a(), row(), column()]],
    ['addcmul', (x, y, z) => addcmul(x, y, z, { value: 0.5 }), [a(), row(), column()]],
    ['addcdiv', (x, y, z) => addcdiv(x, y, z, { value: 2 }), [a(), row(), column()]],
  ])('%s agrees with finite differences, twice', async (_, f, inputs) => {
    await checkGradients(f, inputs);
  });

  it('follow PyTorch where there is a corner', async () => {
    expect(await grads(abs, tensor([-2, 0, 3]))).toEqual([[-1, 0, 1]]);
    expect(await grads(sign, tensor([-2, 0]))).toEqual([[0, 0]]);
    expect(await grads((x) => clamp(x, -1, 1), tensor([-2, -1, 0, 1, 2]))).toEqual([[0, 1, 1, 1, 0]]);
    expect(await grads(maximum, tensor([1, 2, 3]), tensor([2, 2, 2]))).toEqual([
      [0, 0.5, 1],
      [1, 0.5, 0],
    ]);
    expect(await grads(minimum, tensor([1, 2]), tensor([2, 2]))).toEqual([
      [1, 0.5],
      [0, 0.5],
    ]);
  });

  it('of powers are finite where the power is', async () => {
    expect(await grads((x) => pow(x, 2), tensor([0, -3]))).toEqual([[0, -6]]);
    expect(await grads((x) => pow(x, 0), tensor([0, 2]))).toEqual([[0, 0]]);
    expect(await grads(pow, tensor([0, 2]), tensor([2, 0]))).toEqual([
      [0, 0],
      [0, Math.LN2],
    ]);
  });

  it('of a bound go to it where it is what comes out', async () => {
    const [x, lo, hi] = [tensor([0, 5, -5]), tensor([-1, -1, -1]), tensor([1, 1, 1])];
    expect(await grads((...t) => clamp(t[0] as Tensor, t[1], t[2]), x, lo, hi)).toEqual([
      [1, 0, 0],
      [0, 0, 1],
      [0, 1, 0],
    ]);
  });

  it('do not exist for floorDivide, which says so', () => {
    expect(() => grad((x: Tensor) => sum(floorDivide(x, 2)))(a())).toThrow(
      'floorDivide, which has no gradient (piecewise constant)',
    );
  });
});
