/** The printer's table: every function of expressions in WGSL. What takes more than a line is in functions.ts. */
import { type Apply, type Compute, type ExprOp, exprOps } from '@tessera/tensor/backend';
import type { FunctionName } from './functions';

/** Whoever is told which functions of functions.ts are called. */
interface Caller {
  use(name: FunctionName): FunctionName;
}

/** A number in the code. WGSL has no literal that is not finite, and drops the sign of −0: those come from their bits. */
export function literal(value: number, dtype: Compute, caller: Caller): string {
  if (dtype === 'bool') return value === 0 ? 'false' : 'true';
  if (dtype === 'int32') return value === -0x80000000 ? 'i32(-2147483648)' : `${value | 0}i`;
  const float = Math.fround(value);
  if (Number.isNaN(float)) return `${caller.use('nan')}()`;
  if (!Number.isFinite(float)) return `${float < 0 ? '-' : ''}${caller.use('infinity')}()`;
  if (Object.is(float, -0)) return `${caller.use('negativeZero')}()`;
  const digits = String(float);
  return `${/[.e]/.test(digits) ? digits : `${digits}.0`}f`;
}

type Print = (...args: string[]) => string;
const infix =
  (operator: string): Print =>
  (a, b) =>
    `${a} ${operator} ${b}`;
const call =
  (name: string): Print =>
  (...args) =>
    `${name}(${args.join(', ')})`;
/** A function of functions.ts. */
interface Own {
  readonly own: FunctionName;
}
const own = (name: FunctionName): Own => ({ own: name });

/** On floats, or on whatever the function takes. Where NaN decides, it is told by its bits: WGSL may assume there is none. */
const table: Record<ExprOp, Print | Own> = /* @__PURE__ */ (() => ({
  neg: (a) => `-${a}`,
  abs: call('abs'),
  sign: own('signOf'),
  exp: own('expOf'),
  expm1: own('expm1'),
  log: own('logOf'),
  log1p: own('log1p'),
  sqrt: call('sqrt'),
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
  floor: call('floor'),
  ceil: call('ceil'),
  round: call('round'),
  trunc: call('trunc'),
  isNan: own('isNan'),
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/'),
  mod: own('modulo'),
  pow: own('power'),
  atan2: own('atan2Of'),
  min: own('minOf'),
  max: own('maxOf'),
  and: infix('&'),
  or: infix('|'),
  xor: infix('^'),
  shl: (a, b) => `${a} << (u32(${b}) & 31u)`,
  shr: (a, b) => `${a} >> (u32(${b}) & 31u)`,
  shru: (a, b) => `i32(u32(${a}) >> (u32(${b}) & 31u))`,
  eq: infix('=='),
  ne: (a, b) => `!(${a} == ${b})`, // of a NaN true; an emulator was met whose != says false
  lt: infix('<'),
  le: infix('<='),
  gt: infix('>'),
  ge: infix('>='),
  select: (condition, yes, no) => `select(${no}, ${yes}, ${condition})`,
  cast: call('f32'),
  bits: call('bitcast<f32>'),
  philox: own('philox'),
}))();

/** What differs on int32. */
const integers: Partial<Record<ExprOp, Print | Own>> = /* @__PURE__ */ (() => ({
  sign: call('sign'),
  div: own('divideWhole'),
  mod: own('moduloWhole'),
  min: call('min'),
  max: call('max'),
}))();

/** What differs on bool; all other functions take it as 0 and 1. */
const bools: Partial<Record<ExprOp, Print | Own>> = /* @__PURE__ */ (() => ({
  and: infix('&'), // no branch, as && would be
  or: infix('|'),
  xor: infix('!='),
  eq: infix('=='),
  ne: infix('!='),
}))();

const casts: Record<Compute, Record<Compute, Print | Own>> = /* @__PURE__ */ (() => ({
  float32: { float32: (a) => a, int32: own('toInt'), bool: (a) => `!(${a} == 0.0f)` },
  int32: { float32: call('f32'), int32: (a) => a, bool: (a) => `${a} != 0i` },
  bool: { float32: call('f32'), int32: call('i32'), bool: (a) => a },
}))();
const bits: Record<Compute, Print> = /* @__PURE__ */ (() => ({
  float32: call('bitcast<f32>'),
  int32: call('bitcast<i32>'),
  bool: (a) => `bitcast<u32>(${a}) != 0u`,
}))();

/** The text of a function applied to the texts of its arguments. */
export function print(expr: Apply, args: readonly string[], caller: Caller): string {
  const { fn, dtype } = expr;
  const from = expr.args[expr.args.length - 1]?.dtype ?? dtype;
  const show = (row: Print | Own, values = args) =>
    typeof row === 'function' ? row(...values) : `${caller.use(row.own)}(${values.join(', ')})`;
  if (fn === 'cast') return show(casts[from][dtype]);
  if (fn === 'bits') return show(bits[dtype]);
  if (from === 'int32') return show(integers[fn] ?? table[fn]);
  if (from !== 'bool' || fn === 'select') return show(table[fn]);
  const row = bools[fn];
  if (row) return show(row);
  const whole = show(
    integers[fn] ?? table[fn],
    args.map((arg) => `i32(${arg})`),
  );
  return exprOps[fn][1] === 'same' ? `(${whole}) != 0i` : whole;
}
