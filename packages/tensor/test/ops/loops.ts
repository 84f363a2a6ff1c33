/** Tensors beside plain arrays, for references written as loops. */
import { expect } from 'vitest';
import { type Tensor, tensor } from '../../src';
import { near } from './near';

/** Row-major numbers; `at` gives 0 outside of the shape. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  at(...place: readonly number[]): number;
  readonly tensor: Tensor;
}

export function plain(shape: readonly number[], data: readonly number[]): Plain {
  const at = (...place: readonly number[]): number => {
    let flat = 0;
    for (let axis = 0; axis < shape.length; axis++) {
      const [i, size] = [place[axis] as number, shape[axis] as number];
      if (i < 0 || i >= size) return 0;
      flat = flat * size + i;
    }
    return data[flat] as number;
  };
  return { shape, data, at, tensor: tensor(Float32Array.from(data), { shape }) };
}

/** f of every place, row-major. */
export function table(shape: readonly number[], f: (...place: number[]) => number): Plain {
  const data: number[] = [];
  const walk = (place: number[]): void => {
    if (place.length === shape.length) data.push(f(...place));
    else for (let i = 0; i < (shape[place.length] as number); i++) walk([...place, i]);
  };
  walk([]);
  return plain(shape, data);
}

/** 0, 1, 2, … */
export const counting = (shape: readonly number[]): Plain => {
  let next = 0;
  return table(shape, () => next++);
};
/** Multiples of 1/64 between −2 and 2 without an order to see; exact in float32. */
export const scattered = (shape: readonly number[], seed = 0): Plain => {
  let next = seed * 101;
  return table(shape, () => Math.round(256 * ((++next * 0.6180339887498949) % 1)) / 64 - 2);
};

/** Sum of f over 0 ≤ i < n. */
export const sumOver = (n: number, f: (i: number) => number): number =>
  Array.from({ length: n }, (_, i) => f(i)).reduce((a, b) => a + b, 0);

/** The tensor has that shape and, within rounding, those values. */
export async function expectNear(actual: Tensor, wanted: Plain, precision = 1e-12): Promise<void> {
  expect(actual.shape).toEqual(wanted.shape);
  expect([...(await actual.data())]).toEqual(near(wanted.data, precision));
}
/** What f throws, as `Class: message`. */
export function thrown(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    return String(error);
  }
  return 'nothing';
}
