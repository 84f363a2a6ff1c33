import { beforeAll, describe, expect, it } from 'vitest';
import {
  allclose,
  bitwiseAnd,
  bitwiseLeftShift,
  bitwiseNot,
  bitwiseOr,
  bitwiseRightShift,
  bitwiseXor,
  eq,
  equal,
  ge,
  gt,
  isclose,
  le,
  logicalAnd,
  logicalNot,
  logicalOr,
  logicalXor,
  lt,
  maskedFill,
  meta,
  ne,
  setBackend,
  type Tensor,
  type TensorLike,
  tensor,
  where,
} from '../../src';
import { reference } from '../../src/reference';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
const ints = (data: number[]) => tensor(data, { dtype: 'int32' });
const bits = (text: string) => [...text].map((bit) => bit === '1');

describe('comparisons', () => {
  it.each<[string, (a: TensorLike, b: TensorLike) => Tensor, string]>([
    ['eq', eq, '010010'],
    ['ne', ne, '101101'],
    ['lt', lt, '100000'],
    ['le', le, '110010'],
    ['gt', gt, '001000'],
    ['ge', ge, '011010'],
  ])('%s gives bools; NaN compares with nothing', async (_, op, wanted) => {
    const y = op(tensor([1, 2, 3, nan, inf, 1]), tensor([2, 2, 2, nan, inf, nan]));
    expect(y.dtype).toBe('bool');
    expect(await y.toArray()).toEqual(bits(wanted));
  });

  it('orders bools, and integers exactly', async () => {
    expect(await lt(tensor([false, true]), tensor([true, true])).toArray()).toEqual(bits('10'));
    expect(await eq(ints([2 ** 24 + 1]), 2 ** 24).toArray()).toEqual(bits('0'));
    expect(await lt(ints([1, 2]), 1.5).toArray()).toEqual(bits('10'));
  });

  it('finds what is close: relative to b, infinities equal, NaN by option', async () => {
    const a = tensor([1, 1.001, 0, inf, inf, nan]);
    const b = tensor([1.000001, 1, 1e-9, inf, -inf, nan]);
    expect(await isclose(a, b).toArray()).toEqual(bits('101100'));
    expect(await isclose(a, b, { rtol: 0.01, equalNan: true }).toArray()).toEqual(bits('111101'));
    expect(await allclose(a, a)).toBe(false);
    expect(await allclose(a, a, { equalNan: true })).toBe(true);
    expect(await isclose(tensor([5], { dtype: 'uint8' }), tensor([6], { dtype: 'uint8' })).toArray()).toEqual([false]);
  });

  it('finds tensors equal by shape and value', async () => {
    expect(await equal(tensor([1, 2]), tensor([1, 2]))).toBe(true);
    expect(await equal(tensor([1, 2]), tensor([1, 3]))).toBe(false);
    expect(await equal(tensor([1, 1]), tensor([[1, 1]]))).toBe(false);
  });
});

describe('logic and bits', () => {
  it.each<[string, (a: TensorLike, b: TensorLike) => Tensor, string]>([
    ['logicalAnd', logicalAnd, '1000'],
    ['logicalOr', logicalOr, '1110'],
    ['logicalXor', logicalXor, '0110'],
  ])('%s takes anything but 0 as true', async (_, op, wanted) => {
    expect(await op(tensor([0.5, nan, 0, 0]), ints([7, 0, 1, 0])).toArray()).toEqual(bits(wanted));
  });

  it('negates truth', async () => {
    expect(await logicalNot(tensor([0, 0.5, nan])).toArray()).toEqual(bits('100'));
  });

  it.each<[string, (a: TensorLike, b: TensorLike) => Tensor, number[]]>([
    ['bitwiseAnd', bitwiseAnd, [2, 1]],
    ['bitwiseOr', bitwiseOr, [7, -1]],
    ['bitwiseXor', bitwiseXor, [5, -2]],
    ['bitwiseLeftShift', bitwiseLeftShift, [48, -2]],
    ['bitwiseRightShift', bitwiseRightShift, [0, -1]],
  ])('%s works on the bits of integers', async (_, op, wanted) => {
    expect(await op(ints([6, -1]), ints([3, 1])).toArray()).toEqual(wanted);
  });

  it('flips the bits of what there is', async () => {
    expect(await bitwiseNot(ints([0, 5])).toArray()).toEqual([-1, -6]);
    expect(await bitwiseNot(tensor([0, 5], { dtype: 'uint8' })).toArray()).toEqual([255, 250]);
    expect(await bitwiseNot(tensor([true, false])).toArray()).toEqual([false, true]);
    expect(() => bitwiseAnd(tensor([1]), 1)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: bitwiseAnd: the inputs are float32, wants int32, uint8 or bool; convert them with cast(x, 'int32')]`,
    );
  });
});

describe('where', () => {
  it('broadcasts all three and promotes the two it chooses from', async () => {
    const y = where(tensor([[true], [false]]), tensor([1, 2]), ints([7]));
    expect(y).toMatchObject({ shape: [2, 2], dtype: 'float32' });
    expect(await y.toArray()).toEqual([
      [1, 2],
      [7, 7],
    ]);
    expect(where(tensor([true]), 1, 0).dtype).toBe('float32');
    expect(where(tensor([true]), ints([1]), 0).dtype).toBe('int32');
    expect(where(meta([null, 1], 'bool'), meta([3]), 0).shape).toEqual([null, 3]);
  });

  it('takes nothing of what it does not choose, not even NaN', async () => {
    expect(await where(tensor([true, false]), tensor([1, nan]), tensor([inf, 2])).toArray()).toEqual([1, 2]);
  });

  it('fills where a mask is', async () => {
    expect(await maskedFill(tensor([1, 2]), tensor([false, true]), -inf).toArray()).toEqual([1, -inf]);
  });
});
