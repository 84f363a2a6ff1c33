/**
 * Functions of four floats at once, to about one unit in the last place; NaN, ±∞, ±0 and denormals as IEEE 754 has them.
 * Coefficients without another source are those of Moshier's Cephes library (single precision). What is not here is
 * computed lane by lane in float64, see scalar.ts.
 */
import { type Arg, type Code, f32x4, f64x2, get, i8x16, i32x4, type Local, set, v128, when } from './assembler';

/** Where code of a function goes: statements in order, values as locals. */
export interface Writer {
  /** The value of `code` in a local, to be used more than once. */
  bind(code: Arg): Local;
  /** A statement. */
  write(code: Code): void;
  /** Code that calls the subroutine `name` of scalar.ts on each lane. */
  perLane(name: string, ...args: Arg[]): Code;
}

const add = f32x4.add;
const sub = f32x4.sub;
const mul = f32x4.mul;
const div = f32x4.div;
const abs = f32x4.abs;
const float = f32x4.const;

/** (…(c0·x + c1)·x + …)·x + cn */
export function horner(x: Local, coefficients: readonly number[]): Code {
  return coefficients.slice(1).reduce<Code>((sum, c) => add(mul(sum, x), float(c)), float(coefficients[0] as number));
}

const signBit = () => i32x4.const(-0x80000000);
/** The sign of `sign` on the magnitude of `x`. */
const withSign = (x: Arg, sign: Arg): Code => v128.or(x, v128.and(sign, signBit()));

/** Added to a float below 2^22, it leaves the nearest integer in the low bits of the sum. */
const rounder = 1.5 * 2 ** 23;
const rounderBits = 0x4b400000;

/** `falls`: the argument is known to be at most 0, as what is left of x when its maximum is taken away; the same bits in five steps less. */
export function exp(w: Writer, arg: Arg, falls = false): Code {
  // Beyond these the result is 0 or ∞ anyhow; pmax and pmin hand NaN on when it comes first.
  const above = f32x4.pmax(arg, float(-104));
  const x = w.bind(falls ? above : f32x4.pmin(above, float(89)));
  // k = x / ln 2 rounded; the low bits of `sum` are k and this, the exponent field of 2^(k−1), or of 2^(k+64).
  const bias = rounder + (falls ? 191 : 126);
  const sum = w.bind(add(mul(x, float(Math.LOG2E)), float(bias)));
  const k = w.bind(sub(sum, float(bias)));
  // ln 2 in two parts, the first of few bits, so that k times it is exact.
  const r = w.bind(add(sub(x, mul(k, float(0.693359375))), mul(k, float(2.1219444e-4))));
  // (eʳ − 1 − r) / r², fitted for the least greatest error of eʳ where |r| ≤ ln 2 / 2; with it 0.97 ulp in all.
  const p = horner(r, [1.38145394e-3, 8.36874545e-3, 4.1668389e-2, 1.66665211e-1, 4.9999994e-1]);
  const y = add(add(mul(p, mul(r, r)), r), float(1));
  if (falls) return mul(mul(y, i32x4.shl(sum, 23)), float(2 ** -64));
  // 2^k in two factors, 2^(k−1) but no less than 2^−125, and the rest: y times the first is normal, the product may be denormal or ∞.
  const normal = w.bind(i32x4.max_s(sum, i32x4.const(rounderBits + 2)));
  const rest = i32x4.add(i32x4.shl(i32x4.sub(sum, normal), 23), i32x4.const(0x40000000));
  return mul(mul(y, i32x4.shl(normal, 23)), rest);
}

