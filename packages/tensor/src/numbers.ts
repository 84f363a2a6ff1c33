/** The functions of expressions (`exprOps`) on JavaScript numbers, in double precision: whoever wants float32 rounds after. */
import type { Combine, Compute, ExprOp } from './ir';
import { philox4x32 } from './philox';

export type Fn = (a: number, b: number, c: number, d: number) => number;

const word = /* @__PURE__ */ new Int32Array(1);
const wordAsFloat = /* @__PURE__ */ new Float32Array(word.buffer);
const words = /* @__PURE__ */ new Int32Array(4);

/** Each function on floats, or on whatever it takes; bool is 0 or 1. */
const functions: Record<ExprOp, Fn> = {
  neg: (a) => -a,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  erfinv,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  trunc: Math.trunc,
  isNan: (a) => +Number.isNaN(a),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: (a, b) => (a % b !== 0 && a % b < 0 !== b < 0 ? (a % b) + b : a % b),
  // JavaScript alone gives NaN where IEEE 754 says 1: 1 to the NaN, ±1 to the ±∞.
  pow: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  atan2: (a, b) => Math.atan2(a, b),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b) => a >> b,
  shru: (a, b) => (a >>> b) | 0,
  eq: (a, b) => +(a === b),
  ne: (a, b) => +(a !== b),
  lt: (a, b) => +(a < b),
  le: (a, b) => +(a <= b),
  gt: (a, b) => +(a > b),
  ge: (a, b) => +(a >= b),
  select: (a, b, c) => (a ? b : c),
  cast: (a) => a, // to float32; `casts` has the others
  bits: floatOf, // from int32 to float32; `functionOf` has the others
  philox: (key0, key1, stream, index) => {
    philox4x32(key0, key1, index >>> 2, 0, stream, 0, words);
    return words[index & 3]!;
  },
};

/** The functions that differ on int32: they wrap at 32 bits. */
const integers: Partial<Record<ExprOp, Fn>> = {
  neg: (a) => -a | 0,
  abs: (a) => Math.abs(a) | 0,
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? 0 : (a / b) | 0),
  mod: (a, b) => (b === 0 ? 0 : (((a % b) + b) % b) | 0),
};

export const casts: Record<Compute, Fn> = {
  float32: (a) => a,
  int32: (a) => Math.min(Math.max(a, -0x80000000), 0x7fffffff) | 0, // NaN | 0 is 0
  bool: (a) => +(a !== 0),
};

const least: Record<Compute, number> = { float32: -Infinity, int32: -0x80000000, bool: 0 };
const greatest: Record<Compute, number> = { float32: Infinity, int32: 0x7fffffff, bool: 1 };
/** What combining starts from; the places of argmax and argmin at 0. */
export const startOf = (combine: Combine, dtype: Compute): number =>
  ({ sum: 0, prod: 1, max: least[dtype], min: greatest[dtype], argmax: 0, argmin: 0 })[combine];

/** The function for operands of one type; `result` matters to cast and bits only. */
export function functionOf(fn: ExprOp, operand: Compute, result: Compute = operand): Fn {
  if (fn === 'cast') return casts[result];
  if (fn === 'bits' && operand === result) return (a) => a;
  if (fn === 'bits' && result === 'int32') return bitsOf;
  return (operand === 'int32' && integers[fn]) || functions[fn];
}

function floatOf(bits: number): number {
  word[0] = bits;
  return wordAsFloat[0]!;
}
function bitsOf(float: number): number {
  wordAsFloat[0] = float;
  return word[0]!;
}

/** Nearest integer, ties to even. */
export function roundEven(x: number): number {
  const up = Math.round(x); // ties upward
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

// W. J. Cody, Rational Chebyshev approximations for the error function (Math. Comp. 23, 1969), highest power first: erf on
// |x| ≤ 0.46875 in x², eˣ²·erfc on (0.46875, 4] in x, and beyond in 1/x².
const erfNear = {
  above: [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694],
  below: [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171],
};
const erfcMiddle = {
  above: [
    2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001,
    881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
  ],
  below: [
    1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
    4362.619090143247, 3439.3676741437216, 1230.3393548037495,
  ],
};
const erfcFar = {
  above: [
    0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
    0.0006587491615298378,
  ],
  below: [1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918],
};

const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, c) => sum * x + c, 0);
const ratio = (f: { above: number[]; below: number[] }, x: number) => polynomial(f.above, x) / polynomial(f.below, x);

function erf(x: number): number {
  if (Math.abs(x) <= 0.46875) return x * ratio(erfNear, x * x);
  return x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
}

/** 1 − erf(x) without cancellation, for x > 0.46875 (NaN gives NaN). */
function erfc(x: number): number {
  if (x > 27) return 0;
  // e^(−x²) with x² in two parts, the first of them exact: the rounding of x² would be multiplied by x².
  const head = Math.trunc(x * 16) / 16;
  const gauss = Math.exp(-head * head) * Math.exp(-(x - head) * (x + head));
  if (x <= 4) return gauss * ratio(erfcMiddle, x);
  const square = 1 / (x * x);
  return (gauss / x) * (1 / Math.sqrt(Math.PI) - square * ratio(erfcFar, square));
}

/** Winitzki's closed form (2 · 10⁻³) and Halley's steps, which triple the digits; in the tail on erfc, where erf has none. */
function erfinv(x: number): number {
  if (!(Math.abs(x) < 1)) return Math.abs(x) === 1 ? x * Infinity : NaN;
  if (x < 0) return -erfinv(-x);
  const log = Math.log1p(-x * x);
  const a = 2 / (Math.PI * 0.147) + log / 2;
  let y = Math.sqrt(Math.sqrt(a * a - log / 0.147) - a);
  for (let step = 0; step < 3; step++) {
    const miss = (y > 0.46875 ? 1 - x - erfc(y) : erf(y) - x) * (Math.sqrt(Math.PI) / 2) * Math.exp(y * y);
    y -= miss / (1 + y * miss);
  }
  return y;
}
