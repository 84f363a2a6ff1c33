import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { View } from '../src/ir';
import {
  applyMove,
  applyMoves,
  contiguous,
  isContiguous,
  isRows,
  type Move,
  movedShape,
  rowMajor,
  sameView,
  sizeOf,
} from '../src/view';

/** An array the plain way: its elements in row-major order. */
interface Plain {
  readonly shape: readonly number[];
  readonly elements: readonly number[];
}

/** All coordinates of a shape, row-major. */
function coordinates(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** Where in the array before a move the element at coordinate c of the array after it lies; null in padding. */
function origin(shape: readonly number[], move: Move, c: readonly number[]): number[] | null {
  switch (move.type) {
    case 'permute':
      return shape.map((_, axis) => c[move.axes.indexOf(axis)]!);
    case 'reshape': {
      let left = dot(c, rowMajor(move.shape));
      return rowMajor(shape).map((stride) => {
        const at = Math.floor(left / stride);
        left %= stride;
        return at;
      });
    }
    case 'expand':
      return shape.map((size, axis) => (size === 1 ? 0 : c[c.length - shape.length + axis]!));
    case 'slice':
      return c.map((at, axis) => move.start[axis]! + at * move.step[axis]!);
    case 'pad': {
      const at = c.map((place, axis) => place - move.before[axis]!);
      return at.every((place, axis) => place >= 0 && place < shape[axis]!) ? at : null;
    }
  }
}

function moveEagerly({ shape, elements }: Plain, move: Move): Plain {
  const moved = movedShape(shape, move);
  const read = (c: number[]) => {
    const from = origin(shape, move, c);
    return from ? elements[dot(from, rowMajor(shape))]! : 0;
  };
  return { shape: moved, elements: coordinates(moved).map(read) };
}

/** What a view reads of a buffer whose element i is i + 1. */
const read = ({ shape, strides, offset, valid }: View) =>
  coordinates(shape).map((c) => {
    const inside = c.every((at, axis) => !valid || (at >= valid[axis]![0] && at < valid[axis]![1]));
    return inside ? offset + dot(c, strides) + 1 : 0;
  });

/** Could these elements be read through one strided view without padding? */
function isStrided({ shape, elements }: Plain): boolean {
  if (elements.length === 0) return true;
  const strides = shape.map((size, axis) => (size > 1 ? elements[rowMajor(shape)[axis]!]! - elements[0]! : 0));
  return coordinates(shape).every((c, i) => elements[i] === elements[0]! + dot(c, strides));
}

/** A move that fits a shape, made from a seed. */
function randomMove(shape: readonly number[], random: () => number): Move {
  const below = (n: number) => Math.floor(random() * n);
  const rank = shape.length;
  const choice = below(7);
  if (choice === 0) {
    const axes = shape.map((_, axis) => axis);
    for (let i = rank - 1; i > 0; i--) {
      const j = below(i + 1);
      [axes[i], axes[j]] = [axes[j]!, axes[i]!];
    }
    return { type: 'permute', axes };
  }
  if (choice === 1) {
    let left = sizeOf(shape);
    const sizes: number[] = [];
    while (left > 1 && sizes.length < 3) {
      const factors = Array.from({ length: left }, (_, i) => i + 1).filter((size) => left % size === 0);
      sizes.push(factors[below(factors.length)]!);
      left /= sizes.at(-1)!;
    }
    return { type: 'reshape', shape: [...sizes, ...(left !== 1 || random() < 0.3 ? [left] : [])] };
  }
  if (choice === 2) {
    const grown = shape.map((size) => (size === 1 ? 1 + below(3) : size));
    return { type: 'expand', shape: [...(random() < 0.3 && rank < 4 ? [1 + below(2)] : []), ...grown] };
  }
  if (choice === 3) {
    const step = shape.map(() => [1, 1, 2, -1, -2][below(5)]!);
    const start = shape.map((size) => below(Math.max(1, size)));
    const most = shape.map((size, axis) => {
      if (size === 0) return 0;
      return step[axis]! > 0
        ? Math.ceil((size - start[axis]!) / step[axis]!)
        : Math.floor(start[axis]! / -step[axis]!) + 1;
    });
    return { type: 'slice', start, step, size: most.map((size) => (random() < 0.7 ? size : below(size + 1))) };
  }
  if (choice === 4) {
    return { type: 'pad', before: shape.map(() => below(3)), after: shape.map(() => below(3)) };
  }
  return { type: 'permute', axes: shape.map((_, axis) => axis) };
}

const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
/** A shape, and a source of moves that does not run dry. */
const chains = fc.tuple(shapes, fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })));

