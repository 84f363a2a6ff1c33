/**
 * Values at computed places of zeros: triangles and diagonals of matrices, and overlapping windows summed where they came
 * from. Each is linear, and with the views of shape.ts they are each other's gradients.
 */
import { ArgumentError, ShapeError } from '../errors';
import { acc, add, apply, computeOf, constant, index, select, sub } from '../expr';
import { axisOf, defineOp, type Input, type OpExpr, type Read, read, readAt, showShape } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';

/** One triangle of the last two axes; beyond `diagonal` above or below, 0. An op, so that it fuses as one select. */
export const triangle = /* @__PURE__ */ defineOp({
  name: 'triangle',
  args: (x: TensorLike, upper: boolean, diagonal: number) => [[x], { upper, diagonal }],
  shape: ([x]) => {
    const { shape, dtype } = x as Tensor;
    if (shape.length < 2)
      throw new ShapeError(`triangle: shape ${showShape(shape)}; wants a matrix or a stack of them`);
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
