/**
 * Padding. Zeros are a view; any other number is one select; reflected, repeated and wrapped borders are slices of x put
 * around it, an axis at a time, and so need no gradient of their own.
 */
import { ArgumentError, ShapeError } from '../errors';
import { apply, cast, computeOf, constant, index, inRange, select } from '../expr';
import type { DType } from '../ir';
import { defineOp, type Input, type OpExpr, read, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { cat } from './join';
import { expand } from './shape';
import { flip, narrow, slice } from './slice';
import { wantWord } from './words';

export interface PadOptions {
  /** What stands in the border. Default 'constant'. */
  readonly mode?: 'constant' | 'reflect' | 'replicate' | 'circular';
  /** The number of 'constant'. Default 0. */
  readonly value?: number;
}

/**
 * A border around x: pads = [before, after] of the last axis, then of the one before it, and so on. Negative pads crop first.
 * [N,C,H,W] with pads [l, r, t, b] → [N,C,H+t+b,W+l+r]. 'reflect' does not repeat the edge. torch.nn.functional.pad.
 * @throws ArgumentError on an odd number of pads, ShapeError where a mode needs more of x than there is.
 */
export function pad(x: TensorLike, pads: readonly number[], { mode = 'constant', value = 0 }: PadOptions = {}): Tensor {
  const t = toTensor(x, 'pad');
  wantWord('pad', 'mode', mode, ['constant', 'reflect', 'replicate', 'circular']);
  if (pads.length % 2 !== 0 || pads.length > 2 * t.rank || pads.some((n) => !Number.isInteger(n)))
    throw new ArgumentError(
      `pad: pads [${pads}] for shape ${showShape(t.shape)}; wants two whole numbers an axis, last axis first`,
    );
  const before = t.shape.map((_, axis) => pads[2 * (t.rank - 1 - axis)] ?? 0);
  const after = t.shape.map((_, axis) => pads[2 * (t.rank - 1 - axis) + 1] ?? 0);
  const cropped = crop(t, before, after);
  const [lo, hi] = [before.map(positive), after.map(positive)];
  if (mode !== 'constant') return t.shape.reduce((y: Tensor, _, axis) => border(y, axis, lo, hi, mode), cropped);
  if (lo.every((n) => n === 0) && hi.every((n) => n === 0)) return cropped;
  return value === 0 ? zeroPad(cropped, lo, hi) : valuePad(cropped, value, lo, hi);
}
const positive = (n: number): number => Math.max(n, 0);
function crop(t: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  if (before.every((n) => n >= 0) && after.every((n) => n >= 0)) return t;
  t.shape.forEach((size, axis) => {
    if (size !== null && size + Math.min(before[axis] as number, 0) + Math.min(after[axis] as number, 0) < 0)
      throw new ShapeError(
        `pad: crops more than there is of dim ${axis} of ${showShape(t.shape)}; its size is ${size}`,
      );
  });
  return slice(
    t,
    t.shape.map((_, axis) => [positive(-(before[axis] as number)), Math.min(after[axis] as number, 0) || null]),
  );
}

const padded = (shape: Shape, before: readonly number[], after: readonly number[]): Shape =>
  shape.map((size, axis) => (size === null ? null : size + (before[axis] as number) + (after[axis] as number)));

/** Zeros before and after each axis: index arithmetic, no kernel. */
export const zeroPad = /* @__PURE__ */ defineOp({
  name: 'pad',
  args: (x: TensorLike, before: readonly number[], after: readonly number[]) => [[x], { before, after }],
  shape: ([x], { before, after }) => ({
    shape: padded((x as Tensor).shape, before, after),
    dtype: (x as Tensor).dtype,
  }),
  lower: (_, { before, after }) => ({ kind: 'view', moves: [{ type: 'pad', before, after }] }),
});

/** A number before and after each axis. An op of its own because x − value + value would round, and NaN would spread. */
export const valuePad = /* @__PURE__ */ defineOp({
  name: 'pad',
  args: (x: TensorLike, value: number, before: readonly number[], after: readonly number[]) => [
    [x, value],
    { before, after },
  ],
  shape: ([x], { before, after }) => ({
    shape: padded((x as Tensor).shape, before, after),
    dtype: (x as Tensor).dtype,
  }),
  lower: ([x, value], { before, after }, [out]) => {
    const { shape, dtype } = out as { shape: readonly number[]; dtype: DType };
    const sizes = (x as Input).shape;
    const ranges = sizes.flatMap((size, axis): OpExpr[] => {
      const [lo, hi] = [before[axis] as number, after[axis] as number];
      const bound = (value: number): OpExpr => constant(value, 'int32');
      return lo === 0 && hi === 0 ? [] : [inRange(index(axis), bound(lo), bound(lo + size))];
    });
    const inside = ranges.reduce((a, b) => apply('and', [a, b]), constant(1, 'bool') as OpExpr);
    const border = cast(read(value as Input, shape), computeOf(dtype));
    const within = read(x as Input, undefined, [{ type: 'pad', before, after }]);
    return { kind: 'map', outs: [select(inside, within, border)] };
  },
});

/** One axis of the other modes. */
function border(
  t: Tensor,
  axis: number,
  before: readonly number[],
  after: readonly number[],
  mode: 'reflect' | 'replicate' | 'circular',
): Tensor {
  const [lo, hi] = [before[axis] as number, after[axis] as number];
  if (lo === 0 && hi === 0) return t;
  const size = t.shape[axis] as number | null;
  const room =
    size === null ? Number.POSITIVE_INFINITY : mode === 'reflect' ? size - 1 : mode === 'circular' ? size : lo + hi;
  if (Math.max(lo, hi) > room || size === 0)
    throw new ShapeError(
      `pad: mode ${mode} with pads ${lo} and ${hi} on dim ${axis} of ${showShape(t.shape)}; wants pads of at most ${size === 0 ? 0 : room}`,
    );
  if (size === null)
    return zeroPad(t, ...([lo, hi].map((n) => t.shape.map((_, i) => (i === axis ? n : 0))) as [number[], number[]]));
  const edge = (start: number, length: number): Tensor => narrow(t, axis, start, length);
  const repeated = (at: number, times: number): Tensor =>
    expand(
      edge(at, 1),
      t.shape.map((own, i) => (i === axis ? times : own)),
    );
  const sides = {
    reflect: () => [flip(edge(1, lo), axis), t, flip(edge(size - 1 - hi, hi), axis)],
    replicate: () => [repeated(0, lo), t, repeated(size - 1, hi)],
    circular: () => [edge(size - lo, lo), t, edge(0, hi)],
  }[mode]();
  return cat(
    sides.filter((_, i) => i === 1 || (i === 0 ? lo : hi) > 0),
    axis,
  );
}
