import { beforeAll, describe, expect, it } from 'vitest';
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
  meta,
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
  type Tensor,
  type TensorLike,
  tensor,
} from '../../src';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const ints = (data: number[]) => tensor(data, { dtype: 'int32' });
const bytes = (data: number[]) => tensor(data, { dtype: 'uint8' });
const bools = (data: boolean[]) => tensor(data);
const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];

describe('arithmetic', () => {
  it.each<[string, (a: TensorLike, b: TensorLike) => Tensor, number[]]>([
    ['add', add, [7.5, 1, nan, inf]],
    ['sub', sub, [3.5, -5, nan, inf]],
    ['mul', mul, [11, -6, nan, -inf]],
    ['div', div, [2.75, -2 / 3, nan, -inf]],
    ['maximum', maximum, [5.5, 3, nan, inf]],
    ['minimum', minimum, [2, -2, nan, -1]],
    ['pow', pow, [30.25, -8, nan, 0]],
    ['remainder', remainder, [1.5, 1, nan, nan]],
    ['fmod', fmod, [1.5, -2, nan, nan]],
    ['floorDivide', floorDivide, [2, -1, nan, nan]],
  ])('%s is what PyTorch gives, NaN and infinities included', async (_, op, wanted) => {
    const y = op(tensor([5.5, -2, nan, inf]), tensor([2, 3, 1, -1]));
    expect(await y.toArray()).toEqual(near(wanted));
  });

  it('broadcasts, and carries unknown sizes through', async () => {
    expect(await add(tensor([[1], [2]]), tensor([10, 20])).toArray()).toEqual([
      [11, 21],
      [12, 22],
    ]);
    expect(await mul(tensor(3), tensor([[1, 2]])).toArray()).toEqual([[3, 6]]);
    expect(add(meta([null, 3]), meta([3])).shape).toEqual([null, 3]);
    expect(add(meta([null, 1]), meta([4, 1, 3])).shape).toEqual([4, null, 3]);
    expect((await add(tensor([], { shape: [0, 3] }), tensor([1, 2, 3])).data()).length).toBe(0);
  });

  it('names both shapes and the axis where they disagree', () => {
    expect(() => add(meta([2, 3]), meta([2, 4]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: add: shapes [2,3] and [2,4] do not broadcast (3 and 4 at dim -1); sizes must be equal or 1]`,
    );
  });

  it('promotes as PyTorch does', () => {
    const dtypes = (...pairs: [TensorLike, TensorLike][]) => pairs.map(([a, b]) => add(a, b).dtype);
    expect(
      dtypes([ints([1]), tensor([1])], [ints([1]), 1], [ints([1]), 0.5], [bytes([1]), ints([1])], [bools([true]), 1]),
    ).toEqual(['float32', 'int32', 'float32', 'int32', 'int32']);
    expect(div(ints([1]), ints([2])).dtype).toBe('float32');
    expect(pow(ints([1]), 2).dtype).toBe('int32');
    expect(add(meta([1], 'float16'), 0.5).dtype).toBe('float16');
  });

  it('promotes to the kind of one element without axes, but to no wider dtype of the same kind', async () => {
    const one = (dtype: 'int32' | 'float32' | 'bool' | 'uint8') => tensor(3, { dtype });
    const dtypes = (...pairs: [TensorLike, TensorLike][]) => pairs.map(([a, b]) => add(a, b).dtype);
    expect(
      dtypes(
        [bytes([1]), one('int32')],
        [meta([1], 'float16'), one('float32')],
        [ints([1]), one('float32')],
        [bools([true]), one('uint8')],
        [bytes([1]), one('bool')],
        [meta([], 'float16'), one('float32')],
      ),
    ).toEqual(['uint8', 'float16', 'float32', 'uint8', 'uint8', 'float32']);
    expect(await add(bytes([250, 7]), tensor(300, { dtype: 'int32' })).toArray()).toEqual([38, 51]);
    expect(await maximum(tensor(300, { dtype: 'int32' }), bytes([7, 70])).toArray()).toEqual([44, 70]);
  });

  it('takes plus of bools for or, times for and, and refuses minus', async () => {
    const [a, b] = [bools([true, true, false]), bools([true, false, false])];
    expect(await add(a, b).toArray()).toEqual([true, true, false]);
    expect(await mul(a, b).toArray()).toEqual([true, false, false]);
    expect(await maximum(a, b).toArray()).toEqual([true, true, false]);
    expect(await minimum(a, b).toArray()).toEqual([true, false, false]);
    expect(() => sub(a, b)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: sub: the input is bool, wants numbers; convert it with cast(x, 'int32') or use logicalNot]`,
    );
    expect(() => neg(a)).toThrow('neg: the input is bool');
  });

  it('wraps integers around, bytes at 256 even where they are not stored', async () => {
    expect(await add(ints([2 ** 31 - 1]), 1).toArray()).toEqual([-(2 ** 31)]);
    expect(await sub(bytes([3]), 5).toArray()).toEqual([254]);
    expect(await div(sub(bytes([3]), 5), 2).toArray()).toEqual([127]);
    expect(await neg(bytes([1])).toArray()).toEqual([255]);
  });

  it('divides integers as Python does: down, with the sign of the divisor', async () => {
    const [a, b] = [ints([7, -7, 7, -7]), ints([2, 2, -2, -2])];
    expect(await floorDivide(a, b).toArray()).toEqual([3, -4, -4, 3]);
    expect(await remainder(a, b).toArray()).toEqual([1, 1, -1, -1]);
    expect(await fmod(a, b).toArray()).toEqual([1, -1, 1, -1]);
    expect(await div(a, b).toArray()).toEqual([3.5, -3.5, -3.5, 3.5]);
    expect(await floorDivide(tensor([6, 1, -1, 5]), tensor([0.1, 0.1, 0, inf])).toArray()).toEqual([59, 9, -inf, 0]);
  });

  it('raises integers to powers exactly', async () => {
    const y = pow(ints([3, -2, 2, 0, -1, -1, 1, 2, -1]), ints([5, 3, 30, 0, 41, 40, -3, -1, -3]));
    expect(await y.toArray()).toEqual([243, -8, 2 ** 30, 1, -1, 1, 1, 0, -1]);
    expect(() => pow(ints([2]), -1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: pow: int32 to the power -1 is a fraction; convert it with cast(x, 'float32')]`,
    );
  });

  it.each<[string, (x: TensorLike) => Tensor, number[]]>([
    ['neg', neg, [2.5, -0, -3, nan, -inf]],
    ['abs', abs, [2.5, 0, 3, nan, inf]],
    ['sign', sign, [-1, 0, 1, nan, 1]],
    ['reciprocal', reciprocal, [-0.4, inf, 1 / 3, nan, 0]],
    ['square', square, [6.25, 0, 9, nan, inf]],
    ['clamp to [-1, 2]', (x) => clamp(x, -1, 2), [-1, 0, 2, nan, 2]],
    ['clamp from -1', (x) => clamp(x, -1), [-1, 0, 3, nan, inf]],
    ['clamp up to 2', (x) => clamp(x, null, 2), [-2.5, 0, 2, nan, 2]],
    ['clamp with min above max', (x) => clamp(x, 5, 1), [1, 1, 1, nan, 1]],
  ])('%s is what PyTorch gives', async (_, op, wanted) => {
    expect(await op(tensor([-2.5, 0, 3, nan, inf])).toArray()).toEqual(near(wanted));
  });

  it('wants a bound to clamp to', () => {
    expect(() => clamp(tensor([1]))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: clamp: neither min nor max is given; hand in at least one]`,
    );
  });

  it('interpolates, exact at both ends', async () => {
    const [a, b] = [tensor([1 / 3, 1e8]), tensor([0.7, 1e-8])];
    const end = [...(await b.data())];
    expect([...(await lerp(a, b, 1).data())]).toEqual(end);
    expect([...(await lerp(a, b, 0).data())]).toEqual([...(await a.data())]);
    expect(await lerp(tensor([0, 10]), tensor([10, 20]), tensor([0.25, 0.75])).toArray()).toEqual([2.5, 17.5]);
    expect(() => lerp(ints([1]), ints([2]), 1)).toThrow('lerp: inputs are int32');
  });

  it('adds scaled products and quotients', async () => {
    expect(await addcmul(tensor([1]), tensor([2]), tensor([3]), { value: 0.5 }).toArray()).toEqual([4]);
    expect(await addcmul(tensor([1, 2]), tensor([[2], [3]]), 4).toArray()).toEqual([
      [9, 10],
      [13, 14],
    ]);
    expect(await addcdiv(tensor([1]), tensor([3]), tensor([2]), { value: 2 }).toArray()).toEqual([4]);
  });
});
