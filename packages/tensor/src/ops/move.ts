/** Builder of ops that are one shape move, and the axes that an argument names. */
import { ShapeError } from '../errors';
import { type Attributes, axisOf, defineOp, type Input, type Op, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import type { Move } from '../view';

/** An op that is one move: its attributes, its shape, and the move itself once every size is known. */
export function defineMove<Rest extends readonly unknown[], Attrs extends Attributes>(
  name: string,
  args: (x: Tensor, ...rest: Rest) => Attrs,
  shape: (shape: Shape, attributes: Attrs) => Shape,
  move: (attributes: Attrs, shape: readonly number[], to: readonly number[]) => Move,
): Op<[x: TensorLike, ...rest: Rest], Tensor, Attrs> {
  return defineOp({
    name,
    args: (like: TensorLike, ...rest: Rest) => {
      const x = toTensor(like, name);
      return [[x], args(x, ...rest)];
    },
    shape: ([x], attributes: Attrs) => ({ shape: shape((x as Tensor).shape, attributes), dtype: (x as Tensor).dtype }),
    lower: ([x], attributes, [out]) => ({
      kind: 'view',
      moves: [move(attributes, (x as Input).shape, (out as { shape: readonly number[] }).shape)],
    }),
  });
}

/** Axes in [0, rank), in the order named. */
export const axesOf = (op: string, dim: number | readonly number[], shape: Shape): number[] =>
  (typeof dim === 'number' ? [dim] : dim).map((d) => axisOf(op, d, shape));

/** The last axes, which must have the `wanted` sizes. @throws ShapeError */
export function trailing(op: string, t: Tensor, wanted: readonly number[]): number[] {
  const first = t.rank - wanted.length;
  const fits = wanted.every((size, i) => [size, null].includes(t.shape[first + i] ?? null));
  if (wanted.length === 0 || first < 0 || !fits)
    throw new ShapeError(`${op}: input ${showShape(t.shape)} does not end in normalizedShape [${wanted}]`);
  return wanted.map((_, i) => first + i);
}
