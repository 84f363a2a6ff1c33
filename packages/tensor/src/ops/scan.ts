/** Running results along one axis: one `scan` each. A scalar counts as a row of one. */
import { acc, add, apply, cast, computeOf, constant, index, sub as minus, select } from '../expr';
import type { DType } from '../ir';
import { axisOf, defineMultiOp, defineOp, type Input, type OpExpr, read, readAt } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { floating } from './elementwise';
import { accumulate, finiteOr0 } from './rows';
import { isFloat, orderedIn } from './types';

export interface ScanOptions {
  /** From the end of the axis. */
  readonly reverse?: boolean;
}
const axisFor = (name: string, x: TensorLike, dim: number) => {
  const t = toTensor(x, name);
  return { t, axis: t.rank === 0 ? 0 : axisOf(name, dim, t.shape) };
};
const rowShape = (x: Input) => (x.shape.length === 0 ? [1] : x.shape);
const summed = (dtype: DType): DType => (isFloat(dtype) ? dtype : 'int32');

/** y_i = Σ x_j, j ≤ i along dim. Bools and small integers give int32. torch.cumsum */
export const cumsum = /* @__PURE__ */ defineOp({
  name: 'cumsum',
  args: (x: TensorLike, dim: number, { reverse = false }: ScanOptions = {}) => {
    const { t, axis } = axisFor('cumsum', x, dim);
    return [[t], { axis, reverse }];
  },
  shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: summed((x as Tensor).dtype) }),
  lower: ([input], { axis, reverse }, [out]) => {
    const x = input as Input;
    const { dtype } = out as { dtype: DType };
    const a = cast(read(x, rowShape(x)) as OpExpr, computeOf(dtype));
    return { kind: 'scan', shape: rowShape(x), axis, combine: 'sum', reverse, a, outs: [acc(0, a.dtype)] };
  },
});

export interface CumprodOptions extends ScanOptions {
  /** Of the elements before (with `reverse`: behind) each, without itself: 1 for the first. */
  readonly exclusive?: boolean;
}
/** y_i = Π x_j, j ≤ i along dim. torch.cumprod */
export const cumprod = /* @__PURE__ */ defineOp({
  name: 'cumprod',
  args: (x: TensorLike, dim: number, { reverse = false, exclusive = false }: CumprodOptions = {}) => {
    const { t, axis } = axisFor('cumprod', x, dim);
    return [[t], { axis, reverse, exclusive }];
  },
  shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: summed((x as Tensor).dtype) }),
  lower: ([input], { axis, reverse, exclusive }, [out]) => {
    const x = input as Input;
    const compute = computeOf((out as { dtype: DType }).dtype);
    const shape = rowShape(x);
    const one = constant(1, compute);
    let a = cast(read(x, shape) as OpExpr, compute);
    if (exclusive) {
      const at = shape.map((_, i) => index(i) as OpExpr);
      const here = at[axis] as OpExpr;
      const last = constant((shape[axis] as number) - 1, 'int32');
      const step = constant(1, 'int32');
      at[axis] = reverse ? add(here, step) : minus(here, step);
      const first = apply('eq', [here, reverse ? last : constant(0, 'int32')]);
      a = x.shape.length === 0 ? one : select(first, one, cast(readAt(x, at) as OpExpr, compute));
    }
    return { kind: 'scan', shape, axis, combine: 'prod', reverse, a, outs: [acc(0, compute)] };
  },
});

const running = (name: 'cummax' | 'cummin', combine: 'max' | 'min') =>
  defineMultiOp({
    name,
    args: (x: TensorLike, dim: number) => {
      const { t, axis } = axisFor(name, x, dim);
      return [[t], { axis }];
    },
    shape: ([x]) => {
      const { shape, dtype } = x as Tensor;
      return [
        { shape, dtype },
        { shape, dtype: 'int32' },
      ];
    },
    lower: ([input], { axis }) => {
      const x = input as Input;
      const a = cast(read(x, rowShape(x)) as OpExpr, orderedIn(x.dtype));
      const outs = [cast(acc(0, a.dtype) as OpExpr, computeOf(x.dtype)), acc(1, 'int32')];
      return { kind: 'scan', shape: rowShape(x), axis, combine, reverse: false, a, outs };
    },
  });
/** [values, indices] of the largest so far along dim, the last of equals. torch.cummax */
export const cummax = /* @__PURE__ */ running('cummax', 'max');
/** [values, indices] of the least so far along dim, the last of equals. torch.cummin */
export const cummin = /* @__PURE__ */ running('cummin', 'min');

/**
 * y_i = ln Σ exp(x_j), j ≤ i along dim, without overflow. torch.logcumsumexp. Each element is a row of its own, with its own
 * largest: n² steps for n elements, and no memory; a running sum would need the largest before it is known.
 */
export const logcumsumexp = /* @__PURE__ */ defineOp({
  name: 'logcumsumexp',
  args: (x: TensorLike, dim: number) => {
    const { t, axis } = axisFor('logcumsumexp', x, dim);
    return [[t], { axis }];
  },
  shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: floating((x as Tensor).dtype) }),
  lower: ([input], { axis }) => {
    const x = input as Input;
    const rows = rowShape(x);
    const shape = [...rows, rows[axis] as number];
    const j = shape.length - 1;
    // x[…, j, …] for the row of y[…, i, …]: the axis goes to the end, and size 1 stays in its place
    const without = rows.map((_, i) => i).filter((i) => i !== axis);
    const moves = [
      ...(x.shape.length === 0 ? [{ type: 'reshape', shape: rows } as const] : []),
      { type: 'permute', axes: [...without, axis] } as const,
      { type: 'reshape', shape: shape.map((size, i) => (i === axis ? 1 : size)) } as const,
    ];
    const value = cast(read(x, shape, moves) as OpExpr, 'float32');
    const before = apply('le', [index(j) as OpExpr, index(axis) as OpExpr]);
    const element = select(before, value, constant(Number.NEGATIVE_INFINITY));
    const largest = finiteOr0(acc(0));
    return {
      kind: 'reduce',
      shape,
      axes: [j],
      stages: [[accumulate('max', element)], [accumulate('sum', apply('exp', [minus(element, largest)]))]],
      outs: [{ per: 'row', expr: add(apply('log', [acc(1) as OpExpr]), largest) }],
    };
  },
});
