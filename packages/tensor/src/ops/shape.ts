/**
 * Shape moves: the same values under other coordinates. They lower to a view, that is, to index arithmetic inside the kernels
 * that read them, without a kernel of their own (unfold and diagonal: to reads at computed places). Sizes that are not known
 * yet are carried through.
 */
import { ArgumentError, ShapeError } from '../errors';
import { add, constant, index, mul } from '../expr';
import { type Attributes, axisOf, defineOp, type Input, type Op, type OpExpr, readAt, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import type { Move } from '../view';

/** An op that is one move: its attributes, its shape, and the move itself once every size is known. */
function defineMove<Rest extends readonly unknown[], Attrs extends Attributes>(
  name: string,
  args: (x: Tensor, ...rest: Rest) => Attrs,
  shape: (shape: Shape, attributes: Attrs) => Shape,
  move: (attributes: Attrs, shape: readonly number[], to: readonly number[]) => Move,
): Op<[x: TensorLike, ...rest: Rest], Tensor, Attrs> {
  return defineOp({
    name,
    args: (like: TensorLike, ...rest: Rest) => {
      const x = toTensor(like, name);
      return [[x], args(x, ...rest)];
    },
    shape: ([x], attributes: Attrs) => ({ shape: shape((x as Tensor).shape, attributes), dtype: (x as Tensor).dtype }),
    lower: ([x], attributes, [out]) => ({
      kind: 'view',
      moves: [move(attributes, (x as Input).shape, (out as { shape: readonly number[] }).shape)],
    }),
  });
}

/** Product of sizes; null if one is unknown (and none is 0). */
const countOf = (shape: Shape): number | null =>
  shape.includes(0) ? 0 : shape.includes(null) ? null : (shape as readonly number[]).reduce((a, b) => a * b, 1);

/** The same values, row-major, under another shape; one size may be −1 and follows from the others. torch.reshape.
 *  @throws ShapeError where the numbers of elements differ. */
export const reshape = /* @__PURE__ */ defineMove(
  'reshape',
  (x, shape: Shape) => ({ shape: inferSize(x.shape, shape) }),
  (_, { shape }) => shape,
  (_, __, shape) => ({ type: 'reshape', shape }),
);
function inferSize(from: Shape, to: Shape): Shape {
  const open = to.indexOf(-1);
  const bad = to.some((size, axis) => size !== null && axis !== open && (size < 0 || !Number.isInteger(size)));
  if (bad) throw new ArgumentError(`reshape: sizes ${showShape(to)}; wants whole numbers, one of them may be -1`);
  const all = countOf(from);
  const known = countOf(to.filter((_, axis) => axis !== open));
  const misfit = () =>
    new ShapeError(`reshape: ${showShape(from)} has ${all} elements, which ${showShape(to)} cannot hold`);
  if (open < 0) {
    if (all !== null && known !== null && all !== known) throw misfit();
    return to;
  }
  if (known === 0) throw new ShapeError(`reshape: -1 in ${showShape(to)} could be any size beside a 0; write it out`);
  if (all !== null && known !== null && all % known !== 0) throw misfit();
  const rest = all === null || known === null ? null : all / known;
  return to.map((size, axis) => (axis === open ? rest : size));
}

/** Axes `start` to `end` become one. [N,C,H,W] → flatten(x, 1) [N,C·H·W]. torch.flatten. */
export function flatten(x: TensorLike, start = 0, end = -1): Tensor {
  const t = toTensor(x, 'flatten');
  if (t.rank === 0) return reshape(t, [1]);
  const from = axisOf('flatten', start, t.shape);
  const to = axisOf('flatten', end, t.shape);
  if (from > to) throw new ArgumentError(`flatten: start ${start} lies behind end ${end} in ${showShape(t.shape)}`);
  return reshape(t, [...t.shape.slice(0, from), countOf(t.shape.slice(from, to + 1)), ...t.shape.slice(to + 1)]);
}

/** Takes out axes of size 1: all of them, or those of `dim` that are. torch.squeeze. */
export function squeeze(x: TensorLike, dim?: number | readonly number[]): Tensor {
  const t = toTensor(x, 'squeeze');
  const dims = dim === undefined ? t.shape.map((_, axis) => axis) : axesOf('squeeze', dim, t.shape);
  return reshape(
    t,
    t.shape.filter((size, axis) => size !== 1 || !dims.includes(axis)),
  );
}
const axesOf = (op: string, dim: number | readonly number[], shape: Shape): number[] =>
  (typeof dim === 'number' ? [dim] : dim).map((d) => axisOf(op, d, shape));

/** An axis of size 1 put in before `dim`. torch.unsqueeze. */
export function unsqueeze(x: TensorLike, dim: number): Tensor {
  const t = toTensor(x, 'unsqueeze');
  const axis = axisOf('unsqueeze', dim, t.shape, 1);
  return reshape(t, [...t.shape.slice(0, axis), 1, ...t.shape.slice(axis)]);
}

/** Axis i of the result is axis dims[i] of x. [N,C,H,W] → permute(x, [0,2,3,1]) [N,H,W,C]. torch.permute.
 *  @throws ArgumentError unless every axis is named once. */
export const permute = /* @__PURE__ */ defineMove(
  'permute',
  (x, dims: readonly number[]) => {
    const axes = axesOf('permute', dims, x.shape);
    if (axes.length !== x.rank || new Set(axes).size !== x.rank)
      throw new ArgumentError(`permute: dims [${dims}] for shape ${showShape(x.shape)}; wants each of its axes once`);
    return { axes };
  },
  (shape, { axes }) => axes.map((axis) => shape[axis] as number | null),
  ({ axes }) => ({ type: 'permute', axes }),
);

/** Two axes exchanged, by default the last two. torch.transpose. */
export function transpose(x: TensorLike, dim0 = -2, dim1 = -1): Tensor {
  const t = toTensor(x, 'transpose');
  const a = axisOf('transpose', dim0, t.shape);
  const b = axisOf('transpose', dim1, t.shape);
  return permute(
    t,
    t.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis)),
  );
}