export function log(w: Writer, arg: Arg): Code {
  const x = w.bind(arg);
  const tiny = w.bind(f32x4.lt(x, float(1.17549435e-38)));
  // Denormals are brought up by 2^23.
  const scaled = w.bind(v128.bitselect(mul(x, float(8388608)), x, tiny));
  // x = m · 2^e with m in [√½, √2)
  const shifted = w.bind(i32x4.sub(scaled, i32x4.const(0x3f3504f3)));
  const exponent = f32x4.convert_i32x4_s(i32x4.shr_s(shifted, 23));
  const e = w.bind(sub(exponent, v128.and(tiny, float(23))));
  const m = i32x4.add(v128.and(shifted, i32x4.const(0x007fffff)), i32x4.const(0x3f3504f3));
  const f = w.bind(sub(m, float(1)));
  const z = w.bind(mul(f, f));
  const p = horner(
    f,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const tail = add(mul(mul(p, f), z), mul(e, float(-2.1219444e-4)));
  const y = add(add(f, sub(tail, mul(z, float(0.5)))), mul(e, float(0.693359375)));
  const finite = w.bind(y);
  // x = 0 gives −∞, x < 0 NaN, ∞ and NaN stay.
  const zero = f32x4.eq(x, float(0));
  const usual = w.bind(v128.bitselect(float(-Infinity), finite, zero));
  const bad = w.bind(v128.bitselect(float(Number.NaN), usual, f32x4.lt(x, float(0))));
  return v128.bitselect(bad, x, f32x4.lt(x, float(Infinity)));
}

export function tanh(w: Writer, arg: Arg): Code {
  const x = w.bind(arg);
  const a = w.bind(abs(x));
  const z = w.bind(mul(x, x));
  const p = horner(z, [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1]);
  const near = w.bind(add(mul(mul(p, z), x), x));
  const e = exp(w, add(a, a));
  const far = w.bind(withSign(sub(float(1), div(float(2), add(e, float(1)))), x));
  return v128.bitselect(near, far, f32x4.lt(a, float(0.625)));
}

/** A rational approximation on [−4, 4] (Eigen's); beyond, erf is ±1 in float32. */
export function erf(w: Writer, arg: Arg): Code {
  const given = w.bind(arg);
  const x = w.bind(f32x4.pmin(f32x4.pmax(given, float(-4)), float(4)));
  const z = w.bind(mul(x, x));
  const above = horner(
    z,
    [
      -2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4,
      -2.954599804541e-3, -1.60960333262415e-2,
    ],
  );
  const below = horner(
    z,
    [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2],
  );
  return div(mul(x, above), below);
}

/** n = x·2/π rounded, and x − n·π/2 in [−π/4, π/4], reduced in float64: good to the last bit up to 2^20. */
function quarterTurns(w: Writer, x: Local): { n: Local; r: Local } {
  const k = w.bind(f32x4.nearest(mul(x, float(2 / Math.PI))));
  const doubleOf = (v: Code): Code => f64x2.promote_low_f32x4(v);
  const both = (value: number): Code => {
    const bytes = [...new Uint8Array(new Float64Array([value, value]).buffer)];
    return [0xfd, 12, bytes];
  };
  const demote = (v: Code): Code => [v, 0xfd, 94]; // f32x4.demote_f64x2_zero
  // π/2 in two parts, the first of 33 bits: its product with k is exact.
  const reduce = (xs: Code, ks: Local): Code =>
    f64x2.sub(f64x2.sub(xs, f64x2.mul(ks, both(1.5707963267341256))), f64x2.mul(ks, both(6.077100506506192e-11)));
  const upper = (v: Local): Code => i8x16.shuffle(v, v, [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]);
  const low = demote(reduce(doubleOf(get(x)), w.bind(doubleOf(get(k)))));
  const high = demote(reduce(doubleOf(upper(x)), w.bind(doubleOf(upper(k)))));
  const r = w.bind(i32x4.shuffle(low, high, [0, 1, 4, 5]));
  return { n: w.bind(i32x4.trunc_sat_f32x4_s(k)), r };
}

/** sin (turns = 0) or cos (turns = 1: a quarter turn ahead). */
function wave(w: Writer, arg: Arg, turns: 0 | 1, name: 'sin' | 'cos'): Code {
  const x = w.bind(arg);
  const { n, r } = quarterTurns(w, x);
  const z = w.bind(mul(r, r));
  const s = w.bind(add(mul(mul(horner(z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]), z), r), r));
  const c = add(
    sub(
      mul(mul(horner(z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]), z), z),
      mul(z, float(0.5)),
    ),
    float(1),
  );
  const q = w.bind(i32x4.add(n, i32x4.const(turns)));
  const odd = i32x4.eq(v128.and(q, i32x4.const(1)), i32x4.const(1));
  const flip = i32x4.shl(v128.and(q, i32x4.const(2)), 30);
  const y = w.bind(v128.xor(v128.bitselect(w.bind(c), s, odd), flip));
  // Large arguments are rare: lane by lane, with as many bits of 2/π as they need. ±∞ and NaN go there too.
  const small = f32x4.lt(abs(x), float(2 ** 20));
  w.write(when([i32x4.all_true(small)], [], [set(y, w.perLane(name, x))]));
  return get(y);
}
export const sin = (w: Writer, arg: Arg): Code => wave(w, arg, 0, 'sin');
export const cos = (w: Writer, arg: Arg): Code => wave(w, arg, 1, 'cos');

/** −1, ±0, 1; NaN stays. */
export function sign(w: Writer, arg: Arg): Code {
  const x = w.bind(arg);
  return v128.bitselect(withSign(float(1), x), x, f32x4.gt(abs(x), float(0)));
}
