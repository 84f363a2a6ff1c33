/** What rules share about shapes: undoing a broadcast, and bringing a reduced cotangent back over its rows. */
import { expand, reshape, type Shape, sum, type Tensor } from '@tessera/tensor';

/** g summed over the axes along which a tensor of `shape` was broadcast to g's: the cotangent of that tensor. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  const added = g.rank - shape.length;
  const axes = g.shape
    .map((_, axis) => axis)
    .filter((axis) => axis < added || (shape[axis - added] === 1 && g.shape[axis] !== 1));
  if (axes.length === 0) return g;
  const summed = sum(g, axes, { keepdim: true });
  return added > 0 ? reshape(summed, shape) : summed;
}

/** Could someone differentiate by this input? Not by a number written in place, whose cotangent need not be built. */
export const varies = (x: Tensor): boolean => x.node.source?.kind !== 'scalar';

/** The reduced tensor with its axes back in place, size 1 each: it broadcasts against the x of `shape` that it came from. */
export function unreduced(reduced: Tensor, shape: Shape, axes: readonly number[]): Tensor {
  return reduced.rank === shape.length
    ? reduced
    : reshape(
        reduced,
        shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
      );
}

/** The reduced tensor repeated over the rows that it came from. */
export const overRows = (reduced: Tensor, shape: Shape, axes: readonly number[]): Tensor =>
  expand(unreduced(reduced, shape, axes), shape);
