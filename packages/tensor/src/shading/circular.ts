/**
 * Circular functions and their inverses.
 */
import { horner } from './horner';

export const circular = /* @__PURE__ */ (() => ({
  /** x less the nearest multiple of π/2, which is taken off in three parts: the first two products are exact to 2^14 turns. */
  quarterTurns: `
fn quarterTurns(x: f32) -> vec2<f32> {
let k: f32 = round(x * 0.6366197723675814f);
return vec2<f32>(k, ((x - k * 1.5703125f) - k * 4.83751296997e-4f) - k * 7.54978995489e-8f);
}`,
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