/** Axes `source` moved to places `destination`, the others keep their order. torch.movedim. */
export function movedim(
  x: TensorLike,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const t = toTensor(x, 'movedim');
  const from = axesOf('movedim', source, t.shape);
  const to = axesOf('movedim', destination, t.shape);
  if (from.length !== to.length || new Set(from).size < from.length || new Set(to).size < to.length)
    throw new ArgumentError(`movedim: source [${source}] and destination [${destination}] must pair distinct axes`);
  const others = t.shape.map((_, axis) => axis).filter((axis) => !from.includes(axis));
  return permute(
    t,
    t.shape.map((_, axis) => (to.includes(axis) ? from[to.indexOf(axis)] : others.shift()) as number),
  );
}

/** Axes of size 1 repeated to `sizes`, and new axes before the others; −1 keeps a size. torch.expand.
 *  @throws ShapeError where an axis is neither 1 nor of the wanted size. */
export const expand = /* @__PURE__ */ defineMove(
  'expand',
  (x, sizes: Shape) => {
    const added = sizes.length - x.rank;
    const shape = sizes.map((size, axis) => (size === -1 && axis >= added ? (x.shape[axis - added] ?? null) : size));
    const fits = shape.every((size, axis) => {
      const own = axis < added ? 1 : x.shape[axis - added];
      return size === null || (size >= 0 && (own === null || own === 1 || own === size));
    });
    if (added < 0 || !fits)
      throw new ShapeError(
        `expand: ${showShape(x.shape)} does not broadcast to ${showShape(sizes)}; sizes must be equal or 1`,
      );
    return { shape };
  },
  (_, { shape }) => shape,
  (_, __, shape) => ({ type: 'expand', shape }),
);
/** x repeated along axes of size 1 so that it has `shape`. torch.broadcast_to. */
export const broadcastTo = (x: TensorLike, shape: Shape): Tensor => expand(x, shape);

/** What to keep of an axis: [start, stop, step] as in Python, one place (the axis goes), or null for all. */
export type Range = number | null | readonly [start?: number | null, stop?: number | null, step?: number | null];

/** x[r0, r1, …] as in Python and NumPy: bounds are clamped, negative ones count from the end, a negative step walks back,
 *  axes without a range are kept. slice(x, [null, [0, 8, 2], -1]) is x[:, 0:8:2, -1].
 *  @throws ShapeError where one place is outside, ArgumentError on a step of 0 or too many ranges. */
