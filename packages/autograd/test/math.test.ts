import {
  abs,
  acos,
  acosh,
  add,
  asin,
  asinh,
  atan,
  atan2,
  atanh,
  cast,
  ceil,
  cos,
  cosh,
  erf,
  erfc,
  erfinv,
  exp,
  exp2,
  expm1,
  floor,
  frac,
  log,
  log1p,
  log2,
  log10,
  mul,
  round,
  rsqrt,
  setBackend,
  sin,
  sinh,
  sqrt,
  square,
  sum,
  type Tensor,
  tan,
  tensor,
  trunc,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const small = () => tensor([-0.75, -0.25, 0.125, 0.5]);
const positive = () => tensor([0.25, 0.75, 1.5, 3]);
const any = () => tensor([-1.75, -0.5, 0.25, 2.25]);

describe('gradients of functions', () => {
  it.each<[string, (x: Tensor) => Tensor, () => Tensor]>([
    ['exp', exp, any],
    ['exp2', exp2, any],
    ['expm1', expm1, any],
    ['log', log, positive],
    ['log1p', log1p, small],
    ['log2', log2, positive],
    ['log10', log10, positive],
    ['sqrt', sqrt, positive],
    ['rsqrt', rsqrt, positive],
    ['sin', sin, any],
    ['cos', cos, any],
    ['tan', tan, small],
    ['asin', asin, small],
    ['acos', acos, small],
    ['atan', atan, any],
    ['sinh', sinh, any],
    ['cosh', cosh, any],
    ['asinh', asinh, any],
    ['acosh', (x) => acosh(add(x, 1.5)), positive],
    ['atanh', atanh, small],
    ['erf', erf, any],
    ['erfc', erfc, small],
    ['frac', (x) => mul(frac(x), x), any],
  ])('%s agrees with finite differences, twice', async (_, f, x) => {
    await checkGradients(f, [x()]);
  });

  it('erfinv, whose values are float32-fine, agrees to six digits', async () => {
    await checkGradients(erfinv, [small()], { step: 1e-3, tolerance: 1e-4 });
  });

  it('atan2 agrees, broadcasting', async () => {
    await checkGradients((a, b) => atan2(a, b), [tensor([[1.5], [-0.5]]), any()]);
  });

  it('cast hands on what is floating', async () => {
    const x = tensor([1.5, -2]);
    expect(await grad((t: Tensor) => sum(square(cast(t, 'float32'))))(x).toArray()).toEqual([3, -4]);
    expect(() => grad((t: Tensor) => sum(mul(cast(cast(t, 'int32'), 'float32'), 2)))(x)).toThrow('dtype int32');
  });

  it('rounding has the derivative 0', async () => {
    for (const op of [floor, ceil, round, trunc])
      expect(await grad((x: Tensor) => sum(op(x)))(any()).toArray()).toEqual([0, 0, 0, 0]);
    expect(await grad((x: Tensor) => sum(mul(floor(x), abs(x))))(any()).toArray()).toEqual([2, 1, 0, 2]);
  });
});
