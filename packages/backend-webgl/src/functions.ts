/**
 * Functions in GLSL that the JavaScript of kernels calls: the formulas that all shading languages share, and all that JavaScript
 * cannot say to gpu.js, whose numbers are floats. A shader carries the functions it calls, and no others.
 */
import { formulas, withCallees } from '@tessera/tensor/shading';
import { glslOf } from './glsl';
import type { Native } from './gpujs';
import { turn } from './layout';

/** A function of one or two words, from the text of its result on the integers A and B. */
const word = (name: string, text: string): string => {
  const result = text.replace(/\bA\b/g, 'intOf(a)').replace(/\bB\b/g, 'intOf(b)');
  return `float ${name}(float a${/\bB\b/.test(text) ? ', float b' : ''}) { return wordOf(${result}); }`;
};
const test = (name: string, operator: string): string =>
  `bool ${name}(float a, float b) { return intOf(a) ${operator} intOf(b); }`;
const compare = (name: string, text: string): string => `bool ${name}(float a, float b) { return ${text}; }`;

export const functions = /* @__PURE__ */ (() => ({
  ...(Object.fromEntries(Object.entries(formulas).map(([name, wgsl]) => [name, glslOf(wgsl)])) as typeof formulas),

  // ---- numbers that no literal can say ----
  infinity: 'float infinity() { return uintBitsToFloat(0x7f800000u); }',
  nan: 'float nan() { return uintBitsToFloat(0x7fc00000u); }',

  // ---- what gpu.js gets wrong ----
  eqOf: compare('eqOf', 'a == b'),
  neOf: compare('neOf', '!(a == b)'), // of a NaN true; an emulator was met whose != says false
  leOf: compare('leOf', 'a <= b'),
  geOf: compare('geOf', 'a >= b'),
  isTrue: 'bool isTrue(float a) { return !(a == 0.0); }',
  roundOf: 'float roundOf(float x) { return roundEven(x); }',
  truncOf: 'float truncOf(float x) { return trunc(x); }',

  // ---- words: floats that carry the bits of an int32 (layout.ts) ----
  intOf: `int intOf(float word) { return floatBitsToInt(word) ^ ${turn}; }`,
  wordOf: `float wordOf(int i) { return intBitsToFloat(i ^ ${turn}); }`,
  floatOf: 'float floatOf(float a) { return float(intOf(a)); }',
  wordOfFloat: 'float wordOfFloat(float x) { return wordOf(toInt(x)); }',
  wordOfByte: 'float wordOfByte(float a) { return wordOf(int(a)); }',
  wordOfBool: 'float wordOfBool(bool a) { return wordOf(a ? 1 : 0); }',
  byteOf: 'float byteOf(float a) { return float(intOf(a) & 255); }',
  bitsOfWord: 'float bitsOfWord(float a) { return intBitsToFloat(intOf(a)); }',
  wordOfBits: 'float wordOfBits(float a) { return wordOf(floatBitsToInt(a)); }',
  negWord: word('negWord', '-A'),
  absWord: word('absWord', 'abs(A)'),
  signWord: word('signWord', 'sign(A)'),
  addWord: word('addWord', 'A + B'),
  subWord: word('subWord', 'A - B'),
  mulWord: word('mulWord', 'A * B'),
  divWord: word('divWord', 'divideWhole(A, B)'),
  modWord: word('modWord', 'moduloWhole(A, B)'),
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
  ltWord: test('ltWord', '<'),
  leWord: test('leWord', '<='),
  isWord: 'bool isWord(float a) { return intOf(a) != 0; }',
  philoxWord: `
float philoxWord(float key0, float key1, float stream, float index) {
return wordOf(philox(intOf(key0), intOf(key1), intOf(stream), intOf(index)));
}`,
}))();

export type FunctionName = keyof typeof functions;

/** The functions and all that they call, callees first. */
export const withDependencies = (names: Iterable<FunctionName>): FunctionName[] => withCallees(functions, names);

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
