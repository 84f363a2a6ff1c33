/**
 * The printer's table: every function of expressions as JavaScript that gpu.js reads. Numbers are floats there, so an int32
 * is a word (layout.ts): what is done with words is a call to GLSL, as is whatever takes more than an operator.
 */
import { type Apply, type Compute, type ExprOp, exprOps } from '@tessera/tensor/backend';
import type { FunctionName } from './functions';
import { turn } from './layout';

/** Whoever is told which functions of functions.ts are called, and which numbers no literal can say. */
export interface Caller {
  use(name: FunctionName): FunctionName;
  /** A call that gives the float with these bits. */
  bits(bits: number): string;
}

const floatBits = (value: number): number => new Int32Array(Float32Array.of(value).buffer)[0] as number;

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
/** A function of functions.ts. */
interface Own {
  readonly own: FunctionName;
}
const own = (name: FunctionName): Own => ({ own: name });
const math =
  (name: string): Print =>
  (a) =>
    `Math.${name}(${a})`;

/** On floats, or on whatever the function takes. */
const table: Record<ExprOp, Print | Own> = /* @__PURE__ */ (() => ({
  neg: (a) => `(-${a})`,
  abs: math('abs'),
  sign: own('signOf'),
  exp: own('expOf'),
  expm1: own('expm1'),
  log: own('logOf'),
  log1p: own('log1p'),
  sqrt: math('sqrt'),
  sin: own('sinOf'),
  cos: own('cosOf'),
  tan: own('tanOf'),
  asin: own('asinOf'),
  acos: own('acosOf'),
  atan: own('atanOf'),
  sinh: own('sinhOf'),
  cosh: own('coshOf'),
  tanh: own('tanhOf'),
  asinh: own('asinhOf'),
  acosh: own('acoshOf'),
  atanh: own('atanhOf'),
  erf: own('erf'),
  erfinv: own('erfinv'),
  floor: math('floor'),
  ceil: math('ceil'),
  round: own('roundOf'), // Math.round takes halves up
  trunc: own('truncOf'),
  isNan: own('isNan'),
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/'),
  mod: own('modulo'),
  pow: own('power'), // Math.pow is wrong below 0
  atan2: own('atan2Of'),
  min: own('minOf'),
  max: own('maxOf'),
  and: own('andWord'), // & | ^ << of gpu.js are wrong below 0 and above 2²⁴
  or: own('orWord'),
  xor: own('xorWord'),
  shl: own('shlWord'),
  shr: own('shrWord'),
  shru: own('shruWord'),
  // gpu.js takes a comparison by any operator but < and > for a number
  eq: own('eqOf'),
  ne: own('neOf'),
  lt: infix('<'),
  le: own('leOf'),
  gt: infix('>'),
  ge: own('geOf'),
  select: (condition, yes, no) => `(${condition} ? ${yes} : ${no})`,
  cast: (a) => a,
  bits: (a) => a,
  philox: own('philox'),
}))();

/** What differs on int32. */
const integers: Partial<Record<ExprOp, Print | Own>> = /* @__PURE__ */ (() => ({
  neg: own('negWord'),
  abs: own('absWord'),
  sign: own('signWord'),
  add: own('addWord'),
  sub: own('subWord'),
  mul: own('mulWord'),
  div: own('divWord'),
  mod: own('modWord'),
  min: own('minWord'),
  max: own('maxWord'),
  eq: own('eqWord'),
  ne: own('neWord'),
  lt: own('ltWord'),
  le: own('leWord'),
  gt: own('gtWord'),
  ge: own('geWord'),
}))();

/** What differs on bool; all other functions take it as 0 and 1. */
const bools: Partial<Record<ExprOp, Print | Own>> = /* @__PURE__ */ (() => ({
  and: infix('&&'),
  or: infix('||'),
  xor: infix('!=='),
  eq: infix('==='),
  ne: infix('!=='),
}))();

const same: Print = (a) => a;
const oneOrZero: Print = (a) => `(${a} ? 1.0 : 0.0)`;
const casts: Record<Compute, Record<Compute, Print | Own>> = /* @__PURE__ */ (() => ({
  float32: { float32: same, int32: own('wordOfFloat'), bool: own('isTrue') },
  int32: { float32: own('floatOf'), int32: same, bool: own('isWord') },
  bool: { float32: oneOrZero, int32: own('wordOfBool'), bool: same },
}))();
const bits: Record<Compute, Record<Compute, Print | Own>> = /* @__PURE__ */ (() => ({
  float32: { float32: same, int32: own('wordOfBits'), bool: own('isTrue') },
  int32: { float32: own('bitsOfWord'), int32: same, bool: own('isWord') },
  bool: { float32: oneOrZero, int32: own('wordOfBool'), bool: same },
}))();

/** The text of a function applied to the texts of its arguments. */
export function print(expr: Apply, args: readonly string[], caller: Caller): string {
  const { fn, dtype } = expr;
  const from = expr.args[expr.args.length - 1]?.dtype ?? dtype;
  const show = (row: Print | Own, values = args) =>
    typeof row === 'function' ? row(...values) : `${caller.use(row.own)}(${values.join(', ')})`;
  if (fn === 'cast') return show(casts[from][dtype]);
  if (fn === 'bits') return show(bits[from][dtype]);
  if (fn === 'select') {
    // gpu.js has no conditional of Booleans
    const [condition, yes, no] = args as [string, string, string];
    return dtype === 'bool' ? `((${condition} && ${yes}) || (!${condition} && ${no}))` : show(table[fn]);
  }
  if (from === 'int32') return show(integers[fn] ?? table[fn]);
  if (from !== 'bool') return show(table[fn]);
  const row = bools[fn];
  if (row) return show(row);
  const words = args.map((arg) => `${caller.use('wordOfBool')}(${arg})`);
  const whole = show(integers[fn] ?? table[fn], words);
  return exprOps[fn][1] === 'same' ? `${caller.use('isWord')}(${whole})` : whole;
}
