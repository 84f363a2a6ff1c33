/** Which element a place of a window reads, and which window reads an element: for convolution and pooling, in GLSL ints. */
import { type PoolSizes, rowMajor } from '@tessera/tensor/backend';
import { constants, quotient, remainder, type Sizes } from '../division';

type Windows = Omit<PoolSizes, 'batch'>;
/** Coordinates, and the condition under which they are of something; null where they always are. */
interface Met {
  readonly coords: readonly string[];
  readonly valid: string | null;
}

/** The coordinates of a row-major position. */
export const unravel = (sizes: Sizes, position: string, shape: readonly number[]): string[] =>
  shape.map((size, axis) => {
    if (size === 1) return '0';
    const stride = rowMajor(shape)[axis] as number;
    const below = shape.reduce((a, b) => a * b, 1);
    const divided = quotient(sizes, position, stride, below);
    const outermost = shape.slice(0, axis).every((other) => other === 1);
    return outermost ? divided : remainder(sizes, divided, size, below / stride);
  });

/** The row-major position of coordinates. */
export const linearOf = (coords: readonly string[], shape: readonly number[]): string =>
  coords.reduce((sum, coord, axis) => (axis === 0 ? coord : `(${sum}) * ${shape[axis]} + ${coord}`), '0');

/** Place r of window p reads element p·stride + r·dilation − padding. */
export function inside(sizes: Windows, windows: readonly string[], places: readonly string[]): Met {
  const { input, kernel, output, stride, dilation, padding } = sizes;
  const tests: string[] = [];
  const coords = input.map((size, axis) => {
    const [s, d, p] = [stride[axis] as number, dilation[axis] as number, padding[axis] as number];
    const at = `(${windows[axis]} * ${s} + ${places[axis]} * ${d} - ${p})`;
    const most = ((output[axis] as number) - 1) * s + ((kernel[axis] as number) - 1) * d - p;
    if (p > 0) tests.push(`${at} >= 0`);
    if (most >= size) tests.push(`${at} < ${size}`);
    return at;
  });
  return { coords, valid: tests.length ? tests.join(' && ') : null };
}

/** The window whose place r is element q: (q + padding − r·dilation) / stride, where that is whole and a window. */
export function windowOf(sizes: Windows, elements: readonly string[], places: readonly string[]): Met {
  const { output, stride, dilation, padding } = sizes;
  const tests: string[] = [];
  const coords = output.map((size, axis) => {
    const [s, d, p] = [stride[axis] as number, dilation[axis] as number, padding[axis] as number];
    const from = `(${elements[axis]} + ${p} - ${places[axis]} * ${d})`;
    const window = quotient(constants, from, s, size * s + s); // a wrong one of a negative is told below
    tests.push(`${from} >= 0`, `${window} < ${size}`, ...(s === 1 ? [] : [`${window} * ${s} == ${from}`]));
    return window;
  });
  return { coords, valid: tests.length ? tests.join(' && ') : null };
}
