/**
 * Reading at computed places: maps that load at an index. Their gradients are the scatters of scatter.ts. Indices are int32.
 * One outside its axis throws where its values are host data; on a device it cannot: there a read outside gives 0.
 */
import { ArgumentError, ShapeError } from '../errors';
import { apply, index as coordinate, cast as toCompute } from '../expr';
import { axisOf, defineOp, type Input, type OpExpr, type Read, read, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { checkIndex, fitsBeside, rowPlaces, vector } from './places';
import { expand, flatten, reshape } from './shape';
import { broadcastShapes } from './types';

// ---- one index an element ----------------------------------------------------------------------------------------

/** y[i,j,k] = x[i, index[i,j,k], k] for dim 1, and so on: x's coordinate along `dim` is the index, y has the index's shape.
 *  torch.gather. @throws ShapeError where the index is larger than x beside `dim`. */
export const gather = /* @__PURE__ */ defineOp({
  name: 'gather',
  args: (x: TensorLike, dim: number, index: TensorLike, op: string = 'gather') => {
    const [t, i] = [toTensor(x, op), toTensor(index, op)];
    const axis = axisOf(op, dim, t.shape);
    fitsBeside(op, t.shape, i.shape, axis);
    checkIndex(op, i, t.shape[axis] as number | null);
    return [[t, i], { axis }];
  },
  shape: ([x, index]) => ({ shape: (index as Tensor).shape, dtype: (x as Tensor).dtype }),
  lower: ([x, index], { axis }) => {
    const place = read(index as Input);
    const at = (x as Input).shape.map((_, i): OpExpr => (i === axis ? place : coordinate(i)));
    return { kind: 'map', outs: [readAt(x as Input, at)] };
  },
});

/** gather with x and index broadcast against each other beside `dim`; without `dim` on the flattened x. torch.take_along_dim. */
export function takeAlongDim(x: TensorLike, index: TensorLike, dim?: number): Tensor {
  const [t, i] = [toTensor(x, 'takeAlongDim'), toTensor(index, 'takeAlongDim')];
  if (dim === undefined) return gather(flatten(t), 0, flatten(i), 'takeAlongDim');
  const axis = axisOf('takeAlongDim', dim, t.shape);
  const one = (shape: Shape) => shape.map((size, a) => (a === axis ? 1 : size));
  const beside = broadcastShapes('takeAlongDim', [one(t.shape), one(i.shape)]);
  const whole = (u: Tensor) => expand(u, beside.map((size, a) => (a === axis ? (u.shape[a] as number | null) : size))); // biome-ignore format: one
  return gather(whole(t), axis, whole(i), 'takeAlongDim');
}

// ---- one index a row ---------------------------------------------------------------------------------------------

/** Rows of x along `dim` at an index of any shape, which takes the axis's place: x [A,B,C], dim 1, index [I,J] → [A,I,J,C].
 *  The op of indexSelect and embedding. */
export const takeRows = /* @__PURE__ */ defineOp({
  name: 'takeRows',
  args: (x: TensorLike, dim: number, index: TensorLike, op: string = 'takeRows') => {
    const [t, i] = [toTensor(x, op), toTensor(index, op)];
    const axis = axisOf(op, dim, t.shape);
    checkIndex(op, i, t.shape[axis] as number | null);
    return [[t, i], { axis }];
  },
  shape: ([x, index], { axis }) => {
    const { shape, dtype } = x as Tensor;
    return { shape: [...shape.slice(0, axis), ...(index as Tensor).shape, ...shape.slice(axis + 1)], dtype };
  },
  lower: ([x, index], { axis }, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    return { kind: 'map', outs: [readAt(x as Input, rowPlaces(x as Input, index as Input, axis, shape))] };
  },
});

/** y[:, i, :] = x[:, index[i], :] for dim 1.  index [I]. torch.index_select. */
export function indexSelect(x: TensorLike, dim: number, index: TensorLike): Tensor {
  const i = vector('indexSelect', index);
  return takeRows(x, dim, i.rank === 0 ? reshape(i, [1]) : i, 'indexSelect');
}

/** Row indices[…] of a table.  weight [V,D], indices [...] → [...,D]. torch.nn.functional.embedding. */
export function embedding(weight: TensorLike, indices: TensorLike): Tensor {
  const table = toTensor(weight, 'embedding');
  if (table.rank !== 2) throw new ShapeError(`embedding: weight ${showShape(table.shape)}; wants [entries, features]`);
  return takeRows(table, 0, indices, 'embedding');
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
