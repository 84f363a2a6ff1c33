/**
 * Shape moves: the same values under other coordinates. All lower to a view, that is, to index arithmetic inside the kernels
 * that read them; none copies and none has a kernel of its own. Sizes that are not known yet are carried through.
 */
import { ArgumentError, ShapeError } from '../errors';
import { axisOf, showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { axesOf, defineMove } from './move';

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
