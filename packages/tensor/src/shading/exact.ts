/**
 * Formulas without rounding of their own: NaN, signs and order, whole numbers, remainders, random words.
 */
export const exact = /* @__PURE__ */ (() => ({
  isNan: 'fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }',
  withSign: `
fn withSign(magnitude: f32, sign: f32) -> f32 {
return bitcast<f32>((bitcast<u32>(magnitude) & 0x7fffffffu) | (bitcast<u32>(sign) & 0x80000000u));
}`,
  signOf: 'fn signOf(x: f32) -> f32 { return select(sign(x), x, isNan(x) || x == 0.0f); }',
  minOf: 'fn minOf(a: f32, b: f32) -> f32 { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }',
  maxOf: 'fn maxOf(a: f32, b: f32) -> f32 { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }',

  toInt: `
fn toInt(x: f32) -> i32 {
if (isNan(x)) { return 0i; }
if (x >= 2147483648.0f) { return 2147483647i; }
return i32(max(x, -2147483648.0f));
}`,
  divideWhole: `
fn divideWhole(a: i32, b: i32) -> i32 {
if (b == 0i) { return 0i; }
if (b == -1i) { return 0i - a; } // the least by −1 wraps
return a / b;
}`,
  moduloWhole: `
fn moduloWhole(a: i32, b: i32) -> i32 {
if (b == 0i || b == -1i) { return 0i; }
let rest: i32 = a - b * (a / b); // of a negative number GLSL leaves % open
if (rest != 0i && (rest < 0i) != (b < 0i)) { return rest + b; }
return rest;
}`,
  /** The upper 32 bits of a product of words. */
  mulHigh: `
fn mulHigh(a: u32, b: u32) -> u32 {
let middle: u32 = (a >> 16u) * (b & 0xffffu) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
let carry: u32 = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (carry >> 16u);
}`,
  /** Random words: Philox-4x32-10 with counter [index >> 2, 0, stream, 0]. */
  philox: `
fn philox(key0: i32, key1: i32, stream: i32, index: i32) -> i32 {
var counter: vec4<u32> = vec4<u32>(u32(index) >> 2u, 0u, u32(stream), 0u);
var key: vec2<u32> = vec2<u32>(u32(key0), u32(key1));
for (var round: u32 = 0u; round < 10u; round++) {
let high: vec2<u32> = vec2<u32>(mulHigh(0xd2511f53u, counter.x), mulHigh(0xcd9e8d57u, counter.z));
counter = vec4<u32>(
high.y ^ counter.y ^ key.x, 0xcd9e8d57u * counter.z,
high.x ^ counter.w ^ key.y, 0xd2511f53u * counter.x
);
key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
}
return i32(counter[u32(index) & 3u]);
}`,

  /** Exact: each step takes off the largest power of two times |b| that fits, which no rounding touches. */
  modOf: `
fn modOf(a: f32, b: f32) -> f32 {
let by: f32 = abs(b);
var rest: f32 = abs(a);
let bits: u32 = bitcast<u32>(by);
if (isNan(a) || isNan(b) || by == 0.0f || bitcast<u32>(rest) == 0x7f800000u) { return nan(); }
while (rest >= by && bits < 0x7f800000u) {
let powers: u32 = (bitcast<u32>(rest) >> 23u) - (bits >> 23u);
let most: f32 = bitcast<f32>(bits + (powers << 23u));
rest -= select(most, 0.5f * most, most > rest);
}
let signed: f32 = withSign(rest, a);
return select(signed, signed + b, rest != 0.0f && (a < 0.0f) != (b < 0.0f));
}`,
}))();
