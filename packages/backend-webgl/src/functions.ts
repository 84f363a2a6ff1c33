/**
 * Functions in GLSL that the JavaScript of kernels calls: what GLSL has not, or not well enough (its sin may be wrong by 2e-4,
 * log(0) is -88 and max(NaN, 0) is 0 on an emulator), and all that JavaScript cannot say to gpu.js, whose numbers are floats.
 * Coefficients without another source are those of Moshier's Cephes library (single precision), as in backend-cpu. A shader
 * carries the functions it calls, and no others.
 */
import type { Native } from './gpujs';
import { turn } from './layout';

interface GlslFunction {
  /** Functions that it calls, declared before it. */
  readonly calls: readonly string[];
  readonly source: () => string;
}

const literal = (c: number): string => (Number.isInteger(c) ? `${c}.0` : String(c));

/** (…(c0·x + c1)·x + …)·x + cn */
const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((sum, c) => `(${sum} * ${x} + ${literal(c)})`, literal(coefficients[0] as number));

/** A function of one or two words, from the text of its result on the integers A and B. */
const word = (name: string, text: string): GlslFunction => ({
  calls: ['intOf', 'wordOf'],
  source: () => {
    const result = text.replace(/\bA\b/g, 'intOf(a)').replace(/\bB\b/g, 'intOf(b)');
    return `float ${name}(float a${/\bB\b/.test(text) ? ', float b' : ''}) { return wordOf(${result}); }`;
  },
});
const test = (name: string, operator: string): GlslFunction => ({
  calls: ['intOf'],
  source: () => `bool ${name}(float a, float b) { return intOf(a) ${operator} intOf(b); }`,
});

const compare = (name: string, text: string): GlslFunction => ({
  calls: [],
  source: () => `bool ${name}(float a, float b) { return ${text}; }`,
});

