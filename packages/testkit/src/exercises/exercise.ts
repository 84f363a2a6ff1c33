/**
 * Exercises: the ops, each with inputs that try it. From one row the suite makes the forward values, the first and the second
 * gradient on a backend and on the float64 reference; rows of a family add an empty axis, rank 0, broadcasting, views, NaN and ±∞.
 */
import { type DType, permute, slice, type Tensor, tensor } from '@tessera/tensor';

export interface Sample {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly number[];
}

export interface Exercise {
  readonly name: string;
  readonly f: (...inputs: Tensor[]) => Tensor | readonly Tensor[];
  /** Inputs of one call each. */
  readonly cases: readonly (readonly Sample[])[];
  /** Derivatives to compare: 0 where there is none, 1 where the second is not smooth enough to say. Default 2. */
  readonly orders?: 0 | 1 | 2;
  /** Its second derivative is a kernel so large that an emulated GPU takes minutes to compile it. */
  readonly largeSecond?: true;
  /** What may be off: a part of the largest element, or of each element by itself. Default 'largest'. */
  readonly within?: 'largest' | 'each';
}

/** Fractions in [0, 1), the same at every run. */
function hash(seed: number, i: number): number {
  let x = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39);
  return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const filled = (shape: readonly number[], dtype: DType, value: (i: number) => number): Sample => ({
  shape,
  dtype,
  data: Array.from({ length: sizeOf(shape) }, (_, i) => value(i)),
});

export interface FloatOptions {
  readonly from?: number;
  readonly to?: number;
  readonly seed?: number;
}
/** float32 numbers spread over [from, to). */
export const floats = (shape: readonly number[], { from = -2, to = 2, seed = 0 }: FloatOptions = {}): Sample =>
  filled(shape, 'float32', (i) => Math.fround(from + (to - from) * hash(seed, i)));
/** int32 numbers below `end`. */
export const integers = (shape: readonly number[], end: number, seed = 0): Sample =>
  filled(shape, 'int32', (i) => Math.floor(hash(seed, i) * end));
export const bools = (shape: readonly number[], seed = 0): Sample =>
  filled(shape, 'bool', (i) => Number(hash(seed, i) < 0.5));
export const values = (data: readonly number[], dtype: DType = 'float32'): Sample => ({
  shape: [data.length],
  dtype,
  data,
});

/** How an input lies in memory: as it is, or as a view with strides, offset and exchanged axes of a larger tensor. */
export type Layout = 'plain' | 'view';

export function toTensor({ shape, dtype, data }: Sample, layout: Layout = 'plain'): Tensor {
  if (layout === 'plain' || shape.length === 0) return tensor(Float64Array.from(data), { dtype, shape });
  // axes reversed; in the last of these two places before and every other place taken
  const base = [...shape].reverse();
  const last = base.length - 1;
  const wide = base.map((size, axis) => (axis === last ? 2 * size + 3 : size));
  const spread = new Float64Array(sizeOf(wide)).fill(1);
  const size = sizeOf(shape);
  for (let place = 0; place < size; place++) {
    let rest = place;
    let target = 0;
    // coordinates of `place`, last axis of `shape` first, which is the first axis of the base
    base.forEach((length, axis) => {
      const c = rest % length;
      rest = Math.floor(rest / length);
      target = target * (wide[axis] as number) + (axis === last ? 2 + 2 * c : c);
    });
    spread[target] = data[place] as number;
  }
  const taken = slice(
    tensor(spread, { dtype, shape: wide }),
    base.map((length, axis) => (axis === last ? ([2, 2 + 2 * length, 2] as const) : null)),
  );
  return permute(
    taken,
    base.map((_, axis) => last - axis),
  );
}
