import { beforeAll, describe, expect, it } from 'vitest';
import {
  acos,
  acosh,
  asin,
  asinh,
  atan,
  atan2,
  atanh,
  cast,
  ceil,
  cos,
  cosh,
  type DType,
  erf,
  erfc,
  erfinv,
  exp,
  exp2,
  expm1,
  isFinite as finite,
  floor,
  frac,
  isInf,
  isNan,
  log,
  log1p,
  log2,
  log10,
  meta,
  round,
  rsqrt,
  setBackend,
  sin,
  sinh,
  sqrt,
  type Tensor,
  type TensorLike,
  tan,
  tensor,
  trunc,
} from '../../src';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
type Unary = (x: TensorLike) => Tensor;

describe('functions of one element', () => {
  it.each<[string, Unary, (x: number) => number, number[]]>([
    ['exp', exp, Math.exp, [-2, 0, 1.5, inf, -inf, nan]],
    ['exp2', exp2, (x) => 2 ** x, [-2, 0, 1.5, 10, inf, -inf, nan]],
    ['expm1', expm1, Math.expm1, [-2, 0, 2 ** -20, inf, -inf, nan]],
    ['log', log, Math.log, [-1, 0, 1, 2.5, inf, nan]],
    ['log1p', log1p, Math.log1p, [-2, -1, 0, 2 ** -20, inf, nan]],
    ['log2', log2, Math.log2, [-1, 0, 1, 8, inf, nan]],
    ['log10', log10, Math.log10, [-1, 0, 1, 1000, inf, nan]],
    ['sqrt', sqrt, Math.sqrt, [-1, 0, 2, inf, nan]],
    ['rsqrt', rsqrt, (x) => 1 / Math.sqrt(x), [-1, 0, 2, inf, nan]],
    ['sin', sin, Math.sin, [-2, 0, 1.5, inf, nan]],
    ['cos', cos, Math.cos, [-2, 0, 1.5, inf, nan]],
    ['tan', tan, Math.tan, [-2, 0, 1.5, inf, nan]],
    ['asin', asin, Math.asin, [-1, 0.5, 1, 2, nan]],
    ['acos', acos, Math.acos, [-1, 0.5, 1, 2, nan]],
    ['atan', atan, Math.atan, [-inf, -1, 0, 2, inf, nan]],
    ['sinh', sinh, Math.sinh, [-2, 0, 1.5, inf, nan]],
    ['cosh', cosh, Math.cosh, [-2, 0, 1.5, inf, nan]],
    ['asinh', asinh, Math.asinh, [-2, 0, 1.5, inf, nan]],
    ['acosh', acosh, Math.acosh, [0.5, 1, 2.5, inf, nan]],
    ['atanh', atanh, Math.atanh, [-1, 0, 0.5, 1, 2, nan]],
    ['floor', floor, Math.floor, [-1.5, -0.25, 0.5, 2, inf, nan]],
    ['ceil', ceil, Math.ceil, [-1.5, 0.5, 2, inf, nan]],
    ['trunc', trunc, Math.trunc, [-1.5, 0.5, 2, inf, nan]],
  ])('%s agrees with Math, at the edges too', async (_, op, wanted, at) => {
    expect((await op(tensor(at)).toArray()) as number[]).toEqual(near(at.map(wanted)));
  });

  it.each<[string, Unary, [x: number, y: number][], number]>([
    [
      'erf',
      erf,
      [
        [0, 0],
        [0.5, 0.5204998778130465],
        [-1, -0.8427007929497149],
        [3, 0.9999779095030014],
        [inf, 1],
      ],
      1e-12,
    ],
    [
      'erfc',
      erfc,
      [
        [0, 1],
        [0.5, 0.4795001221869535],
        [-3, 1.9999779095030015],
        [inf, 0],
        [-inf, 2],
      ],
      1e-12,
    ],
    [
      'erfinv',
      erfinv,
      [
        [0, 0],
        [0.5, 0.4769362762044699],
        [-0.75, -0.8134198475976185],
        [1, inf],
        [-1, -inf],
        [2, nan],
      ],
      1e-7,
    ],
    [
      'round',
      round,
      [
        [0.5, 0],
        [1.5, 2],
        [2.5, 2],
        [-1.5, -2],
        [2.75, 3],
      ],
      0,
    ],
    [
      'frac',
      frac,
      [
        [1.75, 0.75],
        [-1.75, -0.75],
        [2, 0],
      ],
      0,
    ],
  ])('%s has the values of the tables', async (_, op, table, precision) => {
    const y = await op(tensor(table.map(([x]) => x))).toArray();
    expect(y).toEqual(
      near(
        table.map(([, y]) => y),
        precision || 1e-15,
      ),
    );
  });

  it('keeps the digits of erfc where 1 − erf has none left', async () => {
    const [atTwo, atFour, atNine] = (await erfc(tensor([2, 4, 9])).toArray()) as [number, number, number];
    expect(atTwo / 0.004677734981047266).toBeCloseTo(1, 6);
    expect(atFour / 1.541725790028002e-8).toBeCloseTo(1, 6);
    expect(atNine / 4.13703174651381e-37).toBeCloseTo(1, 6);
  });

  it('finds the angle in all four quarters', async () => {
    const y = atan2(tensor([1, 1, -1, -1, 0]), tensor([1, -1, -1, 1, -1]));
    expect(await y.toArray()).toEqual(near([1, 3, -3, -1, 4].map((eighths) => (eighths * Math.PI) / 4)));
  });

  it('makes float32 of integers, but rounds them to themselves', async () => {
    const x = tensor([1, 4], { dtype: 'int32' });
    expect([exp(x), sqrt(x), atan2(x, x)].map(({ dtype }) => dtype)).toEqual(['float32', 'float32', 'float32']);
    expect(await sqrt(x).toArray()).toEqual([1, 2]);
    expect(floor(x).dtype).toBe('int32');
    expect(await round(x).toArray()).toEqual([1, 4]);
    expect(exp(meta([null, 2], 'float16'))).toMatchObject({ shape: [null, 2], dtype: 'float16' });
  });

  it('tells NaN, infinity and finite numbers apart', async () => {
    const x = tensor([1, nan, inf, -inf, 0]);
    expect(await isNan(x).toArray()).toEqual([false, true, false, false, false]);
    expect(await isInf(x).toArray()).toEqual([false, false, true, true, false]);
    expect(await finite(x).toArray()).toEqual([true, false, false, false, true]);
    const whole = tensor([0, 7], { dtype: 'int32' });
    expect(await finite(whole).toArray()).toEqual([true, true]);
    expect(await isNan(whole).toArray()).toEqual([false, false]);
  });
});

describe('cast', () => {
  it.each<[DType, number[] | boolean[]]>([
    ['float32', [-1.75, 0, 0.5, 300]],
    ['int32', [-1, 0, 0, 300]],
    ['uint8', [255, 0, 0, 44]],
    ['bool', [true, false, true, true]],
  ])('makes %s of floats', async (dtype, wanted) => {
    const y = cast(tensor([-1.75, 0, 0.5, 300]), dtype);
    expect(y.dtype).toBe(dtype);
    expect(await y.toArray()).toEqual(wanted);
  });

  it('makes numbers of bools, and nothing of a NaN that becomes an integer', async () => {
    expect(await cast(tensor([true, false]), 'float32').toArray()).toEqual([1, 0]);
    expect(await cast(tensor([nan, 1e12]), 'int32').toArray()).toEqual([0, 2 ** 31 - 1]);
    expect(await cast(tensor([nan]), 'bool').toArray()).toEqual([true]);
  });
});
