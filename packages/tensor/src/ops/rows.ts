/** What reductions share: which axes, which shape comes out, and the one `reduce` over the rows along those axes. */
import { ArgumentError } from '../errors';
import { apply, constant, select } from '../expr';
import type { Combine, Compute } from '../ir';
import { axisOf, type Input, type Lowering, type OpAccumulate, type OpExpr, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';

export type Dims = number | readonly number[] | undefined;
export interface ReduceOptions {
  /** Keep the reduced axes, with size 1. */
  readonly keepdim?: boolean;
}
/** Canonical: axes ascending, all of them where dim is left out. */
export interface Reduced {
  readonly [key: string]: unknown;
  readonly axes: readonly number[];
  readonly keepdim: boolean;
}

/** The axes that `dim` names, ascending. @throws ArgumentError for an axis out of range or named twice. */
export function axesOf(op: string, dim: Dims, shape: Shape): number[] {
  const dims = dim === undefined ? [] : typeof dim === 'number' ? [dim] : dim;
  if (dims.length === 0) return shape.map((_, axis) => axis);
  const axes = dims.map((d) => axisOf(op, d, shape)).filter((axis) => axis < shape.length);
  if (new Set(axes).size < axes.length)
    throw new ArgumentError(`${op}: dim [${dims}] names an axis of ${showShape(shape)} twice; name each once`);
  return axes.sort((a, b) => a - b);
}

export const reducedShape = (shape: Shape, { axes, keepdim }: Reduced): Shape =>
  keepdim
    ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size))
    : shape.filter((_, axis) => !axes.includes(axis));

/** Arguments of a reduction: x, dim, { keepdim }. */
export const reduceArguments =
  (name: string) =>
  (x: TensorLike, dim?: Dims, { keepdim = false }: ReduceOptions = {}): readonly [readonly Tensor[], Reduced] => {
    const t = toTensor(x, name);
    return [[t], { axes: axesOf(name, dim, t.shape), keepdim }];
  };

/** One `reduce` over the rows of x; a scalar is a row of one. `stages` see x, `out` sees how many elements a row has. */
export function rows(
  x: Input,
  { axes }: Reduced,
  stages: (x: OpExpr, count: number) => readonly (readonly OpAccumulate[])[],
  ...outs: ((count: number) => OpExpr)[]
): Lowering {
  const scalar = x.shape.length === 0;
  const shape = scalar ? [1] : x.shape;
  const count = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  return {
    kind: 'reduce',
    shape,
    axes: scalar ? [0] : axes,
    stages: stages(read(x, shape), count),
    outs: outs.map((out) => ({ per: 'row', expr: out(count) })),
  };
}
/** An accumulator of a stage; those that find a place count in int32. */
export const accumulate = (combine: Combine, expr: OpExpr, dtype: Compute = expr.dtype): OpAccumulate => ({
  combine,
  expr,
  dtype: combine === 'argmax' || combine === 'argmin' ? 'int32' : dtype,
});

/** ±∞ as the largest would make ∞ − ∞ of its own element. */
export const finiteOr0 = (x: OpExpr): OpExpr =>
  select(apply('eq', [apply('abs', [x]), constant(Number.POSITIVE_INFINITY)]), constant(0), x);
