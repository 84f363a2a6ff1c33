/**
 * Functions that WGSL has not, or has not well enough: its built-ins may be wrong in the last eleven bits (sin), near 0
 * (tanh, asinh), at ±∞, and may assume that there is no NaN. Coefficients without another source are those of Moshier's
 * Cephes library (single precision), as in backend-cpu. A shader carries the functions it calls, and no others.
 */
interface WgslFunction {
  /** Functions that it calls, declared before it. */
  readonly calls: readonly string[];
  readonly source: () => string;
}

/** (…(c0·x + c1)·x + …)·x + cn */
const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((sum, c) => `(${sum} * ${x} + ${c}f)`, `${coefficients[0]}f`);

export const functions = {
  // ---- numbers that no literal can say ----
  infinity: {
    calls: [],
    source: () => `
var<private> infinityBits: u32 = 0x7f800000u; // a variable: of a constant the compiler would ask that it is finite
fn infinity() -> f32 { return bitcast<f32>(infinityBits); }`,
  },
  nan: {
    calls: [],
    source: () => `
var<private> nanBits: u32 = 0x7fc00000u;
fn nan() -> f32 { return bitcast<f32>(nanBits); }`,
  },
  negativeZero: {
    calls: [],
    source: () => `
var<private> negativeZeroBits: u32 = 0x80000000u;
fn negativeZero() -> f32 { return bitcast<f32>(negativeZeroBits); }`,
  },

  // ---- NaN, signs, order ----
  isNan: {
    calls: [],
    source: () => 'fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }',
  },
  withSign: {
    calls: [],
    source: () => `
fn withSign(magnitude: f32, sign: f32) -> f32 {
return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}`,
  },
  signOf: {
    calls: ['isNan'],
    source: () => 'fn signOf(x: f32) -> f32 { return select(sign(x), x, isNan(x) || x == 0.0f); }',
  },
  minOf: {
    calls: ['isNan'],
    source: () => 'fn minOf(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }',
  },
  maxOf: {
    calls: ['isNan'],
    source: () => 'fn maxOf(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }',
  },

  // ---- whole numbers ----
  toInt: {
    calls: ['isNan'],
    source: () => `
fn toInt(x: f32) -> i32 {
if (isNan(x)) { return 0i; }
if (x >= 2147483648.0f) { return 2147483647i; }
return i32(max(x, -2147483648.0f));
}`,
  },
  divideWhole: {
    calls: [],
    source: () => `
fn divideWhole(a: i32, b: i32) -> i32 {
if (b == 0i) { return 0i; }
if (b == -1i) { return 0i - a; } // the least by −1 wraps
return a / b;
}`,
  },
  moduloWhole: {
    calls: [],
    source: () => `
fn moduloWhole(a: i32, b: i32) -> i32 {
if (b == 0i || b == -1i) { return 0i; }
let rest = a % b;
return select(rest, rest + b, rest != 0i && (rest < 0i) != (b < 0i));
}`,
  },
  /** Random words: Philox-4x32-10 with counter [index >> 2, 0, stream, 0]. */
  philox: {
    calls: [],
    source: () => `
fn mulHigh(a: u32, b: u32) -> u32 {
let middle = (a >> 16u) * (b & 0xffffu) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
let carry = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (carry >> 16u);
}
fn philox(key0: i32, key1: i32, stream: i32, index: i32) -> i32 {
var counter = vec4<u32>(u32(index) >> 2u, 0u, u32(stream), 0u);
var key = vec2<u32>(u32(key0), u32(key1));
for (var round = 0u; round < 10u; round++) {
let high = vec2<u32>(mulHigh(0xd2511f53u, counter.x), mulHigh(0xcd9e8d57u, counter.z));
counter = vec4<u32>(
high.y ^ counter.y ^ key.x, 0xcd9e8d57u * counter.z,
high.x ^ counter.w ^ key.y, 0xd2511f53u * counter.x,
);
key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
}
return i32(counter[u32(index) & 3u]);
}`,
  },

  // ---- remainders and powers ----
  /** Exact: each step takes off the largest power of two times |b| that fits, which no rounding touches. */
  modulo: {
    calls: ['isNan', 'nan', 'withSign'],
    source: () => `
fn modulo(a: f32, b: f32) -> f32 {
let by = abs(b);
var rest = abs(a);
let bits = bitcast<u32>(by);
if (isNan(a) || isNan(b) || by == 0.0f || bitcast<u32>(rest) == 0x7f800000u) { return nan(); }
while (rest >= by && bits < 0x7f800000u) {
let powers = (bitcast<u32>(rest) >> 23u) - (bits >> 23u);
let most = bitcast<f32>(bits + (powers << 23u));
rest -= select(most, 0.5f * most, most > rest);
}
let signed = withSign(rest, a);
return select(signed, signed + b, rest != 0.0f && (a < 0.0f) != (b < 0.0f));
}`,
  },
  power: {
    calls: ['isNan', 'infinity', 'logOf', 'nan'],
    source: () => `
fn power(a: f32, b: f32) -> f32 {
if (b == 0.0f || a == 1.0f) { return 1.0f; }
if (isNan(a) || isNan(b)) { return a + b; }
let base = abs(a);
let endless = abs(b) == infinity();
if (base == 1.0f && endless) { return 1.0f; }
let y = exp(b * logOf(base));
if (a > 0.0f || endless) { return y; }
let whole = floor(b) == b;
let odd = whole && abs(b) < 16777216.0f && floor(0.5f * b) != 0.5f * b;
if (!whole && a != 0.0f && base < infinity()) { return nan(); }
return select(y, -y, odd && (bitcast<u32>(a) >> 31u) == 1u);
}`,
  },

  // ---- exponentials and logarithms ----
  expOf: {
    calls: ['isNan'],
    source: () => 'fn expOf(x: f32) -> f32 { return select(exp(x), x, isNan(x)); }',
  },
  expm1: {
    calls: ['expOf'],
    source: () => `
fn expm1(x: f32) -> f32 {
if (!(abs(x) < 0.35f)) { return expOf(x) - 1.0f; }
return ${horner('x', [1.98412698e-4, 1.38888889e-3, 8.33333333e-3, 4.16666667e-2, 1.66666667e-1, 0.5])} * x * x + x;
}`,
  },
  /** log(1 + f) for f in [√½ − 1, √2 − 1], less f. */
  logTail: {
    calls: [],
    source: () => `
fn logTail(f: f32) -> f32 {
let p = ${horner('f', [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])};
return p * f * f * f - 0.5f * f * f;
}`,
  },
  logOf: {
    calls: ['infinity', 'isNan', 'logTail', 'nan'],
    source: () => `
fn logOf(x: f32) -> f32 {
if (x == 0.0f) { return -infinity(); }
if (x < 0.0f) { return nan(); }
if (isNan(x) || x == infinity()) { return x; }
// x = m · 2^e with m in [√½, √2); what is below the normal numbers is brought up by 2^23
let tiny = x < 1.17549435e-38f;
let shifted = bitcast<i32>(select(x, x * 8388608.0f, tiny)) - 0x3f3504f3i;
let e = f32(shifted >> 23u) - select(0.0f, 23.0f, tiny);
let f = bitcast<f32>((shifted & 0x007fffffi) + 0x3f3504f3i) - 1.0f;
return (f + (logTail(f) - e * 2.1219444e-4f)) + e * 0.693359375f;
}`,
  },
  log1p: {
    calls: ['logOf', 'logTail'],
    source: () => `
fn log1p(x: f32) -> f32 {
if (x > -0.29f && x < 0.41f) { return x + logTail(x); }
return logOf(1.0f + x);
}`,
  },

  // ---- circular functions ----
  /** x less the nearest multiple of π/2, which is taken off in three parts: the first two products are exact to 2^14 turns. */
  quarterTurns: {
    calls: [],
    source: () => `
fn quarterTurns(x: f32) -> vec2<f32> {
let k = round(x * 0.6366197723675814f);
return vec2<f32>(k, ((x - k * 1.5703125f) - k * 4.83751296997e-4f) - k * 7.54978995489e-8f);
}`,
  },
  sinNear: {
    calls: [],
    source: () => `
fn sinNear(r: f32) -> f32 {
let z = r * r;
return ${horner('z', [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])} * z * r + r;
}`,
  },
  cosNear: {
    calls: [],
    source: () => `
fn cosNear(r: f32) -> f32 {
let z = r * r;
return ${horner('z', [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])} * z * z - 0.5f * z + 1.0f;
}`,
  },
  sinOf: {
    calls: ['wave'],
    source: () => 'fn sinOf(x: f32) -> f32 { return wave(x, 0u); }',
  },
  cosOf: { calls: ['wave'], source: () => 'fn cosOf(x: f32) -> f32 { return wave(x, 1u); }' },
  wave: {
    calls: ['quarterTurns', 'sinNear', 'cosNear', 'infinity', 'nan'],
    source: () => `
fn wave(x: f32, ahead: u32) -> f32 {
if (!(abs(x) < infinity())) { return nan(); }
let turned = quarterTurns(x);
let quarter = u32(i32(turned.x)) + ahead;
let y = select(sinNear(turned.y), cosNear(turned.y), (quarter & 1u) == 1u);
return select(y, -y, (quarter & 2u) == 2u);
}`,
  },
  tanOf: {
    calls: ['sinOf', 'cosOf'],
    source: () => 'fn tanOf(x: f32) -> f32 { return sinOf(x) / cosOf(x); }',
  },
  asinNear: {
    calls: [],
    source: () => `
fn asinNear(x: f32) -> f32 {
let z = x * x;
return ${horner('z', [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1])} * z * x + x;
}`,
  },
  asinOf: {
    calls: ['asinNear', 'isNan', 'nan', 'withSign'],
    source: () => `
fn asinOf(x: f32) -> f32 {
let a = abs(x);
if (isNan(x) || a > 1.0f) { return nan(); }
if (a <= 0.5f) { return asinNear(x); }
return withSign(1.5707963267948966f - 2.0f * asinNear(sqrt(0.5f * (1.0f - a))), x);
}`,
  },
  acosOf: {
    calls: ['asinNear', 'isNan', 'nan'],
    source: () => `
fn acosOf(x: f32) -> f32 {
if (isNan(x) || abs(x) > 1.0f) { return nan(); }
if (x > 0.5f) { return 2.0f * asinNear(sqrt(0.5f * (1.0f - x))); }
if (x < -0.5f) { return 3.141592653589793f - 2.0f * asinNear(sqrt(0.5f * (1.0f + x))); }
return 1.5707963267948966f - asinNear(x);
}`,
  },
  atanOf: {
    calls: ['isNan', 'withSign'],
    source: () => `
fn atanOf(x: f32) -> f32 {
if (isNan(x)) { return x; }
let a = abs(x);
var base = 0.0f;
var t = a;
if (a > 2.414213562373095f) { base = 1.5707963267948966f; t = -1.0f / a; }
else if (a > 0.4142135623730950f) { base = 0.7853981633974483f; t = (a - 1.0f) / (a + 1.0f); }
let z = t * t;
return withSign(base + (${horner('z', [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1])} * z * t + t), x);
}`,
  },
  atan2Of: {
    calls: ['atanOf', 'infinity', 'isNan', 'withSign'],
    source: () => `
fn atan2Of(y: f32, x: f32) -> f32 {
if (isNan(x) || isNan(y)) { return x + y; }
var t = abs(y) / abs(x);
if (y == 0.0f) { t = 0.0f; }
else if (abs(x) == infinity()) { t = select(0.0f, 1.0f, abs(y) == infinity()); }
let a = atanOf(t);
return withSign(select(a, 3.141592653589793f - a, (bitcast<u32>(x) & 0x80000000u) != 0u), y);
}`,
  },

  // ---- hyperbolic functions ----
  sinhOf: {
    calls: ['expOf', 'expm1', 'withSign'],
    source: () => `
fn sinhOf(x: f32) -> f32 {
let a = abs(x);
if (!(a < 20.0f)) { return withSign(expOf(a - 0.6931471805599453f), x); }
let e = expm1(a);
return withSign(0.5f * (e + e / (e + 1.0f)), x);
}`,
  },
  coshOf: {
    calls: ['expOf'],
    source: () => `
fn coshOf(x: f32) -> f32 {
let a = abs(x);
if (!(a < 20.0f)) { return expOf(a - 0.6931471805599453f); }
let e = exp(a);
return 0.5f * (e + 1.0f / e);
}`,
  },
  tanhOf: {
    calls: ['isNan', 'withSign'],
    source: () => `
fn tanhOf(x: f32) -> f32 {
let a = abs(x);
if (isNan(x)) { return x; }
if (a > 10.0f) { return withSign(1.0f, x); }
if (a >= 0.625f) { return withSign(1.0f - 2.0f / (exp(2.0f * a) + 1.0f), x); }
let z = x * x;
return ${horner('z', [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])} * z * x + x;
}`,
  },
  asinhOf: {
    calls: ['log1p', 'logOf', 'withSign'],
    source: () => `
fn asinhOf(x: f32) -> f32 {
let a = abs(x);
if (!(a < 1e9f)) { return withSign(logOf(a) + 0.6931471805599453f, x); }
return withSign(log1p(a + a * a / (1.0f + sqrt(a * a + 1.0f))), x);
}`,
  },
  acoshOf: {
    calls: ['log1p', 'logOf', 'nan'],
    source: () => `
fn acoshOf(x: f32) -> f32 {
if (x < 1.0f) { return nan(); }
if (!(x < 1e9f)) { return logOf(x) + 0.6931471805599453f; }
let t = x - 1.0f;
return log1p(t + sqrt(2.0f * t + t * t));
}`,
  },
  atanhOf: {
    calls: ['infinity', 'isNan', 'log1p', 'nan', 'withSign'],
    source: () => `
fn atanhOf(x: f32) -> f32 {
let a = abs(x);
if (isNan(x) || a > 1.0f) { return nan(); }
if (a == 1.0f) { return withSign(infinity(), x); }
return withSign(0.5f * log1p(2.0f * a / (1.0f - a)), x);
}`,
  },

  // ---- the error function ----
  /** A rational approximation on [−4, 4] (Eigen's); beyond, erf is ±1 in float32. */
  erf: {
    calls: ['isNan'],
    source: () => `
fn erf(given: f32) -> f32 {
if (isNan(given)) { return given; }
let x = clamp(given, -4.0f, 4.0f);
let z = x * x;
let above = ${horner('z', [-2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4, -2.954599804541e-3, -1.60960333262415e-2])};
let below = ${horner('z', [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2])};
return x * above / below;
}`,
  },
  /** M. Giles, Approximating the erfinv function (GPU Computing Gems 2, 2011). */
  erfinv: {
    calls: ['infinity', 'isNan', 'log1p', 'nan', 'withSign'],
    source: () => `
fn erfinv(x: f32) -> f32 {
let a = abs(x);
if (isNan(x) || a > 1.0f) { return nan(); }
if (a == 1.0f) { return withSign(infinity(), x); }
let w = -log1p(-x * x);
if (w < 5.0f) {
let t = w - 2.5f;
return ${horner('t', [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941])} * x;
}
let t = sqrt(w) - 3.0f;
return ${horner('t', [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682])} * x;
}`,
  },
} as const satisfies Record<string, WgslFunction>;

export type FunctionName = keyof typeof functions;

/** The functions and all that they call, callees first. */
export function withDependencies(names: Iterable<FunctionName>): FunctionName[] {
  const found = new Set<FunctionName>();
  const visit = (name: FunctionName): void => {
    if (found.has(name)) return;
    for (const callee of functions[name].calls) visit(callee as FunctionName);
    found.add(name);
  };
  for (const name of [...names].sort()) visit(name);
  return [...found];
}
