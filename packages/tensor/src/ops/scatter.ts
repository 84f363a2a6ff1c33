/**
 * Writing at computed places. Updates are combined in their order, so results do not depend on timing. Indices are int32. One
 * outside its axis throws where its values are host data; on a device it cannot: there an update outside is dropped.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, cast, computeOf, index as coordinate } from '../expr';
import type { DType } from '../ir';
import { axisOf, defineOp, type Input, type OpExpr, read, showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, div, floorDivide, maximum, mul, sub as subtract } from './arithmetic';
import { lt, where } from './comparison';
import { full } from './create';
import { checkIndex, fitsBeside, rowPlaces, vector } from './places';
import { expand, flatten, reshape } from './shape';
import { narrow } from './slice';
import { broadcastShapes, isFloat, orderedIn, wantDtype } from './types';

/** How updates meet what is there. */
type Combine = 'assign' | 'add' | 'mul' | 'max' | 'min';

/** x with src[i,j,k] combined into place [i, index[i,j,k], k] (dim 1), in row-major order of the updates. index and src have
 *  one shape. The op of scatter, scatterAdd and scatterReduce. */
export const scatterInto = /* @__PURE__ */ defineOp({
  name: 'scatter',
  args: (x: TensorLike, dim: number, index: TensorLike, src: TensorLike, combine: Combine, op: string = 'scatter') => {
    const [t, i, values] = [toTensor(x, op), toTensor(index, op), toTensor(src, op)];
    const axis = axisOf(op, dim, t.shape);
    fitsBeside(op, t.shape, i.shape, axis);
    checkIndex(op, i, t.shape[axis] as number | null);
    wantDtype(op, 'src', values.dtype, [t.dtype]);
    return [[t, i, values], { axis, combine }];
  },
  shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: (x as Tensor).dtype }),
  lower: (inputs, { axis, combine }) => {
    const [x, index, src] = inputs as [Input, Input, Input];
    const place = read(index);
    return {
      kind: 'scatter',
      shape: x.shape,
      updates: index.shape,
      combine,
      at: x.shape.map((_, i): OpExpr => (i === axis ? place : coordinate(i))),
      ...combined(x, src),
    };
  },
});
/** What a scatter starts from, what it takes and what it gives; sums of bools are those of 0 and 1, not 0 or not. */
function combined(x: Input, src: Input) {
  const [init, value] = [x, src].map((input) => cast(read(input) as OpExpr, orderedIn(x.dtype))) as [OpExpr, OpExpr];
  return { init, value, outs: [cast(acc(0, init.dtype) as OpExpr, computeOf(x.dtype))] };
}
/** src over the index's shape: its first places, or a number. */
function updates(op: string, x: Tensor, index: Tensor, src: TensorLike): Tensor {
  if (typeof src === 'number') return full(index.shape, src, { dtype: x.dtype });
  const values = toTensor(src, op);
  const fits = values.rank === index.rank && index.shape.every((n, i) => n === null || (values.shape[i] ?? n) >= n);
  if (!fits)
    throw new ShapeError(
      `${op}: src ${showShape(values.shape)} is smaller than index ${showShape(index.shape)}; wants a value for each index`,
    );
  return index.shape.reduce(
    (t: Tensor, n, axis) => (n === null || n === t.shape[axis] ? t : narrow(t, axis, 0, n)),
    values,
  );
}
const scatterBy = (op: string, x: TensorLike, dim: number, index: TensorLike, src: TensorLike, combine: Combine) => {
  const [t, i] = [toTensor(x, op), toTensor(index, op)];
  return scatterInto(t, dim, i, updates(op, t, i, src), combine, op);
};

/** y = x, but y[i, index[i,j,k], k] = src[i,j,k] for dim 1; of several updates of one place the last counts (each of them has
 *  its cotangent, as in PyTorch). src may be a number. torch.scatter.
 *  @throws ShapeError where the index does not fit x and src. */
export const scatter = (x: TensorLike, dim: number, index: TensorLike, src: TensorLike): Tensor =>
  scatterBy('scatter', x, dim, index, src, 'assign');
/** y = x with each src[i,j,k] added at [i, index[i,j,k], k] (dim 1). torch.scatter_add. */
export const scatterAdd = (x: TensorLike, dim: number, index: TensorLike, src: TensorLike): Tensor =>
  scatterBy('scatterAdd', x, dim, index, src, 'add');

const reductions = {
  sum: { combine: 'add', start: 0 },
  prod: { combine: 'mul', start: 1 },
  amax: { combine: 'max', start: Number.NEGATIVE_INFINITY },
  amin: { combine: 'min', start: Number.POSITIVE_INFINITY },
} as const;
/** y = x with the sum, product, mean, largest or smallest of what comes to a place and, unless `includeSelf` is false, of what is
 *  there; places that nothing comes to keep x. Means of integers are rounded down. torch.scatter_reduce. */
