/** Shape moves as index arithmetic: a move turns one strided view into another, and costs nothing at run time. */
import type { View } from './ir';

/** A shape move. `slice` also flips (negative step). */
export type Move =
  | { readonly type: 'permute'; readonly axes: readonly number[] }
  | { readonly type: 'reshape'; readonly shape: readonly number[] }
  | { readonly type: 'expand'; readonly shape: readonly number[] }
  | {
      readonly type: 'slice';
      readonly start: readonly number[];
      readonly step: readonly number[];
      readonly size: readonly number[];
    }
  | { readonly type: 'pad'; readonly before: readonly number[]; readonly after: readonly number[] };

/** How many elements a shape has. */
export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Row-major strides. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  for (let axis = shape.length - 1, stride = 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** The view of a whole row-major buffer. */
export const contiguous = (shape: readonly number[]): View => ({
  shape,
  strides: rowMajor(shape),
  offset: 0,
  valid: null,
});

/** Is it the row-major view of its whole shape? Axes of size 1 may have any stride. */
export const isContiguous = (view: View): boolean => isRows(view, []);

/** Does each row along `axes` read one element, rows in row-major order? */
export function isRows(view: View, axes: readonly number[]): boolean {
  if (view.offset !== 0 || view.valid) return false;
  let stride = 1;
  for (let axis = view.shape.length - 1; axis >= 0; axis--) {
    const size = view.shape[axis] as number;
    const reduced = axes.includes(axis);
    if (size !== 1 && view.strides[axis] !== (reduced ? 0 : stride)) return false;
    if (!reduced) stride *= size;
  }
  return true;
}

/** Same elements at the same coordinates? */
export function sameView(a: View, b: View): boolean {
  return (
    a.offset === b.offset &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, axis) => size === b.shape[axis] && (size === 1 || a.strides[axis] === b.strides[axis])) &&
    JSON.stringify(a.valid) === JSON.stringify(b.valid)
  );
}

/** The shape a move makes of a shape (sizes are taken as checked). */
export function movedShape(shape: readonly number[], move: Move): number[] {
  switch (move.type) {
    case 'permute':
      return move.axes.map((axis) => shape[axis] as number);
    case 'reshape':
    case 'expand':
      return [...move.shape];
    case 'slice':
      return [...move.size];
    case 'pad':
      return shape.map((size, axis) => size + (move.before[axis] as number) + (move.after[axis] as number));
  }
}

/** The view after a move, or null where one strided view cannot say it (a reshape across strides, or of a padded axis). */
export function applyMove(view: View, move: Move): View | null {
  const { strides, offset, valid } = view;
  const shape = movedShape(view.shape, move);
  switch (move.type) {
    case 'permute':
      return tidy({
        shape,
        strides: move.axes.map((axis) => strides[axis] as number),
        offset,
        valid: valid && move.axes.map((axis) => valid[axis] as readonly [number, number]),
      });
    case 'expand': {
      const added = shape.length - view.shape.length;
      const grown = (axis: number) => axis < added || (view.shape[axis - added] === 1 && shape[axis] !== 1);
      return tidy({
        shape,
        strides: shape.map((_, axis) => (grown(axis) ? 0 : (strides[axis - added] as number))),
        offset,
        valid:
          valid &&
          shape.map((size, axis): readonly [number, number] =>
            grown(axis)
              ? [0, axis < added || full(view, axis - added) ? size : 0]
              : (valid[axis - added] as readonly [number, number]),
          ),
      });
    }
    case 'slice': {
      const first = move.start.reduce((sum, start, axis) => sum + start * (strides[axis] as number), offset);
      return tidy({
        shape,
        strides: move.step.map((step, axis) => step * (strides[axis] as number)),
        offset: first,
        valid:
          valid &&
          shape.map((size, axis) => {
            const [lo, hi] = valid[axis] as readonly [number, number];
            const start = move.start[axis] as number;
            const step = move.step[axis] as number;
            // coordinates j with lo ≤ start + j·step < hi
            const [from, to] =
              step > 0
                ? [Math.ceil((lo - start) / step), Math.ceil((hi - start) / step)]
                : [Math.floor((start - hi) / -step) + 1, Math.floor((start - lo) / -step) + 1];
            return clampRange(from, to, size);
          }),
      });
    }
    case 'pad':
      return tidy({
        shape,
        strides,
        offset: move.before.reduce((sum, before, axis) => sum - before * (strides[axis] as number), offset),
        valid: shape.map((size, axis) => {
          const before = move.before[axis] as number;
          const [lo, hi] = valid?.[axis] ?? [0, view.shape[axis] as number];
          return clampRange(lo + before, hi + before, size);
        }),
      });
    case 'reshape':
      return reshape(view, shape);
  }
}

