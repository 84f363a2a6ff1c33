/**
 * Triangles, diagonals and windows. What a strided view need not be able to say is read at computed places, and its transpose
 * puts values at those places of zeros; each is linear, and the two are each other's gradients.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, add, apply, computeOf, constant, index, mul, select, sub } from '../expr';
import {
  type Attributes,
  axisOf,
  defineOp,
  type Input,
  type Op,
  type OpExpr,
  type Read,
  read,
  readAt,
  showShape,
} from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';

/** An op that reads its input at computed places: the moves that no strided view should have to say. */
function defineReading<Rest extends readonly unknown[], Attrs extends Attributes>(
  name: string,
  args: (x: Tensor, ...rest: Rest) => Attrs,
  shape: (shape: Shape, attributes: Attrs) => Shape,
  at: (attributes: Attrs, rank: number) => OpExpr[],
): Op<[x: TensorLike, ...rest: Rest], Tensor, Attrs> {
  return defineOp({
    name,
    args: (like: TensorLike, ...rest: Rest) => {
      const x = toTensor(like, name);
      return [[x], args(x, ...rest)];
    },
    shape: ([x], attributes: Attrs) => ({ shape: shape((x as Tensor).shape, attributes), dtype: (x as Tensor).dtype }),
    lower: ([x], attributes) => {
      const input = x as Input;
      return { kind: 'map', outs: [readAt(input, at(attributes, input.shape.length))] };
    },
  });
}
const int = (value: number): OpExpr => constant(value, 'int32');

/** Windows of `size` along `dim`, every `step`; the window's own axis comes last. [.., W, ..] → [.., ⌊(W−size)/step⌋+1, .., size].
 *  Tensor.unfold. @throws ShapeError where the axis is shorter than a window. */
export const unfold = /* @__PURE__ */ defineReading(
  'unfold',
  (x, dim: number, size: number, step: number) => {
    const axis = axisOf('unfold', dim, x.shape);
    const own = x.shape[axis] as number | null;
    if (step < 1 || size < 0)
      throw new ArgumentError(`unfold: size ${size}, step ${step}; wants size ≥ 0 and step ≥ 1`);
    if (own !== null && size > own)
      throw new ShapeError(`unfold: windows of ${size} do not fit dim ${axis} of ${showShape(x.shape)}`);
    return { axis, size, step };
  },
  (shape, { axis, size, step }) => {
    const own = shape[axis] as number | null;
    const windows = own === null ? null : Math.floor((own - size) / step) + 1;
    return [...shape.slice(0, axis), windows, ...shape.slice(axis + 1), size];
  },
  ({ axis, step }, rank) =>
    Array.from({ length: rank }, (_, i) => (i === axis ? add(mul(index(i), int(step)), index(rank)) : index(i))),
);

/** y[…, i] = x at (i, i + offset) of axes dim1 and dim2, which go; the diagonal's axis comes last. torch.diagonal. */
export const diagonal = /* @__PURE__ */ defineReading(
  'diagonal',
  (x, { offset = 0, dim1 = 0, dim2 = 1 }: { offset?: number; dim1?: number; dim2?: number } = {}) => {
    const axes = [axisOf('diagonal', dim1, x.shape), axisOf('diagonal', dim2, x.shape)] as const;
    if (axes[0] === axes[1]) throw new ArgumentError(`diagonal: dim1 and dim2 are both ${dim1}; wants two axes`);
    return { axes, offset };
  },
  (shape, { axes, offset }) => {
    const [rows, columns] = axes.map((axis) => shape[axis] as number | null);
    const rest = shape.filter((_, axis) => !axes.includes(axis));
    if (rows === null || columns === null || rows === undefined || columns === undefined) return [...rest, null];
    return [...rest, Math.max(0, Math.min(rows + Math.min(0, offset), columns - Math.max(0, offset)))];
  },
  ({ axes: [a, b], offset }, rank) => {
    let next = 0;
    const along = index(rank - 2);
    return Array.from({ length: rank }, (_, axis) =>
      axis === a
        ? add(along, int(Math.max(0, -offset)))
        : axis === b
          ? add(along, int(Math.max(0, offset)))
          : index(next++),
    );
  },
);

