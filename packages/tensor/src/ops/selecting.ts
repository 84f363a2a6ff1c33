/**
 * Selections whose size depends on values. With `{ size, fill }` they are ordinary ops: room for `size` results, what is left
 * holds `fill`, and the count tells how many there are. Without, they are async: they read the count, and so cannot be inside
 * compiled code.
 */
import { ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, floorDivide, minimum, remainder, sub } from './arithmetic';
import { ne, where } from './comparison';
import { arange, full, zeros } from './create';
import { gather } from './indexing';
import { cat, stack } from './join';
import { cast } from './math';
import { sum } from './reduction';
import { cumsum } from './scan';
import { scatter, scatterAdd } from './scatter';
import { expand, flatten, reshape } from './shape';
import { narrow } from './slice';
import { sort } from './sorting';
import { broadcastShapes } from './types';

export interface SizedOptions {
  /** Room for so many results; more are left out. */
  readonly size: number;
  /** What stands behind the last result. Default 0 (nonzero: −1). */
  readonly fill?: number;
}

/** The places [size] of the true elements of a flat mask, in order, then `fill`; and how many there are. */
function places(mask: Tensor, { size, fill = -1 }: SizedOptions): [Tensor, Tensor] {
  const found = cast(mask, 'int32');
  // The i-th true element goes to place i − 1; the others, and those past the end, to a place that is cut off again.
  const to = where(mask, minimum(sub(cumsum(found, 0), 1), size), size);
  const all = scatter(full([size + 1], fill, { dtype: 'int32' }), 0, to, arange(mask.size));
  return [narrow(all, 0, 0, size), minimum(sum(found), size)];
}
const truth = (t: Tensor): Tensor => flatten(t.dtype === 'bool' ? t : ne(t, 0));
const countOf = (mask: Tensor): Promise<number> => sum(cast(mask, 'int32')).item();

/** The coordinates of elements that are not 0, in row-major order: [count, rank] int32. torch.nonzero. Async. */
export function nonzero(x: TensorLike): Promise<Tensor>;
/** As [coordinates [size, rank], count []]. torch.nonzero_static. */
export function nonzero(x: TensorLike, options: SizedOptions): [Tensor, Tensor];
export function nonzero(x: TensorLike, options?: SizedOptions): Promise<Tensor> | [Tensor, Tensor] {
  const t = toTensor(x, 'nonzero');
  const mask = truth(t);
  if (!options) return countOf(mask).then((size) => nonzero(t, { size })[0]);
  const { size, fill = -1 } = options;
  const [at, count] = places(mask, { size, fill: -1 });
  let rest = at;
  const axes = [...(t.shape as readonly number[])].reverse().map((length) => {
    const along = remainder(rest, length);
    rest = floorDivide(rest, length);
    return along;
  });
  const found = axes.length ? stack(axes.reverse(), 1) : full([size, 0], 0, { dtype: 'int32' });
  return [where(ne(reshape(at, [size, 1]), -1), found, full([], fill, { dtype: 'int32' })), count];
}

/** The elements of x where the mask is true, [count]; x and mask broadcast. torch.masked_select. Async. */
export function maskedSelect(x: TensorLike, mask: TensorLike): Promise<Tensor>;
/** As [values [size], count []]; differentiable by x. */
export function maskedSelect(x: TensorLike, mask: TensorLike, options: SizedOptions): [Tensor, Tensor];
export function maskedSelect(
  x: TensorLike,
  mask: TensorLike,
  options?: SizedOptions,
): Promise<Tensor> | [Tensor, Tensor] {
  const [t, m] = [toTensor(x, 'maskedSelect'), toTensor(mask, 'maskedSelect')];
  const shape = broadcastShapes('maskedSelect', [t.shape, m.shape]);
  const flat = truth(expand(m, shape));
  if (!options) return countOf(flat).then((size) => maskedSelect(t, m, { size })[0]);
  const { size, fill = 0 } = options;
  const [at, count] = places(flat, { size });
  const values = gather(flatten(expand(t, shape)), 0, where(ne(at, -1), at, 0));
  return [where(ne(at, -1), values, full([], fill, { dtype: t.dtype })), count];
}

export interface Unique {
  /** The distinct values, ascending; NaNs are all distinct. */
  readonly values: Tensor;
  /** For each element of x, the place of its value. Shape of x, int32. */
  readonly inverse: Tensor;
  /** How often each value occurs. int32. */
  readonly counts: Tensor;
}
/** The distinct values of all of x. torch.unique(return_inverse=True, return_counts=True). Async. */
export function unique(x: TensorLike): Promise<Unique>;
/** As { values [size], inverse, counts [size], count [] }; values past `size` share the last place of `inverse`, cut off. */
export function unique(x: TensorLike, options: SizedOptions): Unique & { readonly count: Tensor };
export function unique(x: TensorLike, options?: SizedOptions): Promise<Unique> | (Unique & { count: Tensor }) {
  const t = toTensor(x, 'unique');
  if (t.shape.includes(null)) throw new ShapeError(`unique: shape ${showShape(t.shape)} has unknown sizes`);
  const n = t.size;
  if (n === 0) return uniqueOfNothing(t, options);
  const [sorted, from] = sort(flatten(t), 0);
  const first = full([1], 1, { dtype: 'int32' });
  const fresh = cast(ne(narrow(sorted, 0, 1, n - 1), narrow(sorted, 0, 0, n - 1)), 'int32');
  const starts = n === 1 ? first : cat([first, fresh]);
  if (!options)
    return sum(starts)
      .item()
      .then((size) => unique(t, { size }));
  const { size, fill = 0 } = options;
  // Elements of a run of equals have the number of runs begun before them.
  const run = minimum(sub(cumsum(starts, 0), 1), size);
  const room = (value: number, dtype = t.dtype) => full([size + 1], value, { dtype });
  const cut = (all: Tensor) => narrow(all, 0, 0, size);
  return {
    values: cut(scatter(room(fill), 0, run, sorted)),
    inverse: reshape(scatter(full([n], 0, { dtype: 'int32' }), 0, from, run), t.shape),
    counts: cut(scatterAdd(room(0, 'int32'), 0, run, full([n], 1, { dtype: 'int32' }))),
    count: minimum(sum(starts), add(full([], 0, { dtype: 'int32' }), size)),
  };
}
function uniqueOfNothing(t: Tensor, options: SizedOptions | undefined): Promise<Unique> | (Unique & { count: Tensor }) {
  const { size, fill = 0 } = options ?? { size: 0 };
  const values = full([size], fill, { dtype: t.dtype });
  const [inverse, counts, count] = [t.shape, [size], []].map((shape) => zeros(shape, { dtype: 'int32' }));
  const none = { values, inverse, counts, count } as Unique & { count: Tensor };
  return options ? none : Promise.resolve(none);
}
