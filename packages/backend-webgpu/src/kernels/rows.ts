/** The rows of a reduction: which axes they lie along, and where an element of a row is in the domain. */
import { type Expr, type Load, type ReduceKernel, sizeOf } from '@tessera/tensor/backend';
import { type Place, unravel } from '../place';
import { flattened } from './flatten';

export interface Rows {
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  /** Sizes of the axes that are reduced, and of the others; a row is a position in the latter. */
  readonly inner: readonly number[];
  readonly outer: readonly number[];
  readonly count: number;
  readonly length: number;
}

export function rowsOf({ shape, axes }: ReduceKernel): Rows {
  const of = (reduced: boolean) => shape.filter((_, axis) => axes.includes(axis) === reduced);
  const [inner, outer] = [of(true), of(false)];
  return { shape, axes, inner, outer, count: sizeOf(outer), length: sizeOf(inner) };
}

/** Neighbours among the axes that are both reduced, or both not, as one, where all views allow it: [N,C,H,W] is then [N,C,HW]. */
export function merged(kernel: ReduceKernel): ReduceKernel {
  let { shape, axes, stages, stores } = kernel;
  const reduced = (axis: number) => axes.includes(axis);
  for (let to = shape.length, from = to - 1; to > 1; to = from, from = to - 1) {
    while (from > 0 && reduced(from - 1) === reduced(from)) from--;
    if (to - from < 2) continue;
    const flat = flattened(
      stages.flatMap((stage) => stage.map(({ expr }) => expr)),
      stores,
      from,
      to,
    );
    if (!flat) continue;
    let next = 0;
    const lost = to - from - 1;
    stages = stages.map((stage) => stage.map((one) => ({ ...one, expr: flat.exprs[next++] as Expr })));
    stores = flat.stores;
    axes = axes.filter((axis) => axis <= from || axis >= to).map((axis) => (axis >= to ? axis - lost : axis));
    shape = [...shape.slice(0, from), sizeOf(shape.slice(from, to)), ...shape.slice(to)];
  }
  return { ...kernel, shape, axes, stages, stores };
}

/** Element `position` of row `row`, both u32. */
export function at(
  { shape, axes, inner, outer, length }: Rows,
  row: string,
  position: string,
  acc: (i: number) => string,
): Place {
  const places = shape.map((_, axis) => {
    const reduced = axes.includes(axis);
    const before = shape.slice(0, axis).filter((_, other) => axes.includes(other) === reduced).length;
    return reduced ? () => unravel(position, inner, before) : () => unravel(row, outer, before);
  });
  const trailing = axes.every((axis) => shape.slice(axis).every((size, k) => size === 1 || axes.includes(axis + k)));
  const linear = length === 1 ? row : `${row} * ${length}u + ${position}`;
  return { coord: (axis) => places[axis]?.() ?? '0i', acc, ...(trailing && { linear }) };
}

/** The row as a whole, where views have size 1 on the reduced axes. */
export function atRow(rows: Rows, row: string, acc: (i: number) => string): Place {
  const { coord } = at(rows, row, '0u', acc);
  return { coord: (axis) => (rows.axes.includes(axis) ? '0i' : coord(axis)), acc };
}

/** Is the load another one at each element of a row? */
export const alongRow = ({ axes }: Rows, { view: { shape, strides, valid } }: Load): boolean =>
  axes.some((axis) => {
    const [low, high] = valid?.[axis] ?? [0, Infinity];
    const size = shape[axis] as number;
    return size > 1 && (strides[axis] !== 0 || low > 0 || high < size);
  });