describe('applyMoves', () => {
  it('reads through the view what doing the moves one by one gives', () => {
    let seen = 0;
    fc.assert(
      fc.property(chains, ([shape, stream]) => {
        const random = () => stream.next().value as number;
        let plain: Plain = { shape, elements: Array.from({ length: sizeOf(shape) }, (_, i) => i + 1) };
        let view = contiguous(shape);
        for (let i = 0; i < 6 && plain.elements.length < 300; i++) {
          const move = randomMove(view.shape, random);
          plain = moveEagerly(plain, move);
          const next = applyMove(view, move);
          if (!next) {
            // One strided view cannot say it: a reshape across strides, or of a padded axis.
            expect(move.type).toBe('reshape');
            if (!view.valid) expect(isStrided(plain)).toBe(false);
            return;
          }
          view = next;
          seen++;
          expect(view.shape).toEqual(plain.shape);
          expect(read(view)).toEqual(plain.elements);
        }
      }),
      { numRuns: 2000 },
    );
    expect(seen).toBeGreaterThan(4000);
  });

  it('gives up as a whole where one move has no view', () => {
    const across: Move[] = [
      { type: 'permute', axes: [1, 0] },
      { type: 'reshape', shape: [6] },
    ];
    expect(applyMoves(contiguous([2, 3]), across)).toBeNull();
    expect(applyMoves(contiguous([2, 3]), [across[1]!])).toEqual(contiguous([6]));
  });

  it('forgets padding that a slice takes away again', () => {
    const there: Move = { type: 'pad', before: [1, 0], after: [2, 0] };
    const back: Move = { type: 'slice', start: [1, 0], step: [1, 1], size: [2, 3] };
    expect(applyMoves(contiguous([2, 3]), [there, back])).toEqual(contiguous([2, 3]));
  });
});

const views = chains.map(([shape, stream]) => {
  let view = contiguous(shape);
  for (let i = 0; i < 3; i++)
    view =
      applyMove(
        view,
        randomMove(view.shape, () => stream.next().value as number),
      ) ?? view;
  return view;
});

describe('what views say of themselves', () => {
  it('isContiguous: element i of the shape is element i of the buffer', () => {
    fc.assert(
      fc.property(views, (view) => {
        fc.pre(sizeOf(view.shape) > 0 && !view.valid);
        expect(isContiguous(view)).toBe(read(view).every((element, i) => element === i + 1));
      }),
      { numRuns: 1000 },
    );
  });

  it('isRows: each row along the axes reads one element, and rows lie in order', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 15 }), views, (shape, mask, other) => {
        fc.pre(sizeOf(shape) > 0);
        const reduced = (axis: number) => ((mask >> axis) & 1) === 1;
        const kept = shape.map((size, axis) => (reduced(axis) ? 1 : size));
        const view = applyMove(contiguous(kept), { type: 'expand', shape }) as View;
        const axes = shape.map((_, axis) => axis).filter(reduced);
        expect(isRows(view, axes)).toBe(true);
        if (sizeOf(other.shape) === 0 || other.valid) return;
        const rowOf = (c: readonly number[]) =>
          dot(
            c,
            rowMajor(other.shape.map((size, axis) => (reduced(axis) ? 1 : size))).map((stride, axis) =>
              reduced(axis) ? 0 : stride,
            ),
          );
        const wanted = coordinates(other.shape).map((c) => rowOf(c) + 1);
        const othersAxes = other.shape.map((_, axis) => axis).filter(reduced);
        expect(isRows(other, othersAxes)).toBe(read(other).every((element, i) => element === wanted[i]));
      }),
      { numRuns: 1000 },
    );
  });

  it('sameView: equal views read the same', () => {
    const strided = (stride: number): View => ({ shape: [1, 3], strides: [stride, 1], offset: 0, valid: null });
    expect(sameView(strided(3), strided(7))).toBe(true); // an axis of size 1 may have any stride
    expect(sameView(strided(3), contiguous([3]))).toBe(false);
    fc.assert(
      fc.property(views, views, (a, b) => {
        if (sameView(a, b)) expect(read(a)).toEqual(read(b));
        expect(sameView(a, { ...a })).toBe(true);
      }),
    );
  });
});
