/** Parts of a tensor where they lie: slices with steps, single places, flips. Views like the moves of shape.ts. */
import { ArgumentError, ShapeError } from '../errors';
import { axisOf, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { axesOf, defineMove } from './move';
import { reshape, transpose } from './shape';

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
