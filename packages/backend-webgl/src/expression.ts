/**
 * The printer's table: every function of expressions as JavaScript that gpu.js reads. Numbers are floats there, so an int32
 * is a word (layout.ts): what is done with words is a call to GLSL, as is whatever takes more than an operator.
 */
import type { Apply, Compute } from '@tessera/tensor/backend';
import { type Language, printApply } from '@tessera/tensor/shading';
import type { FunctionName } from './functions';
import { turn } from './layout';

/** Whoever is told which functions of functions.ts are called, and which numbers no literal can say. */
export interface Caller {
  use(name: FunctionName): FunctionName;
  /** A call that gives the float with these bits. */
  bits(bits: number): string;
}

export const floatBits = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0] as number;

/** A number in the code. */
export function literal(value: number, dtype: Compute, caller: Caller): string {
  if (dtype === 'bool') return value === 0 ? '(0 > 1)' : '(1 > 0)';
  if (dtype === 'int32') return caller.bits((value | 0) ^ turn);
  const float = Math.fround(value);
  const size = Math.abs(float);
  if (!(size >= 1e-30 && size < 2 ** 24) && !Object.is(float, 0)) return caller.bits(floatBits(float));
  return float < 0 ? `(-${size})` : String(size);
}

type Print = (...args: string[]) => string;
const infix =
  (operator: string): Print =>
  (a, b) =>
    `(${a} ${operator} ${b})`;
const call = (name: FunctionName) => ({ call: name });
const math =
  (name: string): Print =>
  (a) =>
    `Math.${name}(${a})`;
const same: Print = (a) => a;
const oneOrZero: Print = (a) => `(${a} ? 1.0 : 0.0)`;

const javascript: Language<FunctionName> = /* @__PURE__ */ (() => ({
  floats: {
    neg: (a) => `(-${a})`,
    abs: math('abs'),
    sqrt: math('sqrt'),
    floor: math('floor'),
    ceil: math('ceil'),
    round: call('roundOf'), // Math.round takes halves up
    trunc: call('truncOf'),
    add: infix('+'),
    sub: infix('-'),
    mul: infix('*'),
    div: infix('/'),
    and: call('andWord'), // & | ^ << of gpu.js are wrong below 0 and above 2²⁴
    or: call('orWord'),
    xor: call('xorWord'),
    shl: call('shlWord'),
    shr: call('shrWord'),
    shru: call('shruWord'),
    // gpu.js takes a comparison by any operator but < and > for a number
    eq: call('eqOf'),
    ne: call('neOf'),
    lt: infix('<'),
    le: call('leOf'),
    gt: infix('>'),
    ge: call('geOf'),
    select: (condition, yes, no) => `(${condition} ? ${yes} : ${no})`,
    philox: call('philoxWord'),
  },
  integers: {
    neg: call('negWord'),
    abs: call('absWord'),
    sign: call('signWord'),
    add: call('addWord'),
    sub: call('subWord'),
    mul: call('mulWord'),
    div: call('divWord'),
    mod: call('modWord'),
    min: call('minWord'),
    max: call('maxWord'),
    eq: call('eqWord'),
    ne: call('neWord'),
    lt: call('ltWord'),
    le: call('leWord'),
    gt: call('gtWord'),
    ge: call('geWord'),
  },
  bools: {
    and: infix('&&'),
    or: infix('||'),
    xor: infix('!=='),
    eq: infix('==='),
    ne: infix('!=='),
    select: (condition, yes, no) => `((${condition} && ${yes}) || (!${condition} && ${no}))`, // gpu.js has no other of Booleans
  },
  casts: {
    float32: { float32: same, int32: call('wordOfFloat'), bool: call('isTrue') },
    int32: { float32: call('floatOf'), int32: same, bool: call('isWord') },
    bool: { float32: oneOrZero, int32: call('wordOfBool'), bool: same },
  },
  bits: {
    float32: { float32: same, int32: call('wordOfBits'), bool: call('isTrue') },
    int32: { float32: call('bitsOfWord'), int32: same, bool: call('isWord') },
    bool: { float32: oneOrZero, int32: call('wordOfBool'), bool: same },
  },
}))();

/** The text of a function applied to the texts of its arguments. */
export const print = (expr: Apply, args: readonly string[], caller: Caller): string =>
  printApply(javascript, expr, args, (name) => caller.use(name));