/** One triangle of the last two axes; beyond `diagonal` above or below, 0. An op, so that it fuses as one select. */
export const triangle = /* @__PURE__ */ defineOp({
  name: 'triangle',
  args: (x: TensorLike, upper: boolean, diagonal: number) => [[x], { upper, diagonal }],
  shape: ([x], { upper }) => {
    const { shape, dtype } = x as Tensor;
    if (shape.length < 2)
      throw new ShapeError(`${upper ? 'triu' : 'tril'}: shape ${showShape(shape)}; wants a matrix or a stack of them`);
    return { shape, dtype };
  },
  lower: ([input], { upper, diagonal }) => {
    const x = read(input as Input);
    const rank = (input as Input).shape.length;
    const limit: OpExpr = add<Read>(index(rank - 2), constant(diagonal, 'int32'));
    return {
      kind: 'map',
      outs: [select(apply(upper ? 'ge' : 'le', [index(rank - 1), limit]), x, constant(0, x.dtype))],
    };
  },
});
/** The lower triangle: y[i,j] = x[i,j] where j ≤ i + diagonal, else 0. torch.tril. */
export const tril = (x: TensorLike, diagonal = 0): Tensor => triangle(x, false, diagonal);
/** The upper triangle: y[i,j] = x[i,j] where j ≥ i + diagonal, else 0. torch.triu. */
export const triu = (x: TensorLike, diagonal = 0): Tensor => triangle(x, true, diagonal);

/** d [..., L] on a diagonal of zeros [..., rows, columns], whose two axes go to `axes`: the gradient of diagonal. */
export const placeDiagonal = /* @__PURE__ */ defineOp({
  name: 'placeDiagonal',
  args: (
    d: TensorLike,
    axes: readonly [number, number],
    offset: number,
    sizes: readonly [number | null, number | null],
  ) => [[d], { axes, offset, sizes }],
  shape: ([d], { axes, sizes }) => {
    const rest = (d as Tensor).shape.slice(0, -1);
    const shape = Array.from({ length: rest.length + 2 }, (_, axis) =>
      axes.includes(axis) ? (sizes[axes.indexOf(axis)] as number | null) : (rest.shift() as number | null),
    );
    return { shape, dtype: (d as Tensor).dtype };
  },
  lower: ([d], { axes: [a, b], offset }) => {
    const others = Array.from({ length: (d as Input).shape.length + 1 }, (_, axis) => axis).filter(
      (axis) => axis !== a && axis !== b,
    );
    const value = readAt(d as Input, [...others.map((axis) => index(axis)), index(offset < 0 ? b : a)]);
    const on = apply<Read>('eq', [add<Read>(index(a), constant(offset, 'int32')), index(b)]);
    return { kind: 'map', outs: [select<Read>(on, value, constant(0, value.dtype))] };
  },
});
/** The last axis on the diagonal of a square matrix of zeros. [..., L] → [..., L+|offset|, L+|offset|]. torch.diag_embed. */
export function diagEmbed(
  x: TensorLike,
  {
    offset = 0,
    dim1 = -2,
    dim2 = -1,
  }: { readonly offset?: number; readonly dim1?: number; readonly dim2?: number } = {},
): Tensor {
  const t = toTensor(x, 'diagEmbed');
  const axes = [axisOf('diagEmbed', dim1, t.shape, 1), axisOf('diagEmbed', dim2, t.shape, 1)] as const;
  if (axes[0] === axes[1]) throw new ArgumentError(`diagEmbed: dim1 and dim2 are both ${dim1}; wants two axes`);
  const length = t.shape[t.rank - 1] ?? null;
  const size = length === null ? null : length + Math.abs(offset);
  return placeDiagonal(t, axes, offset, [size, size]);
}

/** Windows [..., W, ..., S] summed where they came from → [..., length, ...]; window w lies at w·step. The gradient of unfold. */
export const foldWindows = /* @__PURE__ */ defineOp({
  name: 'foldWindows',
  args: (windows: TensorLike, axis: number, length: number | null, step: number) => [[windows], { axis, length, step }],
  shape: ([windows], { axis, length }) => ({
    shape: (windows as Tensor).shape.slice(0, -1).map((size, i) => (i === axis ? length : size)),
    dtype: (windows as Tensor).dtype,
  }),
  lower: ([windows], { axis, step }, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const input = windows as Input;
    const place = index(shape.length);
    // Every place of a window asks which window has it there; outside of all windows a read is 0.
    const from = sub<Read>(index(axis), place);
    const window = step === 1 ? from : apply('div', [from, constant(step, 'int32')]);
    const value = readAt(input, [...shape.map((_, i): OpExpr => (i === axis ? window : index(i))), place]);
    const begins = apply('eq', [apply('mod', [from, constant(step, 'int32')]), constant(0, 'int32')]);
    const expr = step === 1 ? value : select<Read>(begins, value, constant(0, value.dtype));
    const dtype = computeOf(input.dtype);
    return {
      kind: 'reduce',
      shape: [...shape, input.shape[input.shape.length - 1] as number],
      axes: [shape.length],
      stages: [[{ combine: 'sum', expr, dtype }]],
      outs: [{ per: 'row', expr: acc(0, dtype) }],
    };
  },
});
