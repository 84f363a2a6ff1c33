/** Order along an axis. All come from one `sort` kernel: stable, NaN the largest, of equals the lower index first. */
import { ArgumentError } from '../errors';
import { acc, cast, computeOf } from '../expr';
import { axisOf, defineMultiOp, type Input, type OpExpr, read, showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { where } from './comparison';
import { isNan } from './math';
import { flatten, reshape, squeeze } from './shape';
import { narrow, select } from './slice';
import { orderedIn } from './types';

/** [values, indices] of the first k elements along `dim` in ascending or descending order, and where they were (int32).
 *  The op behind sort, topk, kthvalue and median. */
export const sortFirst = /* @__PURE__ */ defineMultiOp({
  name: 'sort',
  args: (x: TensorLike, dim: number, descending: boolean, k: number | null) => {
    const t = toTensor(x, 'sort');
    return [[t], { axis: axisOf('sort', dim, t.shape), descending, k }];
  },
  shape: ([x], { axis, k }) => {
    const { shape, dtype } = x as Tensor;
    const kept = shape.map((size, i) => (i === axis ? (k ?? size) : size));
    return [
      { shape: kept, dtype },
      { shape: kept, dtype: 'int32' },
    ];
  },
  lower: ([x], { axis, descending, k }) => {
    const { shape, dtype } = x as Input;
    const size = shape[axis] as number;
    const a = cast(read(x as Input) as OpExpr, orderedIn(dtype));
    const outs = [cast(acc(0, a.dtype) as OpExpr, computeOf(dtype)), acc(1, 'int32')];
    return { kind: 'sort', shape, axis, descending, k: k ?? size, a, outs };
  },
});

/** sortFirst; one element without axes is a row of one. */
function first(op: string, x: TensorLike, dim: number, descending: boolean, k: number | null): [Tensor, Tensor] {
  const t = toTensor(x, op);
  if (t.rank > 0) return sortFirst(t, dim, descending, k) as [Tensor, Tensor];
  return sortFirst(reshape(t, [1]), dim, descending, k).map((row) => (k === 0 ? row : reshape(row, []))) as [
    Tensor,
    Tensor,
  ];
}

export interface SortOptions {
  /** Largest first. Default false. */
  readonly descending?: boolean;
}
/** [values, indices] in order along `dim`; NaN is the largest, equals keep their order. torch.sort(stable=True). */
export const sort = (x: TensorLike, dim = -1, { descending = false }: SortOptions = {}): [Tensor, Tensor] =>
  first('sort', x, dim, descending, null);
/** The indices of sort. torch.argsort(stable=True). */
export const argsort = (x: TensorLike, dim = -1, options: SortOptions = {}): Tensor => sort(x, dim, options)[1];
/** The values in order along the first axis. torch.msort. */
export const msort = (x: TensorLike): Tensor => sort(x, 0)[0];

export interface TopkOptions {
  /** Default −1. */
  readonly dim?: number;
  /** The largest, else the smallest. Default true. */
  readonly largest?: boolean;
  /** In order; they always are. */
  readonly sorted?: boolean;
}
/** [values, indices] of the k largest (or smallest) along `dim`, in order; of equals the lower index first. torch.topk.
 *  @throws ArgumentError where there are fewer than k. */
export function topk(x: TensorLike, k: number, { dim = -1, largest = true }: TopkOptions = {}): [Tensor, Tensor] {
  const t = toTensor(x, 'topk');
  inAxis('topk', t, dim, k, 0);
  return first('topk', t, dim, largest, k);
}
function inAxis(op: string, t: Tensor, dim: number, k: number, least: number): void {
  const axis = axisOf(op, dim, t.rank === 0 ? [1] : t.shape);
  const size = t.rank === 0 ? 1 : (t.shape[axis] ?? Number.POSITIVE_INFINITY);
  if (!Number.isInteger(k) || k < least || k > size)
    throw new ArgumentError(`${op}: k ${k} for dim ${axis} of ${showShape(t.shape)}; wants ${least} to ${size}`);
}

interface AlongOptions {
  /** Keep the axis with size 1. Default false. */
  readonly keepdim?: boolean;
}
/** [value, index] of the k-th smallest along `dim`, k from 1. torch.kthvalue. */
export function kthvalue(
  x: TensorLike,
  k: number,
  { dim = -1, keepdim = false }: AlongOptions & { readonly dim?: number } = {},
): [Tensor, Tensor] {
  const t = toTensor(x, 'kthvalue');
  inAxis('kthvalue', t, dim, k, 1);
  if (t.rank === 0) return first('kthvalue', t, dim, false, k);
  const axis = axisOf('kthvalue', dim, t.shape);
  const last = (sorted: Tensor) => (keepdim ? narrow(sorted, axis, k - 1, 1) : select(sorted, axis, k - 1));
  return sortFirst(t, axis, false, k).map(last) as [Tensor, Tensor];
}

/** [value, index] of the middle element along `dim`, the lower of two; NaN where there is one. Without `dim` the one value
 *  over all elements. torch.median. @throws ArgumentError on an empty axis. */
export function median(x: TensorLike): Tensor;
export function median(x: TensorLike, dim: number, options?: AlongOptions): [Tensor, Tensor];
export function median(x: TensorLike, dim?: number, { keepdim = false }: AlongOptions = {}): Tensor | [Tensor, Tensor] {
  const t = toTensor(x, 'median');
  if (dim === undefined) return median(flatten(t), 0)[0];
  if (t.rank === 0) return first('median', t, dim, false, null);
  const axis = axisOf('median', dim, t.shape);
  const size = t.shape[axis] ?? 1;
  if (size === 0) throw new ArgumentError(`median: dim ${axis} of ${showShape(t.shape)} is empty; wants an element`);
  const [values, indices] = sort(t, axis);
  const at = (sorted: Tensor, place: number) => narrow(sorted, axis, place, 1);
  // NaN sorts last: if the last is one, the median is.
  const poisoned = isNan(at(values, size - 1));
  const middle = Math.floor((size - 1) / 2);
  const pick = (sorted: Tensor) => {
    const one = where(poisoned, at(sorted, size - 1), at(sorted, middle));
    return keepdim ? one : squeeze(one, axis);
  };
  return [pick(values), pick(indices)];
}
