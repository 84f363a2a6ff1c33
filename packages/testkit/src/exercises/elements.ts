/** Exercises of element-wise ops. */

import type { Tensor } from '@tessera/tensor';
import * as t from '@tessera/tensor';
import { bools, type Exercise, type FloatOptions, floats, integers, type Sample, values } from './exercise';

/** What every function must get right: NaN, infinities, both zeros, tiny and ordinary numbers. */
const special = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 1, -1, 0.5, -2.5, 1e-30, 3];

/** One input: a matrix, rank 0, an empty axis, and the special values (which have no gradient to compare). */
const unary = (name: string, f: (x: Tensor) => Tensor, range: FloatOptions = {}, orders: 0 | 1 | 2 = 2): Exercise[] => [
  { name, f, cases: [[floats([3, 5], range)], [floats([], range)], [floats([2, 0, 3])]], orders, within: 'each' },
  { name: `${name} of special values`, f, cases: [[values(special)]], orders: 0, within: 'each' },
];
/** Two inputs: equal shapes, broadcasting both ways, rank 0, an empty axis, and all pairs of special values. */
const binary = (
  name: string,
  f: (a: Tensor, b: Tensor) => Tensor,
  [a, b]: readonly [FloatOptions, FloatOptions] = [{}, {}],
  orders: 0 | 1 | 2 = 2,
): Exercise[] => {
  const pair = (x: readonly number[], y: readonly number[]): Sample[] => [
    floats(x, { seed: 1, ...a }),
    floats(y, { seed: 2, ...b }),
  ];
  const cases = [pair([3, 4], [3, 4]), pair([2, 1, 4], [3, 1]), pair([], [2, 2]), pair([4], []), pair([0, 3], [3])];
  const column = { ...values(special), shape: [special.length, 1] };
  return [
    { name, f, cases, orders },
    { name: `${name} of special values`, f, cases: [[column, values(special)]], orders: 0, within: 'each' },
  ];
};

const smooth = (): Exercise[] => [
  ...unary('neg', t.neg),
  ...unary('exp', t.exp),
  ...unary('expm1', t.expm1),
  ...unary('exp2', t.exp2),
  ...unary('log', t.log, { from: 0.2, to: 4 }),
  ...unary('log1p', t.log1p, { from: -0.7, to: 4 }),
  ...unary('log2', t.log2, { from: 0.2, to: 4 }),
  ...unary('log10', t.log10, { from: 0.2, to: 4 }),
  ...unary('sqrt', t.sqrt, { from: 0.2, to: 4 }),
  ...unary('rsqrt', t.rsqrt, { from: 0.2, to: 4 }),
  ...unary('reciprocal', t.reciprocal, { from: 0.3, to: 3 }),
  ...unary('square', t.square),
  ...unary('sin', t.sin),
  ...unary('cos', t.cos),
  ...unary('tan', t.tan, { from: -1.2, to: 1.2 }),
  ...unary('asin', t.asin, { from: -0.9, to: 0.9 }),
  ...unary('acos', t.acos, { from: -0.9, to: 0.9 }),
  ...unary('atan', t.atan),
  ...unary('sinh', t.sinh),
  ...unary('cosh', t.cosh),
  ...unary('tanh', t.tanh),
  ...unary('asinh', t.asinh),
  ...unary('acosh', t.acosh, { from: 1.2, to: 4 }),
  ...unary('atanh', t.atanh, { from: -0.9, to: 0.9 }),
  ...unary('erf', t.erf),
  ...unary('erfc', t.erfc),
  ...unary('erfinv', t.erfinv, { from: -0.9, to: 0.9 }),
  ...unary('sigmoid', t.sigmoid),
  ...unary('logSigmoid', t.logSigmoid),
  ...unary('softplus', (x) => t.softplus(x, { beta: 2, threshold: 3 })),
  ...unary('gelu', (x) => t.gelu(x)),
  ...unary('gelu by tanh', (x) => t.gelu(x, { approximate: 'tanh' })),
  ...unary('silu', t.silu),
  ...unary('mish', t.mish),
];

/** Kinks and steps: the sample points lie beside them. */
const broken = (): Exercise[] => [
  ...unary('abs', t.abs),
  ...unary('sign', t.sign),
  ...unary('floor', t.floor),
  ...unary('ceil', t.ceil),
  ...unary('round', t.round),
  ...unary('trunc', t.trunc),
  ...unary('frac', t.frac),
  ...unary('relu', t.relu),
  ...unary('leakyRelu', (x) => t.leakyRelu(x, 0.2)),
  ...unary('relu6', t.relu6, { from: -3, to: 9 }),
  ...unary('hardtanh', (x) => t.hardtanh(x, -0.5, 1)),
  ...unary('elu', (x) => t.elu(x, 1.5)),
  ...unary('celu', (x) => t.celu(x, 1.5)),
  ...unary('selu', t.selu),
  ...unary('hardsigmoid', t.hardsigmoid, { from: -5, to: 5 }),
  ...unary('hardswish', t.hardswish, { from: -5, to: 5 }),
  ...unary('softsign', t.softsign),
  ...unary('clamp', (x) => t.clamp(x, -1, 0.5)),
  ...unary('clamp from above', (x) => t.clamp(x, null, 0.5)),
  ...unary('isNan', t.isNan, {}, 0),
  ...unary('isInf', t.isInf, {}, 0),
  ...unary('isFinite', t.isFinite, {}, 0),
];

