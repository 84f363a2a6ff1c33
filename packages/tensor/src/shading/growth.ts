/**
 * Exponentials, logarithms, powers, hyperbolic functions, the error function.
 */
import { horner } from './horner';

export const growth = /* @__PURE__ */ (() => ({
  expOf: 'fn expOf(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }',
  expm1: `
fn expm1(x: f32) -> f32 {
if (!(abs(x) < 0.35f)) { return expOf(x) - 1.0f; }
return ${horner('x', [1.98412698e-4, 1.38888889e-3, 8.33333333e-3, 4.16666667e-2, 1.66666667e-1, 0.5])} * x * x + x;
}`,
  /** log(1 + f) for f in [√½ − 1, √2 − 1], less f. */
  logTail: `
fn logTail(f: f32) -> f32 {
let p: f32 = ${horner('f', [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])};
return p * f * f * f - 0.5f * f * f;
}`,
  logOf: `
fn logOf(x: f32) -> f32 {
if (x == 0.0f) { return -infinity(); }
if (x < 0.0f) { return nan(); }
if (isNan(x) || x == infinity()) { return x; }
// x = m · 2^e with m in [√½, √2); what is below the normal numbers is brought up by 2^23
let tiny: bool = x < 1.17549435e-38f;
let shifted: i32 = bitcast<i32>(select(x, x * 8388608.0f, tiny)) - 0x3f3504f3i;
let e: f32 = f32(shifted >> 23u) - select(0.0f, 23.0f, tiny);
let f: f32 = bitcast<f32>(u32((shifted & 0x007fffffi) + 0x3f3504f3i)) - 1.0f;
return (f + (logTail(f) - e * 2.1219444e-4f)) + e * 0.693359375f;
}`,
  log1p: `
fn log1p(x: f32) -> f32 {
if (x > -0.29f && x < 0.41f) { return x + logTail(x); }
return logOf(1.0f + x);
}`,

  powOf: `
fn powOf(a: f32, b: f32) -> f32 {
if (b == 0.0f || a == 1.0f) { return 1.0f; }
if (isNan(a) || isNan(b)) { return a + b; }
let base: f32 = abs(a);
let endless: bool = abs(b) == infinity();
if (base == 1.0f && endless) { return 1.0f; }
let y: f32 = exp(b * logOf(base));
if (a > 0.0f || endless) { return y; }
let whole: bool = floor(b) == b;
let odd: bool = whole && abs(b) < 16777216.0f && floor(0.5f * b) != 0.5f * b;
if (!whole && a != 0.0f && base < infinity()) { return nan(); }
return select(y, -y, odd && (bitcast<u32>(a) >> 31u) == 1u);
}`,

  sinhOf: `
fn sinhOf(x: f32) -> f32 {
let a: f32 = abs(x);
if (!(a < 20.0f)) { return withSign(expOf(a - 0.6931471805599453f), x); }
let e: f32 = expm1(a);
return withSign(0.5f * (e + e / (e + 1.0f)), x);
}`,
  coshOf: `
fn coshOf(x: f32) -> f32 {
let a: f32 = abs(x);
if (!(a < 20.0f)) { return expOf(a - 0.6931471805599453f); }
let e: f32 = exp(a);
return 0.5f * (e + 1.0f / e);
}`,
  tanhOf: `
fn tanhOf(x: f32) -> f32 {
let a: f32 = abs(x);
if (isNan(x)) { return x; }
if (a > 10.0f) { return withSign(1.0f, x); }
if (a >= 0.625f) { return withSign(1.0f - 2.0f / (exp(2.0f * a) + 1.0f), x); }
let z: f32 = x * x;
return ${horner('z', [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])} * z * x + x;
}`,
  asinhOf: `
fn asinhOf(x: f32) -> f32 {
let a: f32 = abs(x);
if (!(a < 1e9f)) { return withSign(logOf(a) + 0.6931471805599453f, x); }
return withSign(log1p(a + a * a / (1.0f + sqrt(a * a + 1.0f))), x);
}`,
  acoshOf: `
fn acoshOf(x: f32) -> f32 {
if (x < 1.0f) { return nan(); }
if (!(x < 1e9f)) { return logOf(x) + 0.6931471805599453f; }
let t: f32 = x - 1.0f;
return log1p(t + sqrt(2.0f * t + t * t));
}`,
  atanhOf: `
fn atanhOf(x: f32) -> f32 {
let a: f32 = abs(x);
if (isNan(x) || a > 1.0f) { return nan(); }
if (a == 1.0f) { return withSign(infinity(), x); }
return withSign(0.5f * log1p(2.0f * a / (1.0f - a)), x);
}`,

  /** A rational approximation on [−4, 4] (Eigen's); beyond, erf is ±1 in float32. */
  erf: `
fn erf(given: f32) -> f32 {
if (isNan(given)) { return given; }
let x: f32 = clamp(given, -4.0f, 4.0f);
let z: f32 = x * x;
let above: f32 = ${horner('z', [-2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4, -2.954599804541e-3, -1.60960333262415e-2])};
let below: f32 = ${horner('z', [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2])};
return x * above / below;
}`,
  /** M. Giles, Approximating the erfinv function (GPU Computing Gems 2, 2011). */
  erfinv: `
fn erfinv(x: f32) -> f32 {
let a: f32 = abs(x);
if (isNan(x) || a > 1.0f) { return nan(); }
if (a == 1.0f) { return withSign(infinity(), x); }
var w: f32 = -log1p(-x * x);
if (a > 0.5f) { w = -logOf((1.0f - a) * (1.0f + a)); } // x² would have lost what it lacks of 1
if (w < 5.0f) {
let t: f32 = w - 2.5f;
return ${horner('t', [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941])} * x;
}
let t: f32 = sqrt(w) - 3.0f;
return ${horner('t', [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682])} * x;
}`,
}))();
