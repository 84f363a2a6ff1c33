/** aᵇ of four floats at once, by way of float64: the formulas of scalar.ts two lanes at a time, so with the same bits. */
import { type Arg, type Code, f32x4, f64x2, get, i32x4, i64x2, type Local, set, v128, when } from './assembler';
import type { Writer } from './math';
import { expSeries, logSeries } from './scalar';

const add = f64x2.add;
const sub = f64x2.sub;
const mul = f64x2.mul;
const div = f64x2.div;

function poly(x: Local, coefficients: readonly number[]): Code {
  return coefficients
    .slice(1)
    .reduce<Code>((sum, c) => add(mul(sum, x), f64x2.const(c)), f64x2.const(coefficients[0] as number));
}

/** ln x of positive finite x that are no denormals. */
function log(w: Writer, x: Local): Code {
  const least = 0x3fe6a09e667f3bcdn; // √½
  const bits = w.bind(i64x2.sub(x, i64x2.const(least)));
  const exponents = w.bind(i64x2.shr_s(bits, 52));
  const e = w.bind(f64x2.convert_low_i32x4_s(i32x4.shuffle(exponents, exponents, [0, 2, 0, 2])));
  const t = w.bind(i64x2.add(v128.and(bits, i64x2.const(0xfffffffffffffn)), i64x2.const(least)));
  const s = w.bind(div(sub(t, f64x2.const(1)), add(t, f64x2.const(1))));
  const z = w.bind(mul(s, s));
  const small = add(mul(s, poly(z, logSeries())), mul(e, f64x2.const(1.9082149292705877e-10)));
  return add(small, mul(e, f64x2.const(0.6931471803691238)));
}

function exp(w: Writer, arg: Code): Code {
  const x = w.bind(f64x2.max(f64x2.min(arg, f64x2.const(1400)), f64x2.const(-1400)));
  const k = w.bind(f64x2.nearest(mul(x, f64x2.const(Math.LOG2E))));
  const high = sub(x, mul(k, f64x2.const(0.6931471803691238)));
  const r = w.bind(sub(high, mul(k, f64x2.const(1.9082149292705877e-10))));
  const n = w.bind(i32x4.trunc_sat_f64x2_s_zero(k));
  const half = w.bind(i32x4.shr_s(n, 1));
  const powerOfTwo = (e: Arg): Code => i64x2.shl(i64x2.extend_low_i32x4_s(i32x4.add(e, i32x4.const(1023))), 52);
  return mul(mul(poly(r, expSeries()), powerOfTwo(half)), powerOfTwo(i32x4.sub(n, half)));
}

export function power(w: Writer, base: Arg, exponent: Arg): Code {
  const [a, b] = [w.bind(base), w.bind(exponent)];
  const size = w.bind(f32x4.abs(a));
  const halves = [0, 1].map((upper) => {
    const pick = [2 * upper, 2 * upper + 1, 2 * upper, 2 * upper + 1];
    const x = w.bind(f64x2.promote_low_f32x4(i32x4.shuffle(size, size, pick)));
    const y = w.bind(f64x2.promote_low_f32x4(i32x4.shuffle(b, b, pick)));
    return w.bind(f64x2.demote(exp(w, mul(y, log(w, x)))));
  });
  const [low, high] = halves as [Local, Local];
  const plain = w.bind(i32x4.shuffle(low, high, [0, 1, 4, 5]));
  // Odd powers of negative numbers are negative, fractional ones NaN.
  const isNegative = w.bind(f32x4.lt(a, f32x4.const(0)));
  const isOdd = oddOf(w, b);
  const signed = v128.xor(plain, v128.and(v128.and(isNegative, isOdd), i32x4.const(-0x80000000)));
  const isFractional = f32x4.ne(f32x4.trunc(b), b);
  const nan = f32x4.const(Number.NaN);
  const result = w.bind(v128.bitselect(nan, signed, v128.and(isNegative, isFractional)));
  // Zeros, infinities and NaN are rare: those lane by lane.
  const infinity = f32x4.const(Infinity);
  const usual = v128.and(f32x4.gt(size, f32x4.const(0)), f32x4.lt(size, infinity));
  const all = i32x4.all_true(v128.and(usual, f32x4.lt(f32x4.abs(b), infinity)));
  w.write(when(all, [], [set(result, w.perLane('pow', a, b))]));
  return get(result);
}

/** Lanes whose half is no whole number: the odd ones of those that are whole. */
function oddOf(w: Writer, b: Local): Code {
  const half = w.bind(f32x4.mul(b, f32x4.const(0.5)));
  return f32x4.ne(f32x4.trunc(half), half);
}
