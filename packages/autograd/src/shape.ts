/** Gradients of shape moves, joining, padding and placing: linear all, each the transpose of where its values went. */
import {
  cat,
  diagonal,
  expand,
  flip,
  foldWindows,
  narrow,
  permute,
  placeDiagonal,
  reshape,
  type Shape,
  strided,
  type Tensor,
  triangle,
  unfold,
  valuePad,
  zeroPad,
  zeros,
} from '@tessera/tensor';
import { sumTo } from './broadcast';
import { defineGradient } from './rules';

export function shape(): void {
  /** The same values back in x's shape. */
  defineGradient(reshape, (g, [x]) => [reshape(g, (x as Tensor).shape)]);
  /** The inverse permutation. */
  defineGradient(permute, (g, _, __, { axes }) => [permute(g, axes.map((_, axis) => axes.indexOf(axis)))]); // biome-ignore format: one
  /** An element read many times sums what comes back. */
  defineGradient(expand, (g, [x]) => [sumTo(g, (x as Tensor).shape)]);
  /** g put back at start + step·j, zeros elsewhere. */
  defineGradient(strided, (g, [x], _, { start, step }) => [putBack(g, (x as Tensor).shape, start, step)]);
  /** Overlapping windows sum; and back. */
  defineGradient(unfold, (g, [x], _, { axis, step }) => [
    foldWindows(g, axis, (x as Tensor).shape[axis] as number, step),
  ]);
  defineGradient(foldWindows, (g, [windows], _, { axis, step }) => [
    unfold(g, axis, (windows as Tensor).shape[(windows as Tensor).rank - 1] as number, step),
  ]);
  /** The diagonal back on zeros; and off them. */
  defineGradient(diagonal, (g, [x], _, { axes, offset }) => {
    const sizes = axes.map((axis) => (x as Tensor).shape[axis]) as [number, number];
    return [placeDiagonal(g, axes, offset, sizes)];
  });
  defineGradient(placeDiagonal, (g, _, __, { axes: [dim1, dim2], offset }) => [diagonal(g, { dim1, dim2, offset })]);
  /** The same triangle of g. */
  defineGradient(triangle, (g, _, __, { upper, diagonal: from }) => [triangle(g, upper, from)]);
  /** What lies within the border. */
  defineGradient(zeroPad, (g, [x], _, { before }) => [within(g, (x as Tensor).shape, before)]);
  defineGradient(valuePad, (g, [x], _, { before }) => [within(g, (x as Tensor).shape, before), null]);
  /** Each tensor's own part. */
  defineGradient(cat, (g, inputs, _, { axis }) => {
    let at = 0;
    return inputs.map(({ shape: own }) =>
      narrow(g, axis, (at += own[axis] as number) - (own[axis] as number), own[axis] as number),
    );
  });
}

const within = (g: Tensor, shape: Shape, before: readonly number[]): Tensor =>
  strided(
    g,
    shape.map((size, axis) => ({ start: before[axis] as number, step: 1, size })),
  );

/** The transpose of a slice: flips what was read backwards, spreads what was read with a step, and pads to the whole. */
function putBack(g: Tensor, shape: Shape, start: readonly number[], step: readonly number[]): Tensor {
  if (g.shape.includes(0)) return zeros(shape, { dtype: g.dtype });
  const sizes = g.shape as readonly number[];
  const backwards = step.map((by, axis) => (by < 0 ? axis : -1)).filter((axis) => axis >= 0);
  const first = start.map((at, axis) =>
    (step[axis] as number) < 0 ? at + (step[axis] as number) * ((sizes[axis] as number) - 1) : at,
  );
  let y = backwards.length ? flip(g, backwards) : g;
  step.forEach((by, axis) => {
    if (Math.abs(by) > 1) y = spread(y, axis, Math.abs(by));
  });
  const after = first.map((at, axis) => (shape[axis] as number) - at - (y.shape[axis] as number));
  return first.every((n) => n === 0) && after.every((n) => n === 0) ? y : zeroPad(y, first, after);
}
/** by − 1 zeros between neighbours of an axis. */
function spread(t: Tensor, axis: number, by: number): Tensor {
  const size = t.shape[axis] as number;
  const [before, rest] = [t.shape.slice(0, axis), t.shape.slice(axis + 1)];
  const shape = [...before, size, 1, ...rest];
  // zeroPad, and not pad: who trains would carry its other modes
  const apart = zeroPad(
    reshape(t, shape),
    shape.map(() => 0),
    shape.map((_, i) => (i === axis + 1 ? by - 1 : 0)),
  );
  return narrow(reshape(apart, [...before, size * by, ...rest]), axis, 0, (size - 1) * by + 1);
}
