/**
 * Reductions over any axes: `dim` is one axis, several, or left out for all of them (an empty list too). Each is one `reduce`
 * kernel, its rows along the reduced axes; what an element needs first (a square, a mask) is part of its loads.
 */
import { ArgumentError, DTypeError, ShapeError } from '../errors';
import { acc, add, apply, cast, computeOf, constant, div, mul, sub } from '../expr';
import type { Combine, DType } from '../ir';
import { defineMultiOp, defineOp, type Input, type OpExpr, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { abs } from './arithmetic';
import { floating } from './elementwise';
import {
  accumulate,
  axesOf,
  type Dims,
  finiteOr0,
  type ReduceOptions,
  reduceArguments,
  reducedShape,
  rows,
} from './rows';
import { isFloat, orderedIn } from './types';

/** A reduction with one accumulator, its result as it is. */
const reduction = (
  name: string,
  combine: Combine,
  result: (dtype: DType) => DType,
  check: (shape: Shape, axes: readonly number[]) => void = () => {},
  notDifferentiable?: string,
) =>
  defineOp({
    name,
    args: reduceArguments(name),
    shape: ([x], attributes) => {
      const { shape, dtype } = x as Tensor;
      check(shape, attributes.axes);
      return { shape: reducedShape(shape, attributes), dtype: result(dtype) };
    },
    lower: ([x], attributes, [out]) => {
      const ordered = orderedIn((combine.startsWith('arg') ? (x as Input) : (out as { dtype: DType })).dtype);
      const value = acc(0, combine.startsWith('arg') ? 'int32' : ordered);
      return rows(
        x as Input,
        attributes,
        (element) => [[accumulate(combine, cast(element, ordered))]],
        () => cast(value as OpExpr, computeOf((out as { dtype: DType }).dtype)),
      );
    },
    ...(notDifferentiable ? { notDifferentiable } : {}),
  });
/** Of no elements there is no largest. */
const notEmpty = (name: string) => (shape: Shape, axes: readonly number[]) => {
  if (axes.some((axis) => shape[axis] === 0))
    throw new ShapeError(`${name}: dim [${axes}] of ${showShape(shape)} has no elements; wants at least one`);
};
/** Bools and small integers add up in int32 (PyTorch: int64). */
const summed = (dtype: DType): DType => (isFloat(dtype) ? dtype : 'int32');
const keep = (dtype: DType): DType => dtype;
/** @throws DTypeError for integers, as PyTorch does. */
const floats = (name: string) => (dtype: DType) => {
  if (isFloat(dtype)) return dtype;
  throw new DTypeError(`${name}: the input is ${dtype}, wants float32 or float16; convert it with cast(x, 'float32')`);
};

/** y = Σ x; 0 of no elements. Bools, uint8 and int32 give int32. torch.sum */
export const sum = /* @__PURE__ */ reduction('sum', 'sum', summed);
/** y = Π x; 1 of no elements. torch.prod */
export const prod = /* @__PURE__ */ reduction('prod', 'prod', summed);
/** The largest; NaN if there is one. Ties share the gradient evenly. torch.amax. @throws ShapeError of no elements. */
export const amax = /* @__PURE__ */ reduction('amax', 'max', keep, /* @__PURE__ */ notEmpty('amax'));
/** The least; NaN if there is one. Ties share the gradient evenly. torch.amin. @throws ShapeError of no elements. */
export const amin = /* @__PURE__ */ reduction('amin', 'min', keep, /* @__PURE__ */ notEmpty('amin'));

const place = (name: 'argmax' | 'argmin') =>
  reduction(
    name,
    name,
    () => 'int32',
    (shape, axes) => {
      notEmpty(name)(shape, axes);
      if (axes.length > 1 && axes.length < shape.length)
        throw new ArgumentError(
          `${name}: dim [${axes}] of ${showShape(shape)}; wants one axis, or none for the flat place`,
        );
    },
    'integer result',
  );
/** Where the largest is along dim, the first of equals, NaN above all; without dim the row-major place. torch.argmax */
export const argmax = /* @__PURE__ */ place('argmax');
/** Where the least is along dim, the first of equals, NaN below all; without dim the row-major place. torch.argmin */
export const argmin = /* @__PURE__ */ place('argmin');

/** y = Σ x / n; NaN of no elements. torch.mean. Defined, so that float16 divides before it is stored.
 *  @throws DTypeError for integers. */
export const mean = /* @__PURE__ */ defineOp({
  name: 'mean',
  args: /* @__PURE__ */ reduceArguments('mean'),
  shape: ([x], attributes) => ({
    shape: reducedShape((x as Tensor).shape, attributes),
    dtype: floats('mean')((x as Tensor).dtype),
  }),
  lower: ([x], attributes) =>
    rows(
      x as Input,
      attributes,
      (element) => [[accumulate('sum', element)]],
      (count) => div(acc(0) as OpExpr, constant(count)),
    ),
});

export interface VarianceOptions extends ReduceOptions {
  /** Taken from the count: 1 (by default) for a sample's variance, 0 for a population's. */
  readonly correction?: number;
}
/** Two passes over the row: the mean, then squared differences from it (one pass of Σx² loses all digits of a small spread). */
const spread = (name: 'variance' | 'std') =>
  defineOp({
    name,
    args: (x: TensorLike, dim?: Dims, { correction = 1, keepdim = false }: VarianceOptions = {}) => {
      const t = toTensor(x, name);
      return [[t], { axes: axesOf(name, dim, t.shape), keepdim, correction }];
    },
    shape: ([x], attributes) => ({
      shape: reducedShape((x as Tensor).shape, attributes),
      dtype: floats(name)((x as Tensor).dtype),
    }),
    lower: ([x], attributes) =>
      rows(
        x as Input,
        attributes,
        (element, count) => {
          const apart = sub(element, div(acc(0) as OpExpr, constant(count)));
          return [[accumulate('sum', element)], [accumulate('sum', mul(apart, apart))]];
        },
        (count) => {
          const result = div(acc(1) as OpExpr, constant(Math.max(0, count - attributes.correction)));
          return name === 'std' ? apply('sqrt', [result]) : result;
        },
      ),
  });
/** y = Σ (x − mean)² / max(0, n − correction). torch.var. @throws DTypeError for integers. */
export const variance = /* @__PURE__ */ spread('variance');
/** y = √variance. torch.std. Defined for its gradient, which is 0 where the spread is. */
export const std = /* @__PURE__ */ spread('std');

/** y = ln Σ eˣ, without overflow; −∞ of no elements. torch.logsumexp */
export const logsumexp = /* @__PURE__ */ defineOp({
  name: 'logsumexp',
  args: /* @__PURE__ */ reduceArguments('logsumexp'),
  shape: ([x], attributes) => ({
    shape: reducedShape((x as Tensor).shape, attributes),
    dtype: floating((x as Tensor).dtype),
  }),
  lower: ([x], attributes) =>
    rows(
      x as Input,
      attributes,
      (raw) => {
        const element = cast(raw, 'float32');
        return [[accumulate('max', element)], [accumulate('sum', apply('exp', [sub(element, finiteOr0(acc(0)))]))]];
      },
      () => add(apply('log', [acc(1) as OpExpr]), finiteOr0(acc(0))),
    ),
});
const quantifier = (name: 'any' | 'all') =>
  defineOp({
    name,
    args: reduceArguments(name),
    shape: ([x], attributes) => ({ shape: reducedShape((x as Tensor).shape, attributes), dtype: 'bool' }),
    lower: ([x], attributes) =>
      rows(
        x as Input,
        attributes,
        (element) => [[accumulate(name === 'any' ? 'max' : 'min', cast(cast(element, 'bool'), 'int32'))]],
        () => apply('gt', [acc(0, 'int32'), constant(0, 'int32')]),
      ),
    notDifferentiable: 'boolean result',
  });
/** Is one of them true (not 0)? False of no elements. torch.any */
export const any = /* @__PURE__ */ quantifier('any');
/** Are they all true (not 0)? True of no elements. torch.all */
export const all = /* @__PURE__ */ quantifier('all');

const extreme = (name: string, combine: 'max' | 'min') =>
  defineMultiOp({
    name,
    args: (x: TensorLike, dim: number, options?: ReduceOptions) => reduceArguments(name)(x, [dim], options),
    shape: ([x], attributes) => {
      const { shape, dtype } = x as Tensor;
      notEmpty(name)(shape, attributes.axes);
      const reduced = reducedShape(shape, attributes);
      return [
        { shape: reduced, dtype },
        { shape: reduced, dtype: 'int32' },
      ];
    },
    lower: ([x], attributes) => {
      const { dtype } = x as Input;
      const ordered = orderedIn(dtype);
      return rows(
        x as Input,
        attributes,
        (element) => [
          [accumulate(combine, cast(element, ordered)), accumulate(`arg${combine}`, cast(element, ordered))],
        ],
        () => cast(acc(0, ordered) as OpExpr, computeOf(dtype)),
        () => acc(1, 'int32'),
      );
    },
  });
/** [values, indices] of the largest along dim, the first of equals; the gradient goes to it alone. torch.max(x, dim) */
export const maxWithIndices = /* @__PURE__ */ extreme('maxWithIndices', 'max');
/** [values, indices] of the least along dim, the first of equals; the gradient goes to it alone. torch.min(x, dim) */
export const minWithIndices = /* @__PURE__ */ extreme('minWithIndices', 'min');

/** (Σ |x|ᵖ)^(1/p) for a finite p that is not 0. What `norm` comes to. Defined for its gradient, which is 0 at the origin. */
export const powerNorm = /* @__PURE__ */ defineOp({
  name: 'norm',
  args: (x: TensorLike, p: number, dim?: Dims, { keepdim = false }: ReduceOptions = {}) => {
    const t = toTensor(x, 'norm');
    return [[t], { axes: axesOf('norm', dim, t.shape), keepdim, p }];
  },
  shape: ([x], attributes) => ({
    shape: reducedShape((x as Tensor).shape, attributes),
    dtype: floats('norm')((x as Tensor).dtype),
  }),
  lower: ([x], attributes) => {
    const { p } = attributes;
    const power = (base: OpExpr, exponent: number): OpExpr =>
      exponent === 1 ? base : exponent === 0.5 ? apply('sqrt', [base]) : apply('pow', [base, constant(exponent)]);
    return rows(
      x as Input,
      attributes,
      (element) => [[accumulate('sum', p === 2 ? mul(element, element) : power(apply('abs', [element]), p))]],
      () => power(acc(0) as OpExpr, 1 / p),
    );
  },
});
/** How many are not 0, as a float. */
const countNonZero = /* @__PURE__ */ defineOp({
  name: 'norm',
  args: /* @__PURE__ */ reduceArguments('norm'),
  shape: ([x], attributes) => ({
    shape: reducedShape((x as Tensor).shape, attributes),
    dtype: floats('norm')((x as Tensor).dtype),
  }),
  lower: ([x], attributes) =>
    rows(
      x as Input,
      attributes,
      (element) => [[accumulate('sum', cast(cast(element, 'bool'), 'float32'))]],
      () => acc(0),
    ),
  notDifferentiable: 'a count, piecewise constant',
});
/** (Σ |x|ᵖ)^(1/p); p = ∞: the largest |x|, −∞: the least, 0: how many are not 0. torch.norm. @throws DTypeError for integers. */
export function norm(x: TensorLike, p = 2, dim?: Dims, options: ReduceOptions = {}): Tensor {
  if (p === Number.POSITIVE_INFINITY) return amax(abs(x), dim, options);
  if (p === Number.NEGATIVE_INFINITY) return amin(abs(x), dim, options);
  return p === 0 ? countNonZero(x, dim, options) : powerNorm(x, p, dim, options);
}