const clampRange = (lo: number, hi: number, size: number): [number, number] => {
  const from = Math.min(Math.max(lo, 0), size);
  return [from, Math.max(from, Math.min(hi, size))];
};

const full = (view: View, axis: number): boolean => {
  const range = view.valid?.[axis];
  return !range || (range[0] === 0 && range[1] === view.shape[axis]);
};

/** Drops `valid` where it forbids nothing, so that equal views look equal. */
function tidy(view: View): View {
  return view.valid?.every((_, axis) => full(view, axis)) ? { ...view, valid: null } : view;
}

/**
 * Splits and merges axes. Old and new axes are walked together in groups of equal size; within a group the old axes must
 * lie in memory as one (each stride the product of what is inside it), and only untouched axes may carry padding.
 */
function reshape(view: View, shape: readonly number[]): View | null {
  if (sizeOf(shape) === 0 || isContiguous(view)) return contiguous(shape);
  const strides = new Array<number>(shape.length).fill(0);
  const valid = view.valid && shape.map((size): readonly [number, number] => [0, size]);
  const old = view.shape.map((_, axis) => axis).filter((axis) => view.shape[axis] !== 1);
  // a padded-away single element: all zeros, let it be copied
  if (view.shape.some((size, axis) => size === 1 && !full(view, axis))) return null;
  let i = 0;
  let j = 0;
  while (i < old.length) {
    while (shape[j] === 1) j++;
    const group = [old[i++] as number];
    const made = [j];
    let oldSize = view.shape[group[0] as number] as number;
    let newSize = shape[j++] as number;
    while (oldSize !== newSize) {
      if (oldSize < newSize) {
        group.push(old[i] as number);
        oldSize *= view.shape[old[i++] as number] as number;
      } else {
        made.push(j);
        newSize *= shape[j++] as number;
      }
    }
    for (let k = 0; k + 1 < group.length; k++) {
      const [outer, inner] = [group[k] as number, group[k + 1] as number];
      if (view.strides[outer] !== (view.strides[inner] as number) * (view.shape[inner] as number)) return null;
    }
    const padded = group.some((axis) => !full(view, axis));
    const sized = made.filter((axis) => shape[axis] !== 1);
    if (padded && (group.length > 1 || sized.length > 1)) return null;
    if (padded && valid && view.valid) valid[sized[0] as number] = view.valid[group[0] as number] as [number, number];
    let stride = view.strides[group.at(-1) as number] as number;
    for (let k = made.length - 1; k >= 0; k--) {
      strides[made[k] as number] = stride;
      stride *= shape[made[k] as number] as number;
    }
  }
  return tidy({ shape, strides, offset: view.offset, valid });
}

/** Moves, then more: of two reshapes in a row the second does. */
export function joined(moves: readonly Move[], more: readonly Move[]): readonly Move[] {
  const both = moves.at(-1)?.type === 'reshape' && more[0]?.type === 'reshape';
  return moves.length ? [...(both ? moves.slice(0, -1) : moves), ...more] : more;
}

/** All moves in turn, or null. */
export const applyMoves = (view: View, moves: readonly Move[]): View | null =>
  moves.reduce<View | null>((moved, move) => moved && applyMove(moved, move), view);