export function scatterReduce(
  x: TensorLike,
  dim: number,
  index: TensorLike,
  src: TensorLike,
  reduce: keyof typeof reductions | 'mean',
  { includeSelf = true }: { readonly includeSelf?: boolean } = {},
): Tensor {
  const t = toTensor(x, 'scatterReduce');
  if (reduce === 'mean') {
    const sum = scatterReduce(t, dim, index, src, 'sum', { includeSelf });
    const ones = full([], 1, { dtype: t.dtype });
    const counts = scatterBy('scatterReduce', expand(ones, t.shape), dim, index, 1, 'add');
    const count = includeSelf ? counts : maximum(subtract(counts, 1), 1);
    return isFloat(t.dtype) ? div(sum, count) : floorDivide(sum, count);
  }
  const row = reductions[reduce];
  if (!row) throw new ArgumentError(`scatterReduce: reduce '${reduce}'; wants 'sum', 'prod', 'mean', 'amax' or 'amin'`);
  const from = includeSelf ? t : scatter(t, dim, index, startOf(row.start, t.dtype));
  return scatterBy('scatterReduce', from, dim, index, src, row.combine);
}
/** What any first value wins against; integers have no infinity. */
const startOf = (start: number, dtype: DType): number =>
  Number.isFinite(start) || isFloat(dtype) ? start : start < 0 ? -(2 ** 31) : 2 ** 31 - 1;

// ---- one index a row ---------------------------------------------------------------------------------------------

/** x with rows src [A,I,J,C] put or added at index [I,J] along `dim`; the op of indexAdd, indexCopy and indexPut. */
export const putRows = /* @__PURE__ */ defineOp({
  name: 'putRows',
  args: (
    x: TensorLike,
    dim: number,
    index: TensorLike,
    src: TensorLike,
    combine: 'assign' | 'add',
    op: string = 'putRows',
  ) => {
    const [t, i, rows] = [toTensor(x, op), toTensor(index, op), toTensor(src, op)];
    const axis = axisOf(op, dim, t.shape);
    checkIndex(op, i, t.shape[axis] as number | null);
    wantDtype(op, 'src', rows.dtype, [t.dtype]);
    const wanted = [...t.shape.slice(0, axis), ...i.shape, ...t.shape.slice(axis + 1)];
    if (wanted.length !== rows.rank || wanted.some((n, a) => n !== null && (rows.shape[a] ?? n) !== n))
      throw new ShapeError(
        `${op}: src ${showShape(rows.shape)} for ${showShape(t.shape)} and index ${showShape(i.shape)} along dim ${axis}; wants ${showShape(wanted)}`,
      );
    return [[t, i, rows], { axis, combine }];
  },
  shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: (x as Tensor).dtype }),
  lower: (inputs, { axis, combine }) => {
    const [x, index, src] = inputs as [Input, Input, Input];
    const at = rowPlaces(x, index, axis, src.shape);
    return { kind: 'scatter', shape: x.shape, updates: src.shape, combine, at, ...combined(x, src) };
  },
});

/** y = x, with alpha·src[:, i, :] added to row index[i] (dim 1). torch.index_add. */
export function indexAdd(
  x: TensorLike,
  dim: number,
  index: TensorLike,
  src: TensorLike,
  { alpha = 1 }: { readonly alpha?: number } = {},
): Tensor {
  return putRows(x, dim, vector('indexAdd', index), alpha === 1 ? src : mul(src, alpha), 'add', 'indexAdd');
}
/** y = x, with row index[i] replaced by src[:, i, :] (dim 1). torch.index_copy. */
export const indexCopy = (x: TensorLike, dim: number, index: TensorLike, src: TensorLike): Tensor =>
  putRows(x, dim, vector('indexCopy', index), src, 'assign', 'indexCopy');

/** x[indices[0], indices[1], …] = values, or += with `accumulate`; the indices broadcast together, each goes along one of the
 *  first axes, and negative ones count from the end. torch.index_put. */
export function indexPut(
  x: TensorLike,
  indices: readonly TensorLike[],
  values: TensorLike,
  { accumulate = false }: { readonly accumulate?: boolean } = {},
): Tensor {
  const t = toTensor(x, 'indexPut');
  const places = indices.map((index) => toTensor(index, 'indexPut'));
  if (!places.length || places.length > t.rank)
    throw new ArgumentError(`indexPut: ${places.length} indices for ${showShape(t.shape)}; wants one to ${t.rank}`);
  const shape = broadcastShapes('indexPut', places.map((index) => index.shape)); // biome-ignore format: one thing
  // One index along the indexed axes taken as one: ((i₀·s₁ + i₁)·s₂ + i₂) …
  const flat = places.reduce<Tensor | null>((sum, index, axis) => {
    const size = t.shape[axis] as number;
    const from = where(lt(index, 0), add(index, size), index);
    return sum ? add(mul(sum, size), from) : from;
  }, null) as Tensor;
  const rest = t.shape.slice(places.length);
  const rows = reshape(flatten(t, 0, places.length - 1), [-1, ...rest]);
  const filled = typeof values === 'number' ? full([], values, { dtype: t.dtype }) : toTensor(values, 'indexPut');
  const put = putRows(
    rows,
    0,
    expand(flat, shape),
    expand(filled, [...shape, ...rest]),
    accumulate ? 'add' : 'assign',
    'indexPut',
  );
  return reshape(put, t.shape);
}
