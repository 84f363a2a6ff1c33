/**
 * Reading and writing at computed places. Gathers are maps that load at an index; scatters combine updates in their order, so
 * that results do not depend on timing; each is the other's gradient. Indices are int32. One outside its axis throws where
 * its values are host data; on a device it cannot: there a read outside gives 0 and an update outside is dropped.
 */
import { ArgumentError, ShapeError } from '../errors';
import { apply, index as coordinate, cast as toCompute } from '../expr';
import type { DType } from '../ir';
import { axisOf, defineOp, type Input, type OpExpr, type Read, read, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { add, mul } from './arithmetic';
import { lt, where } from './comparison';
import { full } from './create';
import { expand, flatten, narrow, reshape } from './shape';
import { broadcastShapes, isFloat, wantDtype } from './types';

/** @throws unless the index is int32 and, where its values are at hand, inside of `size`. */
function checkIndex(op: string, index: Tensor, size: number | null): void {
  wantDtype(op, 'index', index.dtype, ['int32']);
  const { source } = index.node;
  if (source?.kind !== 'host' || size === null) return;
  const outside = (source.data as Int32Array).find((place) => place < 0 || place >= size);
  if (outside !== undefined)
    throw new ArgumentError(`${op}: index ${outside} is outside of the axis; wants 0 to ${size - 1}`);
}

// ---- one index an element ----------------------------------------------------------------------------------------

/** y[i,j,k] = x[i, index[i,j,k], k] for dim 1, and so on: x's coordinate along `dim` is the index, y has the index's shape.
 *  torch.gather. @throws ShapeError where the index is larger than x beside `dim`. */
export const gather = /* @__PURE__ */ defineOp({
  name: 'gather',
  args: (x: TensorLike, dim: number, index: TensorLike) => {
    const t = toTensor(x, 'gather');
    return [[t, index], { axis: axisOf('gather', dim, t.shape) }];
  },
  shape: ([x, index], { axis }) => {
    const [t, i] = [x as Tensor, index as Tensor];
    fitsBeside('gather', t.shape, i.shape, axis);
    checkIndex('gather', i, t.shape[axis] as number | null);
    return { shape: i.shape, dtype: t.dtype };
  },
  lower: ([x, index], { axis }) => {
    const place = read(index as Input);
    const at = (x as Input).shape.map((_, i): OpExpr => (i === axis ? place : coordinate(i)));
    return { kind: 'map', outs: [readAt(x as Input, at)] };
  },
});
function fitsBeside(op: string, shape: Shape, index: Shape, axis: number): void {
  const fits = index.every(
    (size, i) => i === axis || size === null || shape[i] == null || size <= (shape[i] as number),
  );
  if (index.length !== shape.length || !shape.length || !fits)
    throw new ShapeError(
      `${op}: index ${showShape(index)} for ${showShape(shape)}; wants as many axes, none larger beside dim ${axis}`,
    );
}

/** gather with x and index broadcast against each other beside `dim`; without `dim` on the flattened x. torch.take_along_dim. */
export function takeAlongDim(x: TensorLike, index: TensorLike, dim?: number): Tensor {
  const [t, i] = [toTensor(x, 'takeAlongDim'), toTensor(index, 'takeAlongDim')];
  if (dim === undefined) return gather(flatten(t), 0, flatten(i));
  const axis = axisOf('takeAlongDim', dim, t.shape);
  const one = (shape: Shape) => shape.map((size, a) => (a === axis ? 1 : size));
  const beside = broadcastShapes('takeAlongDim', [one(t.shape), one(i.shape)]);
  const whole = (u: Tensor) => expand(u, beside.map((size, a) => (a === axis ? (u.shape[a] as number | null) : size))); // biome-ignore format: one
  return gather(whole(t), axis, whole(i));
}

/** How updates meet what is there. */
type Combine = 'assign' | 'add' | 'mul' | 'max' | 'min';

/** x with src[i,j,k] combined into place [i, index[i,j,k], k] (dim 1), in row-major order of the updates. index and src have
 *  one shape. The op of scatter, scatterAdd and scatterReduce. */
export const scatterInto = /* @__PURE__ */ defineOp({
  name: 'scatter',
  args: (x: TensorLike, dim: number, index: TensorLike, src: TensorLike, combine: Combine) => {
    const t = toTensor(x, 'scatter');
    return [[t, index, src], { axis: axisOf('scatter', dim, t.shape), combine }];
  },
  shape: (inputs, { axis }) => {
    const [x, index, src] = inputs as [Tensor, Tensor, Tensor];
    fitsBeside('scatter', x.shape, index.shape, axis);
    checkIndex('scatter', index, x.shape[axis] as number | null);
    if (src.dtype !== x.dtype) wantDtype('scatter', 'src', src.dtype, [x.dtype]);
    return { shape: x.shape, dtype: x.dtype };
  },
  lower: (inputs, { axis, combine }) => {
    const [x, index, src] = inputs as [Input, Input, Input];
    const place = read(index);
    return {
      kind: 'scatter',
      shape: x.shape,
      updates: index.shape,
      combine,
      init: read(x),
      at: x.shape.map((_, i): OpExpr => (i === axis ? place : coordinate(i))),
      value: read(src),
    };
  },
});
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
  return scatterInto(t, dim, i, updates(op, t, i, src), combine);
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
/** y = x with the sum, product, largest or smallest of what comes to a place and, unless `includeSelf` is false, of what is
 *  there; places that nothing comes to keep x. torch.scatter_reduce. */
export function scatterReduce(
  x: TensorLike,
  dim: number,
  index: TensorLike,
  src: TensorLike,
  reduce: keyof typeof reductions,
  { includeSelf = true }: { readonly includeSelf?: boolean } = {},
): Tensor {
  const row = reductions[reduce];
  if (!row) throw new ArgumentError(`scatterReduce: reduce '${reduce}'; wants 'sum', 'prod', 'amax' or 'amin'`);
  const t = toTensor(x, 'scatterReduce');
  const from = includeSelf ? t : scatter(t, dim, index, startOf(row.start, t.dtype));
  return scatterBy('scatterReduce', from, dim, index, src, row.combine);
}
/** What any first value wins against; integers have no infinity. */
const startOf = (start: number, dtype: DType): number =>
  Number.isFinite(start) || isFloat(dtype) ? start : start < 0 ? -(2 ** 31) : 2 ** 31 - 1;

// ---- one index a row ---------------------------------------------------------------------------------------------

/** Rows of x along `dim` at an index of any shape, which takes the axis's place: x [A,B,C], dim 1, index [I,J] → [A,I,J,C].
 *  The op of indexSelect and embedding. */
export const takeRows = /* @__PURE__ */ defineOp({
  name: 'takeRows',
  args: (x: TensorLike, dim: number, index: TensorLike) => {
    const t = toTensor(x, 'takeRows');
    return [[t, index], { axis: axisOf('takeRows', dim, t.shape) }];
  },
  shape: ([x, index], { axis }) => {
    const [t, i] = [x as Tensor, index as Tensor];
    checkIndex('takeRows', i, t.shape[axis] as number | null);
    return { shape: [...t.shape.slice(0, axis), ...i.shape, ...t.shape.slice(axis + 1)], dtype: t.dtype };
  },
  lower: ([x, index], { axis }, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    return { kind: 'map', outs: [readAt(x as Input, rowPlaces(x as Input, index as Input, axis, shape))] };
  },
});
/** x's coordinates from those of `domain`, where the index's axes stand for axis `axis`. */
function rowPlaces(x: Input, index: Input, axis: number, domain: readonly number[]): OpExpr[] {
  const rank = index.shape.length;
  const lined = domain.map((_, i) => (i >= axis && i < axis + rank ? (index.shape[i - axis] as number) : 1));
  const place = read(index, domain, [{ type: 'reshape', shape: lined }]);
  return x.shape.map((_, i): OpExpr => (i === axis ? place : coordinate(i < axis ? i : i + rank - 1)));
}

/** x with rows src [A,I,J,C] put or added at index [I,J] along `dim`; the op of indexAdd, indexCopy and indexPut. */
export const putRows = /* @__PURE__ */ defineOp({
  name: 'putRows',
  args: (x: TensorLike, dim: number, index: TensorLike, src: TensorLike, combine: 'assign' | 'add') => {
    const t = toTensor(x, 'putRows');
    return [[t, index, src], { axis: axisOf('putRows', dim, t.shape), combine }];
  },
  shape: (inputs, { axis }) => {
    const [x, index, src] = inputs as [Tensor, Tensor, Tensor];
    checkIndex('putRows', index, x.shape[axis] as number | null);
    wantDtype('putRows', 'src', src.dtype, [x.dtype]);
    const wanted = [...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1)];
    const fits = wanted.length === src.rank && wanted.every((n, i) => n === null || (src.shape[i] ?? n) === n);
    if (!fits)
      throw new ShapeError(
        `putRows: src ${showShape(src.shape)} for ${showShape(x.shape)} and index ${showShape(index.shape)} along dim ${axis}; wants ${showShape(wanted)}`,
      );
    return { shape: x.shape, dtype: x.dtype };
  },
  lower: (inputs, { axis, combine }) => {
    const [x, index, src] = inputs as [Input, Input, Input];
    const at = rowPlaces(x, index, axis, src.shape);
    return { kind: 'scatter', shape: x.shape, updates: src.shape, combine, init: read(x), at, value: read(src) };
  },
});

