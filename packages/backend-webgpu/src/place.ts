/** Where a kernel is in its domain, and where a view then reads: all index arithmetic of the shaders is written here. */
import { isContiguous, type Load, rowMajor, type View } from '@tessera/tensor/backend';
import type { Block } from './shader';

/** A place in a kernel's domain, in WGSL. */
export interface Place {
  /** The coordinate along an axis, an i32. */
  coord(axis: number): string;
  /** Row-major position of the coordinates in the domain, a u32, where it is known. */
  readonly linear?: string;
  /** The kernel's own results there. */
  acc?(index: number): string;
  /** The element that a view has there, as text, where part of it is known further out. */
  element?(view: View): string;
  /** The element of a load as a part of a vector that is read for four places at once (vector.ts); null where it is not. */
  quarter?(load: Load): string | null;
}

/** The coordinate along `axis` of the element at the row-major position `linear` (u32) of a shape. */
export function unravel(linear: string, shape: readonly number[], axis: number): string {
  const size = shape[axis] as number;
  if (size <= 1) return '0i';
  const stride = rowMajor(shape)[axis] as number;
  if (stride === 0) return '0i'; // of a shape without elements
  const outermost = shape.slice(0, axis).every((other) => other === 1);
  const divided = stride === 1 ? linear : `${linear} / ${stride}u`;
  return outermost ? `i32(${divided})` : `i32(${divided} % ${size}u)`;
}

/** The element of a row-major position. */
export const atLinear = (linear: string, shape: readonly number[], acc?: (index: number) => string): Place => ({
  coord: (axis) => unravel(linear, shape, axis),
  linear,
  ...(acc && { acc }),
});

/** A place given by its coordinates. */
export const atCoords = (coords: readonly string[], acc?: (index: number) => string): Place => ({
  coord: (axis) => coords[axis] as string,
  ...(acc && { acc }),
});

/** Coordinates, or parts of them, where they are known. */
export interface Known {
  readonly block: Pick<Block, 'once'>;
  readonly coords: readonly string[];
}

/** A place whose coordinates are the sums of what is known in each block, outermost first: each adds to an element what it knows. */
export const atSums = (terms: readonly Known[]): Place => ({
  coord: (axis) => sumOf(terms.map(({ coords }) => coords[axis] as string)),
  element(view) {
    let sum = `${view.offset}i`;
    const blocks = [...new Set(terms.map(({ block }) => block))];
    for (const block of blocks) {
      const here = terms.filter((term) => term.block === block);
      const own = here.map(({ coords }) => elementOf({ ...view, offset: 0 }, coords));
      sum = block.once(sumOf([sum, block.once(sumOf(own), 'at')]), 'e');
    }
    return sum;
  },
});
export const sumOf = (terms: readonly string[]): string => terms.filter((term) => term !== '0i').join(' + ') || '0i';

/** The coordinates themselves. */
export const coordsOf = (terms: readonly Known[]): string[] => {
  const { coord } = atSums(terms);
  return (terms[0] as Known).coords.map((_, axis) => coord(axis));
};

type Coord = string | (() => string);
const text = (coord: Coord | undefined): string => (typeof coord === 'function' ? coord() : (coord ?? '0i'));

/** The element that a view has at these coordinates: offset + Σ coordinate·stride. */
export function elementOf(view: View, coords: readonly Coord[], linear?: string): string {
  if (linear !== undefined && isContiguous(view)) return linear;
  const terms: string[] = [];
  view.strides.forEach((stride, axis) => {
    if (stride === 0 || view.shape[axis] === 1) return;
    const coord = text(coords[axis]);
    if (coord === '0i') return;
    terms.push(stride === 1 ? coord : `${/^\w+$/.test(coord) ? coord : `(${coord})`} * ${stride}i`);
  });
  // before the first element is what no test lets through; as a constant the language refuses it
  if (terms.length === 0) return `${Math.max(0, view.offset)}i`;
  if (view.offset !== 0) terms.push(`${view.offset}i`);
  return terms.join(' + ');
}

/**
 * That all tests hold, null where there are none. Without the short circuit of `&&`, which is a branch each: an emulated shader
 * of a few hundred took 17 s to compile.
 */
export function all(tests: readonly string[]): string | null {
  if (tests.length < 2) return tests[0] ?? null;
  return tests.map((test) => (/^\w+$/.test(test) ? test : `(${test})`)).join(' & ');
}

/** The condition under which a view has an element at these coordinates; null where it always has. */
export function validity({ shape, valid }: View, coords: readonly Coord[], computed: boolean): string | null {
  const tests: string[] = [];
  shape.forEach((size, axis) => {
    const [low, high] = [Math.max(0, valid?.[axis]?.[0] ?? 0), Math.min(size, valid?.[axis]?.[1] ?? size)];
    if (!computed && low === 0 && high === size) return;
    const coord = text(coords[axis]);
    if (low === 0) tests.push(`u32(${coord}) < ${Math.max(0, high)}u`);
    else
      tests.push(
        ...(low > 0 ? [`${coord} >= ${low}i`] : []),
        ...(computed || high < size ? [`${coord} < ${high}i`] : []),
      );
  });
  return all(tests);
}