const pairs = (): Exercise[] => [
  ...binary('add', t.add),
  ...binary('sub', t.sub),
  ...binary('mul', t.mul),
  ...binary('div', t.div, [{}, { from: 0.4, to: 3 }]),
  ...binary('pow', t.pow, [{ from: 0.3, to: 2 }, {}]),
  ...binary('maximum', t.maximum),
  ...binary('minimum', t.minimum),
  ...binary('atan2', t.atan2, [{}, { from: 0.3, to: 2 }]),
  ...binary('remainder', t.remainder, [
    { from: -3, to: 5 },
    { from: 1.1, to: 2 },
  ]),
  ...binary('fmod', t.fmod, [
    { from: -3, to: 5 },
    { from: 1.1, to: 2 },
  ]),
  ...binary(
    'floorDivide',
    t.floorDivide,
    [
      { from: -3, to: 5 },
      { from: 1.1, to: 2 },
    ],
    0,
  ),
  ...binary('eq', t.eq, [{}, {}], 0),
  ...binary('ne', t.ne, [{}, {}], 0),
  ...binary('lt', t.lt, [{}, {}], 0),
  ...binary('le', t.le, [{}, {}], 0),
  ...binary('gt', t.gt, [{}, {}], 0),
  ...binary('ge', t.ge, [{}, {}], 0),
  ...binary('logicalAnd', t.logicalAnd, [{}, {}], 0),
  ...binary('logicalOr', t.logicalOr, [{}, {}], 0),
  ...binary('logicalXor', t.logicalXor, [{}, {}], 0),
];

const others = (): Exercise[] => [
  {
    name: 'where',
    f: (m, a, b) => t.where(m, a, b),
    cases: [
      [bools([3, 4]), floats([3, 4], { seed: 1 }), floats([4], { seed: 2 })],
      [bools([]), floats([2], { seed: 1 }), floats([])],
      [bools([2, 1]), floats([]), floats([3], { seed: 1 })],
    ],
  },
  {
    name: 'where picks past NaN',
    f: (m, a) => t.where(m, a, 1),
    cases: [
      [values([1, 0, 1, 0], 'bool'), values([1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])],
    ],
  },
  {
    name: 'lerp',
    f: (a, b, w) => t.lerp(a, b, w),
    cases: [[floats([3, 4]), floats([3, 4], { seed: 1 }), floats([4], { from: 0, to: 0.45 })]],
  },
  {
    name: 'clamp between tensors',
    f: (x, low, high) => t.clamp(x, low, high),
    cases: [[floats([4, 4]), floats([4], { from: -1.5, to: -0.5 }), floats([4, 1], { from: 0.5, to: 1.5 })]],
  },
  {
    name: 'prelu',
    f: (x, w) => t.prelu(x, w),
    cases: [[floats([2, 3, 4]), floats([3], { from: 0.1, to: 0.5 })]],
  },
  {
    name: 'addcmul and addcdiv',
    f: (x, a, b) => [t.addcmul(x, a, b, { value: 0.5 }), t.addcdiv(x, a, b)],
    cases: [[floats([3, 4]), floats([3, 4], { seed: 1 }), floats([4], { from: 0.5, to: 2 })]],
  },
  {
    name: 'numbers beside tensors',
    f: (x) => t.sub(2, t.div(t.mul(x, 3), t.add(x, 5))),
    cases: [[floats([3, 4])]],
  },
  {
    name: 'a chain that meets itself',
    f: (x) => t.mul(t.sin(x), t.add(t.exp(x), t.sin(x))),
    cases: [[floats([4, 3])], [floats([])]],
  },
  {
    name: 'integer arithmetic',
    f: (a, b) => [
      t.add(a, b),
      t.mul(a, b),
      t.remainder(t.neg(a), t.add(b, 1)),
      t.floorDivide(t.neg(a), t.add(b, 1)),
      t.bitwiseXor(a, t.bitwiseNot(b)),
      t.bitwiseOr(a, t.bitwiseLeftShift(b, 2)),
      t.bitwiseAnd(a, t.bitwiseRightShift(b, 1)),
      t.logicalNot(a),
      t.div(a, t.add(b, 1)),
    ],
    cases: [[integers([3, 5], 50), integers([5], 9, 1)]],
    orders: 0,
  },
  {
    name: 'cast',
    f: (x) => [t.cast(x, 'int32'), t.cast(x, 'bool'), t.cast(t.cast(t.abs(x), 'uint8'), 'float32')],
    cases: [[values([0, 1.9, -1.9, 250.5, 1e-20])]],
    orders: 0,
  },
  {
    name: 'a mask as numbers',
    f: (x) => t.mul(x, t.cast(t.gt(x, 0.3), 'float32')),
    cases: [[floats([3, 4])]],
  },
];

export const elements = (): Exercise[] => [...smooth(), ...broken(), ...pairs(), ...others()];