/** y[:, i, :] = x[:, index[i], :] for dim 1.  index [I]. torch.index_select. */
export function indexSelect(x: TensorLike, dim: number, index: TensorLike): Tensor {
  const i = vector('indexSelect', index);
  return takeRows(x, dim, i.rank === 0 ? reshape(i, [1]) : i);
}
function vector(op: string, index: TensorLike): Tensor {
  const i = toTensor(index, op);
  if (i.rank > 1)
    throw new ShapeError(`${op}: index ${showShape(i.shape)}; wants one axis, or takeRows, which takes any`);
  return i;
}

/** Row indices[…] of a table.  weight [V,D], indices [...] → [...,D]. torch.nn.functional.embedding. */
export function embedding(weight: TensorLike, indices: TensorLike): Tensor {
  const table = toTensor(weight, 'embedding');
  if (table.rank !== 2) throw new ShapeError(`embedding: weight ${showShape(table.shape)}; wants [entries, features]`);
  return takeRows(table, 0, indices);
}

/** y = x, with alpha·src[:, i, :] added to row index[i] (dim 1). torch.index_add. */
export function indexAdd(
  x: TensorLike,
  dim: number,
  index: TensorLike,
  src: TensorLike,
  { alpha = 1 }: { readonly alpha?: number } = {},
): Tensor {
  return putRows(x, dim, vector('indexAdd', index), alpha === 1 ? src : mul(src, alpha), 'add');
}
/** y = x, with row index[i] replaced by src[:, i, :] (dim 1). torch.index_copy. */
export const indexCopy = (x: TensorLike, dim: number, index: TensorLike, src: TensorLike): Tensor =>
  putRows(x, dim, vector('indexCopy', index), src, 'assign');

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
  const put = putRows(rows, 0, expand(flat, shape), expand(filled, [...shape, ...rest]), accumulate ? 'add' : 'assign');
  return reshape(put, t.shape);
}

/** 1 where the last coordinate is the index, else 0 (int32).  [...] → [..., numClasses]. torch.nn.functional.one_hot. */
export const oneHot = /* @__PURE__ */ defineOp({
  name: 'oneHot',
  args: (index: TensorLike, numClasses: number) => {
    if (!Number.isInteger(numClasses) || numClasses < 1)
      throw new ArgumentError(
        `oneHot: numClasses ${numClasses}; wants a whole number from 1 (it cannot depend on values)`,
      );
    return [[index], { numClasses }];
  },
  shape: ([index], { numClasses }) => {
    const i = index as Tensor;
    checkIndex('oneHot', i, numClasses);
    return { shape: [...i.shape, numClasses], dtype: 'int32' };
  },
  lower: ([index], _, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const lined = [...(index as Input).shape, 1];
    const place = read(index as Input, shape, [{ type: 'reshape', shape: lined }]);
    const hit = apply<Read>('eq', [place, coordinate(lined.length - 1)]);
    return { kind: 'map', outs: [toCompute(hit, 'int32')] };
  },
  notDifferentiable: 'its input is an index',
});
