/** Accumulators of reductions and scans in WGSL: what they start from, how one takes a value, how two become one. */
import { type Combine, type Compute, startOf } from '@tessera/tensor/backend';
import { literal } from './expression';
import type { Shader } from './shader';

/** bool is carried as 0 and 1. */
export type Carried = 'f32' | 'i32';
export const carriedAs = (dtype: Compute): Carried => (dtype === 'float32' ? 'f32' : 'i32');
/** A value as it is carried, and back. */
export const toCarried = (value: string, dtype: Compute): string => (dtype === 'bool' ? `i32(${value})` : value);
export const fromCarried = (value: string, dtype: Compute): string => (dtype === 'bool' ? `(${value} != 0i)` : value);
/** A carried value as a word of scratch, and back. */
export const toWord = (value: string): string => `bitcast<u32>(${value})`;
export const fromWord = (word: string, type: Carried | 'i32'): string => `bitcast<${type}>(${word})`;

/** What combining starts from. */
export const start = (combine: Combine, dtype: Compute, shader: Shader): string =>
  literal(startOf(combine, dtype), dtype === 'float32' ? dtype : 'int32', shader);

/** Two carried values as one; `combine` also by the names that scatter has. */
export function join(combine: 'sum' | 'prod' | 'max' | 'min' | 'add' | 'mul', type: Carried, shader: Shader) {
  if (combine === 'sum' || combine === 'add') return (a: string, b: string) => `${a} + ${b}`;
  if (combine === 'prod' || combine === 'mul') return (a: string, b: string) => `${a} * ${b}`;
  const name = type === 'i32' ? combine : shader.use(combine === 'max' ? 'maxOf' : 'minOf');
  return (a: string, b: string) => `${name}(${a}, ${b})`;
}

/** Does a value take the place of the best so far? NaN does, but not of another NaN; equals do not. */
export function beats(combine: 'max' | 'min', type: Carried, shader: Shader) {
  const operator = combine === 'max' ? '>' : '<';
  if (type === 'i32') return (value: string, best: string) => `(${value} ${operator} ${best})`;
  const isNan = shader.use('isNan');
  return (value: string, best: string) =>
    `((${value} ${operator} ${best}) | (${isNan}(${value}) & !${isNan}(${best})))`;
}
