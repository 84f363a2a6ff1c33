/**
 * Circular functions and their inverses.
 */
import { horner } from './horner';

export const circular = /* @__PURE__ */ (() => ({
  /**
   * The multiple of π/2 that is nearest to x, modulo 4 where x is large, and what is left. π/2 is taken off in three parts: the
   * first two products are exact up to 2^13 turns.
   */
  quarterTurns: `
fn quarterTurns(x: f32) -> vec2<f32> {
if (abs(x) > 1e4f) { return manyTurns(x); }
let k: f32 = round(x * 0.6366197723675814f);
return vec2<f32>(k, ((x - k * 1.5703125f) - k * 4.83751296997e-4f) - k * 7.54978995489e-8f);
}`,
  /**
   * M. Payne and R. Hanek, Radian reduction for trigonometric functions (SIGNUM 18, 1983): |x| = m·2^e, and of 2/π only the bits
   * matter whose product with it is below 4. Of that product, `top` holds two bits before the point and 30 behind.
   */
  manyTurns: `
fn manyTurns(x: f32) -> vec2<f32> {
var words: array<u32, 8> = array<u32, 8>( // 2/π behind a word of zeros
0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu);
let bits: u32 = bitcast<u32>(abs(x));
let m: u32 = (bits & 0x7fffffu) | 0x800000u;
let first: u32 = (bits >> 23u) - 120u; // e − 2, and the zeros
let at: u32 = first >> 5u;
let by: u32 = first & 31u;
let middle: u32 = across(words[at + 1u], words[at + 2u], by);
let carried: u32 = mulHigh(m, across(words[at + 2u], words[at + 3u], by));
let low: u32 = m * middle + carried;
var top: u32 = m * across(words[at], words[at + 1u], by) + mulHigh(m, middle);
if (low < carried) { top += 1u; }
let part: u32 = (top << 2u) | (low >> 30u);
let k: f32 = f32((top >> 30u) + (part >> 31u));
let rest: f32 = f32(i32(part)) * 3.6572952e-10f; // π/2 · 2⁻³²
if (x < 0.0f) { return vec2<f32>(-k, -rest); }
return vec2<f32>(k, rest);
}`,
  /** The word that begins so many bits into the first of two. */
  across: `
fn across(a: u32, b: u32, by: u32) -> u32 { return (a << by) | ((b >> 1u) >> (31u - by)); }`,
  sinNear: `
fn sinNear(r: f32) -> f32 {
let z: f32 = r * r;
return ${horner('z', [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])} * z * r + r;
}`,
  cosNear: `
fn cosNear(r: f32) -> f32 {
let z: f32 = r * r;
return ${horner('z', [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])} * z * z - 0.5f * z + 1.0f;
}`,
  sinOf: 'fn sinOf(x: f32) -> f32 { return wave(x, 0u); }',
  cosOf: 'fn cosOf(x: f32) -> f32 { return wave(x, 1u); }',
  wave: `
fn wave(x: f32, ahead: u32) -> f32 {
if (!(abs(x) < infinity())) { return nan(); }
let turned: vec2<f32> = quarterTurns(x);
let quarter: u32 = u32(i32(turned.x)) + ahead;
let y: f32 = select(sinNear(turned.y), cosNear(turned.y), (quarter & 1u) == 1u);
return select(y, -y, (quarter & 2u) == 2u);
}`,
  tanOf: 'fn tanOf(x: f32) -> f32 { return sinOf(x) / cosOf(x); }',
  asinNear: `
fn asinNear(x: f32) -> f32 {
let z: f32 = x * x;
return ${horner('z', [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1])} * z * x + x;
}`,
  asinOf: `
fn asinOf(x: f32) -> f32 {
let a: f32 = abs(x);
if (isNan(x) || a > 1.0f) { return nan(); }
if (a <= 0.5f) { return asinNear(x); }
return withSign(1.5707963267948966f - 2.0f * asinNear(sqrt(0.5f * (1.0f - a))), x);
}`,
  acosOf: `
fn acosOf(x: f32) -> f32 {
if (isNan(x) || abs(x) > 1.0f) { return nan(); }
if (x > 0.5f) { return 2.0f * asinNear(sqrt(0.5f * (1.0f - x))); }
if (x < -0.5f) { return 3.141592653589793f - 2.0f * asinNear(sqrt(0.5f * (1.0f + x))); }
return 1.5707963267948966f - asinNear(x);
}`,
  atanOf: `
fn atanOf(x: f32) -> f32 {
if (isNan(x)) { return x; }
let a: f32 = abs(x);
var base: f32 = 0.0f;
var t: f32 = a;
if (a > 2.414213562373095f) { base = 1.5707963267948966f; t = -1.0f / a; }
else if (a > 0.414213562373095f) { base = 0.7853981633974483f; t = (a - 1.0f) / (a + 1.0f); }
let z: f32 = t * t;
return withSign(base + (${horner('z', [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1])} * z * t + t), x);
}`,
  atan2Of: `
fn atan2Of(y: f32, x: f32) -> f32 {
if (isNan(x) || isNan(y)) { return x + y; }
var t: f32 = abs(y) / abs(x);
if (y == 0.0f) { t = 0.0f; }
else if (abs(x) == infinity()) { t = select(0.0f, 1.0f, abs(y) == infinity()); }
let a: f32 = atanOf(t);
return withSign(select(a, 3.141592653589793f - a, (bitcast<u32>(x) & 0x80000000u) != 0u), y);
}`,
}))();
