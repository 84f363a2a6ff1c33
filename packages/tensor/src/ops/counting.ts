/** Counting by value: how often each number occurs, and how many of a sorted row lie before a value. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { ge, gt, logicalAnd, logicalNot, lt, where } from './comparison';
import { full, zeros } from './create';
import { cast } from './math';
import { amax, amin, sum } from './reduction';
import { scatterAdd } from './scatter';
import { expand, flatten, unsqueeze } from './shape';
import { narrow } from './slice';
import { wantDtype } from './types';

export interface BincountOptions {
  /** What each element adds, in place of 1; broadcast to x. Gradients reach it. */
  readonly weights?: TensorLike;
  /** The least number of counts. Default 0. */
  readonly minLength?: number;
}
/** y[v] = Σ weight over the elements of x that are v.  x int32 of any shape, from 0 → [max + 1 or minLength], int32 or the weights'
 *  dtype. torch.bincount. Async, for its size depends on values. @throws ArgumentError where an element is negative. */
export function bincount(x: TensorLike, options?: BincountOptions): Promise<Tensor>;
/** As [size], without a read; values outside of 0 to size − 1 are not counted. */
export function bincount(x: TensorLike, options: BincountOptions & { readonly size: number }): Tensor;
export function bincount(
  x: TensorLike,
  { weights = 1, minLength = 0, size }: BincountOptions & { readonly size?: number } = {},
): Promise<Tensor> | Tensor {
  const t = toTensor(x, 'bincount');
  wantDtype('bincount', 'x', t.dtype, ['int32', 'uint8']);
  if (size === undefined) return enough(t, minLength).then((all) => bincount(t, { weights, size: all }));
  if (!Number.isInteger(size) || size < 0)
    throw new ArgumentError(`bincount: size ${size}; wants a whole number from 0`);
  const value = typeof weights === 'number' ? full([], weights, { dtype: 'int32' }) : toTensor(weights, 'bincount');
  const flat = cast(flatten(t), 'int32');
  // One place more than is wanted takes what is outside.
  const at = where(logicalAnd(ge(flat, 0), lt(flat, size)), flat, full([], size, { dtype: 'int32' }));
  const counts = scatterAdd(zeros([size + 1], { dtype: value.dtype }), 0, at, flatten(expand(value, t.shape)));
  return narrow(counts, 0, 0, size);
}
async function enough(t: Tensor, minLength: number): Promise<number> {
  if (t.size === 0) return minLength;
  const [least, most] = [await amin(t).item(), await amax(t).item()];
  if (least < 0) throw new ArgumentError(`bincount: an element is ${least}; wants whole numbers from 0`);
  return Math.max(minLength, most + 1);
}

export interface SearchOptions {
  /** The place behind equal elements rather than before them. Default false. */
  readonly right?: boolean;
}
/**
 * Where values would be put so that the row stays sorted: how many elements are smaller (`right`: not larger).  sorted [...,N],
 * ascending; values [...,M] → [...,M] int32. A row [N] takes values of any shape. torch.searchsorted. Each value is compared with
 * the whole row, which no temporary holds: for the rows of thousands that networks have. No gradient: the result is a place.
 * @throws ShapeError where the leading axes differ.
 */
export function searchsorted(sorted: TensorLike, values: TensorLike, { right = false }: SearchOptions = {}): Tensor {
  const [row, v] = [toTensor(sorted, 'searchsorted'), toTensor(values, 'searchsorted')];
  const lead = row.shape.slice(0, -1);
  const fits = row.rank === 1 || (row.rank === v.rank && lead.every((size, axis) => [size, null].includes(v.shape[axis] ?? null) || size === null)); // biome-ignore format: one
  if (row.rank === 0 || !fits)
    throw new ShapeError(
      `searchsorted: rows ${showShape(row.shape)} for values ${showShape(v.shape)}; wants one row [N], or equal sizes before the last`,
    );
  const elements = row.rank === 1 ? row : unsqueeze(row, -2);
  // By what is not before the value, so that NaN counts as the largest on both sides.
  const behind = right ? gt(elements, unsqueeze(v, -1)) : ge(elements, unsqueeze(v, -1));
  return sum(cast(logicalNot(behind), 'int32'), -1);
}
/** The bucket of each value between ascending boundaries [N]: searchsorted with its arguments exchanged. torch.bucketize. */
export const bucketize = (values: TensorLike, boundaries: TensorLike, options?: SearchOptions): Tensor =>
  searchsorted(boundaries, values, options);
