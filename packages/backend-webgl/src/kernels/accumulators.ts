/** Accumulators of rows as lines of JavaScript, one or four side by side: declared, added to, joined, and what they have come to. */
import type { Accumulate, Compute, ReduceKernel } from '@tessera/tensor/backend';
import { beats, fromCarried, join, start } from '../accumulate';
import type { Shader } from '../shader';

/** An accumulator, by the number that `acc` has. arg… carries the best value and its position. */
export interface Accumulator extends Accumulate {
  readonly index: number;
  readonly arg: 'max' | 'min' | null;
  /** What its table holds. */
  readonly holds: Compute;
}

export function stagesOf({ stages }: ReduceKernel): Accumulator[][] {
  let index = 0;
  return stages.map((stage) =>
    stage.map((one) => {
      const arg = one.combine === 'argmax' ? 'max' : one.combine === 'argmin' ? 'min' : null;
      return { ...one, index: index++, arg, holds: arg ? 'int32' : one.dtype, dtype: arg ? one.expr.dtype : one.dtype };
    }),
  );
}

export const accOf = ({ index }: Accumulator, lane: number): string => `acc${index}_${lane}`;
export const positionAt = ({ index }: Accumulator, lane: number): string => `position${index}_${lane}`;

export function declare(shader: Shader, a: Accumulator, lane: number): void {
  shader.line(`let ${accOf(a, lane)} = ${start(a.combine, a.dtype, shader)};`);
  if (a.arg) shader.line(`let ${positionAt(a, lane)} = -1;`);
}

export function add(shader: Shader, a: Accumulator, value: string, lane: number): void {
  const acc = accOf(a, lane);
  shader.line(`${acc} = ${join(a.combine as 'sum', a.dtype, shader)(acc, value)};`);
}

/** Takes a value and its position where it beats the best so far, or equals it and comes before. */
export function better(shader: Shader, a: Accumulator, value: string, position: string, lane: number): void {
  const [acc, at] = [accOf(a, lane), positionAt(a, lane)];
  const beat = beats(a.arg as 'max', a.dtype, shader);
  const tie = `(${position} < ${at} && !(${beat(acc, value)}))`;
  shader.line(
    `if (${position} > -0.5 && (${at} < 0 || ${beat(value, acc)} || ${tie})) { ${acc} = ${value}; ${at} = ${position}; }`,
  );
}

/** Those of the other lanes into the first. */
export function joinLanes(shader: Shader, a: Accumulator): void {
  for (const lane of [1, 2, 3]) {
    if (a.arg) better(shader, a, accOf(a, lane), positionAt(a, lane), 0);
    else add(shader, a, accOf(a, lane), 0);
  }
}

/** The text of a finished accumulator. */
export const result = (shader: Shader, a: Accumulator, lane: number): string =>
  a.arg
    ? shader.bind(`${shader.use('wordOfFloat')}(${shader.use('maxOf')}(${positionAt(a, lane)}, 0))`)
    : a.dtype === 'bool'
      ? shader.bind(fromCarried(accOf(a, lane), a.dtype))
      : accOf(a, lane);