export function slice(x: TensorLike, ranges: readonly Range[]): Tensor {
  const t = toTensor(x, 'slice');
  if (ranges.length > t.rank)
    throw new ArgumentError(`slice: ${ranges.length} ranges for shape ${showShape(t.shape)}; wants at most ${t.rank}`);
  const parts = t.shape.map((size, axis) => place(t.shape, size, axis, ranges[axis] ?? null));
  const sliced = parts.every((part) => part.whole) ? t : strided(t, parts);
  const dropped = ranges.map((range) => typeof range === 'number');
  return dropped.includes(true)
    ? reshape(
        sliced,
        sliced.shape.filter((_, axis) => !dropped[axis]),
      )
    : sliced;
}
interface Part {
  readonly start: number;
  readonly step: number;
  readonly size: number | null;
  readonly whole: boolean;
}
function place(shape: Shape, size: number | null, axis: number, range: Range): Part {
  if (typeof range === 'number') {
    if (size !== null && (range < -size || range >= size))
      throw new ShapeError(
        `slice: place ${range} is outside of dim ${axis} of ${showShape(shape)}; its size is ${size}`,
      );
    return { start: range < 0 ? range + (size ?? 0) : range, step: 1, size: 1, whole: false };
  }
  const [start = null, stop = null, given] = range ?? [];
  const step = given ?? 1;
  if (step === 0 || !Number.isInteger(step))
    throw new ArgumentError(`slice: step ${step} on dim ${axis}; wants a whole number that is not 0`);
  const whole = start === null && stop === null && step === 1;
  if (size === null) return { start: start ?? 0, step, size: null, whole };
  // Python clamps bounds into [0, size] walking forward, into [−1, size − 1] walking back.
  const [lo, hi] = step > 0 ? [0, size] : [-1, size - 1];
  const clamp = (at: number) => Math.min(Math.max(at < 0 ? at + size : at, lo), hi);
  const from = start === null ? (step > 0 ? lo : hi) : clamp(start);
  const to = stop === null ? (step > 0 ? hi : lo) : clamp(stop);
  return { start: from, step, size: Math.max(0, Math.ceil((to - from) / step)), whole };
}
/** On every axis, `size` places from `start` by `step`, all inside. What slice, narrow, select and flip are made of. */
export const strided = /* @__PURE__ */ defineMove(
  'slice',
  (_, parts: readonly { start: number; step: number; size: number | null }[]) => ({
    start: parts.map((part) => part.start),
    step: parts.map((part) => part.step),
    size: parts.map((part) => part.size),
  }),
  (_, { size }) => size,
  ({ start, step }, _, size) => ({ type: 'slice', start, step, size }),
);

/** `length` places of an axis from `start`. torch.narrow. @throws ShapeError where they are not all inside. */
export function narrow(x: TensorLike, dim: number, start: number, length: number): Tensor {
  const t = toTensor(x, 'narrow');
  const axis = axisOf('narrow', dim, t.shape);
  const size = t.shape[axis] as number | null;
  const from = start < 0 && size !== null ? start + size : start;
  if (from < 0 || length < 0 || (size !== null && from + length > size))
    throw new ShapeError(`narrow: ${start} + ${length} is outside of dim ${axis} of ${showShape(t.shape)}`);
  return strided(
    t,
    t.shape.map((own, i) => (i === axis ? { start: from, step: 1, size: length } : { start: 0, step: 1, size: own })),
  );
}
/** One place of an axis, which goes. torch.select. @throws ShapeError where it is outside. */
export function select(x: TensorLike, dim: number, index: number): Tensor {
  const t = toTensor(x, 'select');
  const axis = axisOf('select', dim, t.shape);
  return slice(t, [...t.shape.slice(0, axis).map(() => null), index]);
}
/** The axes of `dim` in reverse order. torch.flip. */
export function flip(x: TensorLike, dim: number | readonly number[]): Tensor {
  const t = toTensor(x, 'flip');
  const axes = axesOf('flip', dim, t.shape);
  return slice(
    t,
    t.shape.map((_, axis) => (axes.includes(axis) ? [null, null, -1] : null)),
  );
}
/** A quarter turn, `times` times, from axis dims[0] towards dims[1]. torch.rot90. */
export function rot90(x: TensorLike, times = 1, dims: readonly [number, number] = [0, 1]): Tensor {
  const t = toTensor(x, 'rot90');
  const [a, b] = dims;
  switch (((times % 4) + 4) % 4) {
    case 1:
      return transpose(flip(t, b), a, b);
    case 2:
      return flip(t, [a, b]);
    case 3:
      return flip(transpose(t, a, b), b);
    default:
      return t;
  }
}

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
