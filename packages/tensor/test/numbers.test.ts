import { describe, expect, it } from 'vitest';
import { type ExprOp, exprOps } from '../src/ir';
import { functionOf } from '../src/numbers';

const [nan, inf] = [Number.NaN, Infinity];
const [least, most] = [-0x80000000, 0x7fffffff];
/** For each function its arguments, a list each, and its values; on int32 where `int` says so. */
const examples: Record<ExprOp, readonly { int?: true; args: number[][]; is: number[] }[]> = {
  neg: [
    { args: [[1, -2, inf]], is: [-1, 2, -inf] },
    { int: true, args: [[1, least]], is: [-1, least] },
  ],
  abs: [
    { args: [[1, -2, -inf]], is: [1, 2, inf] },
    { int: true, args: [[-5, least]], is: [5, least] },
  ],
  sign: [
    { args: [[3, -2, 0, nan, -inf]], is: [1, -1, 0, nan, -1] },
    { int: true, args: [[7, 0, least]], is: [1, 0, -1] },
  ],
  exp: [{ args: [[0, 1, -inf, inf]], is: [1, Math.E, 0, inf] }],
  expm1: [{ args: [[0, 1e-10]], is: [0, 1.00000000005e-10] }],
  log: [{ args: [[1, Math.E, 0, -1]], is: [0, 1, -inf, nan] }],
  log1p: [{ args: [[0, 1e-10, -1]], is: [0, 9.9999999995e-11, -inf] }],
  sqrt: [{ args: [[4, 2, -1]], is: [2, Math.SQRT2, nan] }],
  sin: [{ args: [[0, Math.PI / 6]], is: [0, 0.5] }],
  cos: [{ args: [[0, Math.PI / 3]], is: [1, 0.5] }],
  tan: [{ args: [[0, Math.PI / 4]], is: [0, 1] }],
  asin: [{ args: [[0.5, 2]], is: [Math.PI / 6, nan] }],
  acos: [{ args: [[0.5, 2]], is: [Math.PI / 3, nan] }],
  atan: [{ args: [[1, inf]], is: [Math.PI / 4, Math.PI / 2] }],
  sinh: [{ args: [[0, Math.log(2)]], is: [0, 0.75] }],
  cosh: [{ args: [[0, Math.log(2)]], is: [1, 1.25] }],
  tanh: [{ args: [[0, Math.log(2), inf]], is: [0, 0.6, 1] }],
  asinh: [{ args: [[0, 0.75]], is: [0, Math.log(2)] }],
  acosh: [{ args: [[1, 1.25, 0]], is: [0, Math.log(2), nan] }],
  atanh: [{ args: [[0, 0.6, 1]], is: [0, Math.log(2), inf] }],
  erf: [
    {
      args: [[0, 0.1, -0.4, 0.5, 1, 1.7, 2.5, 3.9, 4.1, -5.5, inf, nan]],
      is: [
        0,
        0.1124629160182849,
        -0.42839235504666845,
        0.5204998778130465,
        0.8427007929497149,
        0.9837904585907745,
        0.999593047982555,
        0.9999999652077514,
        0.9999999932999724,
        -0.9999999999999927,
        1,
        nan,
      ],
    },
  ],
  erfinv: [
    {
      args: [[0, 1e-10, 0.1, 0.3, 0.5, 0.9, 0.99, 0.999, 0.999999, -0.75, 1, -1, 1.5]],
      is: [
        0,
        8.862269254527581e-11,
        0.08885599049425769,
        0.2724627147267543,
        0.4769362762044699,
        1.1630871536766743,
        1.8213863677184494,
        2.3267537655135246,
        3.458910737275499,
        -0.8134198475976185,
        inf,
        -inf,
        nan,
      ],
    },
  ],
  floor: [{ args: [[1.5, -1.5, -inf]], is: [1, -2, -inf] }],
  ceil: [{ args: [[1.5, -1.5]], is: [2, -1] }],
  round: [
    { args: [[0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 2 ** 52 + 1]], is: [0, 2, 2, 0, -2, 0, 2 ** 52 + 1] },
  ],
  trunc: [{ args: [[1.7, -1.7]], is: [1, -1] }],
  isNan: [{ args: [[nan, 0, inf]], is: [1, 0, 0] }],
  add: [
    {
      args: [
        [1, inf],
        [2, -inf],
      ],
      is: [3, nan],
    },
    { int: true, args: [[most], [1]], is: [least] },
  ],
  sub: [
    { args: [[1], [2]], is: [-1] },
    { int: true, args: [[least], [1]], is: [most] },
  ],
  mul: [
    {
      args: [
        [3, 0],
        [2, inf],
      ],
      is: [6, nan],
    },
    {
      int: true,
      args: [
        [0x10001, most],
        [0x10001, most],
      ],
      is: [0x20001, 1],
    },
  ],
  div: [
    {
      args: [
        [1, 1, 0],
        [2, 0, 0],
      ],
      is: [0.5, inf, nan],
    },
    {
      int: true,
      args: [
        [7, -7, 5, least],
        [2, 2, 0, -1],
      ],
      is: [3, -3, 0, least],
    },
  ],
  mod: [
    {
      args: [
        [5.5, -5.5, 5.5, -5.5, 1],
        [2, 2, -2, -2, 0],
      ],
      is: [1.5, 0.5, -0.5, -1.5, nan],
    },
    {
      int: true,
      args: [
        [7, -7, 7, 5, least],
        [3, 3, -3, 0, -1],
      ],
      is: [1, 2, -2, 0, 0],
    },
  ],
  pow: [
    {
      args: [
        [2, -2, 0, 1, -1, nan, -8],
        [10, 3, 0, nan, inf, 0, 1 / 3],
      ],
      is: [1024, -8, 1, 1, 1, 1, nan],
    },
  ],
  atan2: [
    {
      args: [
        [1, 1, -1, -1],
        [1, -1, -1, 1],
      ],
      is: [1, 3, -3, -1].map((x) => (x * Math.PI) / 4),
    },
  ],
  min: [
    {
      args: [
        [1, nan, 3],
        [2, 1, nan],
      ],
      is: [1, nan, nan],
    },
    { int: true, args: [[least], [1]], is: [least] },
  ],
  max: [
    {
      args: [
        [1, nan, 3],
        [2, 1, nan],
      ],
      is: [2, nan, nan],
    },
    { int: true, args: [[least], [1]], is: [1] },
  ],
  and: [
    {
      int: true,
      args: [
        [12, -1],
        [10, 255],
      ],
      is: [8, 255],
    },
  ],
  or: [{ int: true, args: [[12], [10]], is: [14] }],
  xor: [
    {
      int: true,
      args: [
        [12, -1],
        [10, 0],
      ],
      is: [6, -1],
    },
  ],
  shl: [
    {
      int: true,
      args: [
        [1, 3],
        [31, 1],
      ],
      is: [least, 6],
    },
  ],
  shr: [{ int: true, args: [[-8], [1]], is: [-4] }],
  shru: [
    {
      int: true,
      args: [
        [-8, -1],
        [1, 0],
      ],
      is: [0x7ffffffc, -1],
    },
  ],
  eq: [
    {
      args: [
        [1, nan, 0],
        [1, nan, -0],
      ],
      is: [1, 0, 1],
    },
  ],
  ne: [
    {
      args: [
        [1, nan],
        [1, nan],
      ],
      is: [0, 1],
    },
  ],
  lt: [
    {
      args: [
        [1, 1, nan],
        [2, 1, 1],
      ],
      is: [1, 0, 0],
    },
  ],
  le: [
    {
      args: [
        [1, 1, nan],
        [2, 1, 1],
      ],
      is: [1, 1, 0],
    },
  ],
  gt: [
    {
      args: [
        [2, 1, nan],
        [1, 1, 1],
      ],
      is: [1, 0, 0],
    },
  ],
  ge: [
    {
      args: [
        [2, 1, nan],
        [1, 1, 1],
      ],
      is: [1, 1, 0],
    },
  ],
  select: [], // below: its arguments are of several types
  cast: [],
  bits: [],
  philox: [
    {
      int: true,
      args: [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 1, 2, 3],
      ],
      is: [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8].map((word) => word | 0),
    },
  ],
};

describe('functionOf', () => {
  const rows = (Object.keys(examples) as ExprOp[]).flatMap((fn) =>
    examples[fn].map(({ int, args, is }) => ({ fn, type: int ? ('int32' as const) : ('float32' as const), args, is })),
  );
  it.each(rows)('$fn of $type $args is $is', ({ fn, type, args, is }) => {
    expect(args).toHaveLength(exprOps[fn][0]);
    for (const [i, wanted] of is.entries()) {
      const value = functionOf(fn, type)(args[0]![i]!, args[1]?.[i] ?? 0, args[2]?.[i] ?? 0, args[3]?.[i] ?? 0);
      if (Number.isFinite(wanted)) expect(Math.abs(value - wanted)).toBeLessThanOrEqual(4e-16 * Math.abs(wanted));
      else expect(value).toBe(wanted);
    }
  });
});