export const functions = /* @__PURE__ */ (() =>
  ({
    // ---- numbers that no literal can say ----
    infinity: { calls: [], source: () => 'float infinity() { return uintBitsToFloat(0x7f800000u); }' },
    nan: { calls: [], source: () => 'float nan() { return uintBitsToFloat(0x7fc00000u); }' },

    // ---- NaN, signs, order ----
    isNan: {
      calls: [],
      source: () => 'bool isNan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }',
    },
    withSign: {
      calls: [],
      source: () => `
float withSign(float magnitude, float sign) {
return uintBitsToFloat((floatBitsToUint(magnitude) & 0x7fffffffu) | (floatBitsToUint(sign) & 0x80000000u));
}`,
    },
    signOf: {
      calls: ['isNan'],
      source: () => 'float signOf(float x) { return (isNan(x) || x == 0.0 ? x : sign(x)); }',
    },
    minOf: {
      calls: ['isNan'],
      source: () => 'float minOf(float a, float b) { return mix(mix(min(a, b), b, isNan(b)), a, isNan(a)); }',
    },
    maxOf: {
      calls: ['isNan'],
      source: () => 'float maxOf(float a, float b) { return mix(mix(max(a, b), b, isNan(b)), a, isNan(a)); }',
    },

    eqOf: compare('eqOf', 'a == b'),
    neOf: compare('neOf', '!(a == b)'), // of a NaN true; an emulator was met whose != says false
    leOf: compare('leOf', 'a <= b'),
    geOf: compare('geOf', 'a >= b'),
    isTrue: { calls: [], source: () => 'bool isTrue(float a) { return !(a == 0.0); }' },
    roundOf: { calls: [], source: () => 'float roundOf(float x) { return roundEven(x); }' },
    truncOf: { calls: [], source: () => 'float truncOf(float x) { return trunc(x); }' },

    // ---- words: floats that carry the bits of an int32 (layout.ts) ----
    intOf: { calls: [], source: () => `int intOf(float word) { return floatBitsToInt(word) ^ ${turn}; }` },
    wordOf: { calls: [], source: () => `float wordOf(int i) { return intBitsToFloat(i ^ ${turn}); }` },
    floatOf: { calls: ['intOf'], source: () => 'float floatOf(float a) { return float(intOf(a)); }' },
    wordOfFloat: {
      calls: ['isNan', 'wordOf'],
      source: () => `
float wordOfFloat(float x) {
if (isNan(x)) { return wordOf(0); }
if (x >= 2147483648.0) { return wordOf(2147483647); }
return wordOf(x <= -2147483648.0 ? (-2147483647 - 1) : int(x));
}`,
    },
    wordOfByte: { calls: ['wordOf'], source: () => 'float wordOfByte(float a) { return wordOf(int(a)); }' },
    wordOfBool: { calls: ['wordOf'], source: () => 'float wordOfBool(bool a) { return wordOf(a ? 1 : 0); }' },
    byteOf: { calls: ['intOf'], source: () => 'float byteOf(float a) { return float(intOf(a) & 255); }' },
    bitsOfWord: { calls: ['intOf'], source: () => 'float bitsOfWord(float a) { return intBitsToFloat(intOf(a)); }' },
    wordOfBits: { calls: ['wordOf'], source: () => 'float wordOfBits(float a) { return wordOf(floatBitsToInt(a)); }' },
    negWord: word('negWord', '-A'),
    absWord: word('absWord', 'abs(A)'),
    signWord: word('signWord', 'sign(A)'),
    addWord: word('addWord', 'A + B'),
    subWord: word('subWord', 'A - B'),
    mulWord: word('mulWord', 'A * B'),
    minWord: word('minWord', 'min(A, B)'),
    maxWord: word('maxWord', 'max(A, B)'),
    andWord: word('andWord', 'A & B'),
    orWord: word('orWord', 'A | B'),
    xorWord: word('xorWord', 'A ^ B'),
    shlWord: word('shlWord', 'A << (B & 31)'),
    shrWord: word('shrWord', 'A >> (B & 31)'),
    shruWord: word('shruWord', 'int(uint(A) >> uint(B & 31))'),
    eqWord: test('eqWord', '=='),
    neWord: test('neWord', '!='),
    gtWord: test('gtWord', '>'),
    geWord: test('geWord', '>='),
    isWord: { calls: ['intOf'], source: () => 'bool isWord(float a) { return intOf(a) != 0; }' },
    ltWord: test('ltWord', '<'),
    leWord: test('leWord', '<='),
    divWord: {
      calls: ['intOf', 'wordOf'],
      source: () => `
float divWord(float x, float y) {
int a = intOf(x);
int b = intOf(y);
if (b == 0) { return wordOf(0); }
return wordOf(b == -1 ? -a : a / b); // the least by -1 wraps
}`,
    },
    modWord: {
      calls: ['intOf', 'wordOf'],
      source: () => `
float modWord(float x, float y) {
int a = intOf(x);
int b = intOf(y);
if (b == 0 || b == -1) { return wordOf(0); }
int rest = a - b * (a / b); // of a negative number GLSL leaves % open
return wordOf(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
}`,
    },
    /** Random words: Philox-4x32-10 with counter [index >> 2, 0, stream, 0]. */
    philox: {
      calls: ['intOf', 'wordOf'],
      source: () => `
uint mulHigh(uint a, uint b) {
uint middle = (a >> 16u) * (b & 0xffffu) + (((a & 0xffffu) * (b & 0xffffu)) >> 16u);
uint carry = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
return (a >> 16u) * (b >> 16u) + (middle >> 16u) + (carry >> 16u);
}
float philox(float key0, float key1, float stream, float index) {
int i = intOf(index);
uvec4 counter = uvec4(uint(i) >> 2u, 0u, uint(intOf(stream)), 0u);
uvec2 key = uvec2(uint(intOf(key0)), uint(intOf(key1)));
for (int n = 0; n < 10; n++) {
uvec2 high = uvec2(mulHigh(0xd2511f53u, counter.x), mulHigh(0xcd9e8d57u, counter.z));
counter = uvec4(high.y ^ counter.y ^ key.x, 0xcd9e8d57u * counter.z, high.x ^ counter.w ^ key.y, 0xd2511f53u * counter.x);
key += uvec2(0x9e3779b9u, 0xbb67ae85u);
}
uint word = (i & 2) == 0 ? ((i & 1) == 0 ? counter.x : counter.y) : ((i & 1) == 0 ? counter.z : counter.w);
return wordOf(int(word));
}`,
    },

    // ---- remainders and powers ----
    /** Exact: each step takes off the largest power of two times |b| that fits, which no rounding touches. */
    modulo: {
      calls: ['isNan', 'nan', 'withSign'],
      source: () => `
float modulo(float a, float b) {
float by = abs(b);
float rest = abs(a);
uint bits = floatBitsToUint(by);
if (isNan(a) || isNan(b) || by == 0.0 || floatBitsToUint(rest) == 0x7f800000u) { return nan(); }
while (rest >= by && bits < 0x7f800000u) {
uint powers = (floatBitsToUint(rest) >> 23u) - (bits >> 23u);
float most = uintBitsToFloat(bits + (powers << 23u));
rest -= (most > rest ? 0.5 * most : most);
}
float signed = withSign(rest, a);
return (rest != 0.0 && (a < 0.0) != (b < 0.0) ? signed + b : signed);
}`,
    },
    power: {
      calls: ['isNan', 'infinity', 'logOf', 'nan'],
      source: () => `
float power(float a, float b) {
if (b == 0.0 || a == 1.0) { return 1.0; }
if (isNan(a) || isNan(b)) { return a + b; }
float base = abs(a);
bool endless = abs(b) == infinity();
if (base == 1.0 && endless) { return 1.0; }
float y = exp(b * logOf(base));
if (a > 0.0 || endless) { return y; }
bool whole = floor(b) == b;
bool odd = whole && abs(b) < 16777216.0 && floor(0.5 * b) != 0.5 * b;
if (!whole && a != 0.0 && base < infinity()) { return nan(); }
return (odd && (floatBitsToUint(a) >> 31u) == 1u ? -y : y);
}`,
    },

    // ---- exponentials and logarithms ----
    expOf: {
      calls: ['isNan'],
      source: () => 'float expOf(float x) { return (isNan(x) ? x : exp(x)); }',
    },
    expm1: {
      calls: ['expOf'],
      source: () => `
float expm1(float x) {
if (!(abs(x) < 0.35)) { return expOf(x) - 1.0; }
return ${horner('x', [1.98412698e-4, 1.38888889e-3, 8.33333333e-3, 4.16666667e-2, 1.66666667e-1, 0.5])} * x * x + x;
}`,
    },
    /** log(1 + f) for f in [√½ − 1, √2 − 1], less f. */
    logTail: {
      calls: [],
      source: () => `
float logTail(float f) {
float p = ${horner('f', [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])};
return p * f * f * f - 0.5 * f * f;
}`,
    },
    logOf: {
      calls: ['infinity', 'isNan', 'logTail', 'nan'],
      source: () => `
float logOf(float x) {
if (x == 0.0) { return -infinity(); }
if (x < 0.0) { return nan(); }
if (isNan(x) || x == infinity()) { return x; }
// x = m · 2^e with m in [√½, √2); what is below the normal numbers is brought up by 2^23
bool tiny = x < 1.17549435e-38;
int shifted = floatBitsToInt((tiny ? x * 8388608.0 : x)) - 0x3f3504f3;
float e = float(shifted >> 23u) - (tiny ? 23.0 : 0.0);
float f = intBitsToFloat((shifted & 0x007fffff) + 0x3f3504f3) - 1.0;
return (f + (logTail(f) - e * 2.1219444e-4)) + e * 0.693359375;
}`,
    },
    log1p: {
      calls: ['logOf', 'logTail'],
      source: () => `
float log1p(float x) {
if (x > -0.29 && x < 0.41) { return x + logTail(x); }
return logOf(1.0 + x);
}`,
    },

    // ---- circular functions ----
    /** x less the nearest multiple of π/2, which is taken off in three parts: the first two products are exact to 2^14 turns. */
    quarterTurns: {
      calls: [],
      source: () => `
vec2 quarterTurns(float x) {
float k = roundEven(x * 0.6366197723675814);
return vec2(k, ((x - k * 1.5703125) - k * 4.83751296997e-4) - k * 7.54978995489e-8);
}`,
    },
    sinNear: {
      calls: [],
      source: () => `
float sinNear(float r) {
float z = r * r;
return ${horner('z', [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])} * z * r + r;
}`,
    },
    cosNear: {
      calls: [],
      source: () => `
float cosNear(float r) {
float z = r * r;
return ${horner('z', [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2])} * z * z - 0.5 * z + 1.0;
}`,
    },
    sinOf: {
      calls: ['wave'],
      source: () => 'float sinOf(float x) { return wave(x, 0u); }',
    },
    cosOf: { calls: ['wave'], source: () => 'float cosOf(float x) { return wave(x, 1u); }' },
    wave: {
      calls: ['quarterTurns', 'sinNear', 'cosNear', 'infinity', 'nan'],
      source: () => `
float wave(float x, uint ahead) {
if (!(abs(x) < infinity())) { return nan(); }
vec2 turned = quarterTurns(x);
uint quarter = uint(int(turned.x)) + ahead;
float y = ((quarter & 1u) == 1u ? cosNear(turned.y) : sinNear(turned.y));
return ((quarter & 2u) == 2u ? -y : y);
}`,
    },
    tanOf: {
      calls: ['sinOf', 'cosOf'],
      source: () => 'float tanOf(float x) { return sinOf(x) / cosOf(x); }',
    },
    asinNear: {
      calls: [],
      source: () => `
float asinNear(float x) {
float z = x * x;
return ${horner('z', [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1])} * z * x + x;
}`,
    },
    asinOf: {
      calls: ['asinNear', 'isNan', 'nan', 'withSign'],
      source: () => `
float asinOf(float x) {
float a = abs(x);
if (isNan(x) || a > 1.0) { return nan(); }
if (a <= 0.5) { return asinNear(x); }
return withSign(1.5707963267948966 - 2.0 * asinNear(sqrt(0.5 * (1.0 - a))), x);
}`,
    },
    acosOf: {
      calls: ['asinNear', 'isNan', 'nan'],
      source: () => `
float acosOf(float x) {
if (isNan(x) || abs(x) > 1.0) { return nan(); }
if (x > 0.5) { return 2.0 * asinNear(sqrt(0.5 * (1.0 - x))); }
if (x < -0.5) { return 3.141592653589793 - 2.0 * asinNear(sqrt(0.5 * (1.0 + x))); }
return 1.5707963267948966 - asinNear(x);
}`,
    },
    atanOf: {
      calls: ['isNan', 'withSign'],
      source: () => `
float atanOf(float x) {
if (isNan(x)) { return x; }
float a = abs(x);
float base = 0.0;
float t = a;
if (a > 2.414213562373095) { base = 1.5707963267948966; t = -1.0 / a; }
else if (a > 0.4142135623730950) { base = 0.7853981633974483; t = (a - 1.0) / (a + 1.0); }
float z = t * t;
return withSign(base + (${horner('z', [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1])} * z * t + t), x);
}`,
    },
    atan2Of: {
      calls: ['atanOf', 'infinity', 'isNan', 'withSign'],
      source: () => `
float atan2Of(float y, float x) {
if (isNan(x) || isNan(y)) { return x + y; }
float t = abs(y) / abs(x);
if (y == 0.0) { t = 0.0; }
else if (abs(x) == infinity()) { t = (abs(y) == infinity() ? 1.0 : 0.0); }
float a = atanOf(t);
return withSign(((floatBitsToUint(x) & 0x80000000u) != 0u ? 3.141592653589793 - a : a), y);
}`,
    },

    // ---- hyperbolic functions ----
    sinhOf: {
      calls: ['expOf', 'expm1', 'withSign'],
      source: () => `
float sinhOf(float x) {
float a = abs(x);
if (!(a < 20.0)) { return withSign(expOf(a - 0.6931471805599453), x); }
float e = expm1(a);
return withSign(0.5 * (e + e / (e + 1.0)), x);
}`,
    },
    coshOf: {
      calls: ['expOf'],
      source: () => `
float coshOf(float x) {
float a = abs(x);
if (!(a < 20.0)) { return expOf(a - 0.6931471805599453); }
float e = exp(a);
return 0.5 * (e + 1.0 / e);
}`,
    },
    tanhOf: {
      calls: ['isNan', 'withSign'],
      source: () => `
float tanhOf(float x) {
float a = abs(x);
if (isNan(x)) { return x; }
if (a > 10.0) { return withSign(1.0, x); }
if (a >= 0.625) { return withSign(1.0 - 2.0 / (exp(2.0 * a) + 1.0), x); }
float z = x * x;
return ${horner('z', [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])} * z * x + x;
}`,
    },
    asinhOf: {
      calls: ['log1p', 'logOf', 'withSign'],
      source: () => `
float asinhOf(float x) {
float a = abs(x);
if (!(a < 1e9)) { return withSign(logOf(a) + 0.6931471805599453, x); }
return withSign(log1p(a + a * a / (1.0 + sqrt(a * a + 1.0))), x);
}`,
    },
    acoshOf: {
      calls: ['log1p', 'logOf', 'nan'],
      source: () => `
float acoshOf(float x) {
if (x < 1.0) { return nan(); }
if (!(x < 1e9)) { return logOf(x) + 0.6931471805599453; }
float t = x - 1.0;
return log1p(t + sqrt(2.0 * t + t * t));
}`,
    },
    atanhOf: {
      calls: ['infinity', 'isNan', 'log1p', 'nan', 'withSign'],
      source: () => `
float atanhOf(float x) {
float a = abs(x);
if (isNan(x) || a > 1.0) { return nan(); }
if (a == 1.0) { return withSign(infinity(), x); }
return withSign(0.5 * log1p(2.0 * a / (1.0 - a)), x);
}`,
    },

    // ---- the error function ----
    /** A rational approximation on [−4, 4] (Eigen's); beyond, erf is ±1 in float32. */
    erf: {
      calls: ['isNan'],
      source: () => `
float erf(float given) {
if (isNan(given)) { return given; }
float x = clamp(given, -4.0, 4.0);
float z = x * x;
float above = ${horner('z', [-2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4, -2.954599804541e-3, -1.60960333262415e-2])};
float below = ${horner('z', [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2])};
return x * above / below;
}`,
    },
    /** M. Giles, Approximating the erfinv function (GPU Computing Gems 2, 2011). */
    erfinv: {
      calls: ['infinity', 'isNan', 'log1p', 'nan', 'withSign'],
      source: () => `
float erfinv(float x) {
float a = abs(x);
if (isNan(x) || a > 1.0) { return nan(); }
if (a == 1.0) { return withSign(infinity(), x); }
float w = -log1p(-x * x);
if (w < 5.0) {
float t = w - 2.5;
return ${horner('t', [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941])} * x;
}
float t = sqrt(w) - 3.0;
return ${horner('t', [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682])} * x;
}`,
    },
  }) satisfies Record<string, GlslFunction>)();

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

/** What gpu.js has to know of a function to let JavaScript call it, read off its source. */
export function signatureOf(name: string, source: string): Native {
  const found = new RegExp(`(float|bool|int|vec4) ${name}\\(([^)]*)\\)`).exec(source);
  const [, returns = 'float', list = ''] = found ?? [];
  const args = list
    .split(',')
    .flatMap((arg) => (arg.trim() ? [types[arg.trim().split(' ')[0] as keyof typeof types]] : []));
  return { name, args, returns: types[returns as keyof typeof types] };
}
const types = { float: 'Number', int: 'Integer', bool: 'Boolean', vec4: 'Array(4)' } as const;
