/** What WGSL says for the functions of expressions. Where NaN decides, it is told by its bits: WGSL may assume there is none. */
import type { Apply, Compute } from '@tessera/tensor/backend';
import { type Language, printApply } from '@tessera/tensor/shading';
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
const builtin =
  (name: string): Print =>
  (...args) =>
    `${name}(${args.join(', ')})`;
const same: Print = (a) => a;
const choice: Print = (condition, yes, no) => `select(${no}, ${yes}, ${condition})`;

const wgsl: Language<FunctionName> = /* @__PURE__ */ (() => {
  const bits = {
    float32: builtin('bitcast<f32>'),
    int32: builtin('bitcast<i32>'),
    bool: (a: string) => `bitcast<u32>(${a}) != 0u`,
  };
  return {
    floats: {
      neg: (a) => `-${a}`,
      abs: builtin('abs'),
      sqrt: builtin('sqrt'),
      floor: builtin('floor'),
      ceil: builtin('ceil'),
      round: builtin('round'),
      trunc: builtin('trunc'),
      add: infix('+'),
      sub: infix('-'),
      mul: infix('*'),
      div: infix('/'),
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
      select: choice,
    },
    integers: {
      sign: builtin('sign'),
      div: { call: 'divideWhole' },
      mod: { call: 'moduloWhole' },
      min: builtin('min'),
      max: builtin('max'),
    },
    bools: {
      and: infix('&'), // no branch, as && would be
      or: infix('|'),
      xor: infix('!='),
      eq: infix('=='),
      ne: infix('!='),
      select: choice,
    },
    casts: {
      float32: { float32: same, int32: { call: 'toInt' }, bool: (a) => `!(${a} == 0.0f)` },
      int32: { float32: builtin('f32'), int32: same, bool: (a) => `${a} != 0i` },
      bool: { float32: builtin('f32'), int32: builtin('i32'), bool: same },
    },
    bits: { float32: bits, int32: bits, bool: bits },
  };
})();

/** The text of a function applied to the texts of its arguments. */
export const print = (expr: Apply, args: readonly string[], caller: Caller): string =>
  printApply(wgsl, expr, args, (name) => caller.use(name));
