/** Accumulators of reductions, scans and scatters in JavaScript: floats, words, or bools as 0 and 1. */
import { type Combine, type Compute, startOf } from '@tessera/tensor/backend';
import { literal } from './expression';
import type { Shader } from './shader';

/** A value as it is carried, and back. */
export const toCarried = (text: string, dtype: Compute): string => (dtype === 'bool' ? `(${text} ? 1.0 : 0.0)` : text);
export const fromCarried = (text: string, dtype: Compute): string => (dtype === 'bool' ? `(${text} > 0.5)` : text);

/** What combining starts from. */
export function start(combine: Combine, dtype: Compute, shader: Shader): string {
  const value = startOf(combine, dtype);
  return dtype === 'bool' ? String(value) : literal(value, dtype, shader);
}

type Join = 'sum' | 'prod' | 'max' | 'min' | 'add' | 'mul';

/** Two carried values as one; `combine` also by the names that scatter has. */
export function join(combine: Join, dtype: Compute, shader: Shader): (a: string, b: string) => string {
  const name = { sum: 'add', prod: 'mul', max: 'max', min: 'min', add: 'add', mul: 'mul' }[combine] as
    | 'add'
    | 'mul'
    | 'max'
    | 'min';
  if (dtype === 'int32') return (a, b) => `${shader.use(`${name}Word`)}(${a}, ${b})`;
  if (name === 'add') return (a, b) => `${a} + ${b}`;
  if (name === 'mul') return (a, b) => `${a} * ${b}`;
  return (a, b) => `${shader.use(name === 'max' ? 'maxOf' : 'minOf')}(${a}, ${b})`;
}

/**
 * Does a value take the place of the best so far? NaN does, but not of another NaN; equals do not.
 * @param named does it matter which of several NaN is taken?
 */
export function beats(
  combine: 'max' | 'min',
  dtype: Compute,
  shader: Shader,
  named = true,
): (value: string, best: string) => string {
  if (dtype === 'int32')
    return (value, best) => `${shader.use(combine === 'max' ? 'gtWord' : 'ltWord')}(${value}, ${best})`;
  const operator = combine === 'max' ? '>' : '<';
  if (dtype === 'bool') return (value, best) => `${value} ${operator} ${best}`;
  const isNan = shader.use('isNan');
  if (!named) return (value, best) => `(${value} ${operator} ${best} || ${isNan}(${value}))`;
  return (value, best) => `(${value} ${operator} ${best} || (${isNan}(${value}) && !${isNan}(${best})))`;
}
