/** Inputs for gradient checks: numbers without ties or round values, the same at every run. */
import { type Tensor, tensor } from '@tessera/tensor';

/** Values between −1.5 and 1.5, no two alike, in an order that looks random. */
export function scattered(shape: readonly number[], seed = 0): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  // Multiples of the golden ratio modulo 1 never repeat and never come close.
  const values = Float32Array.from(
    { length: size },
    (_, i) => 3 * (((i + 1 + 101 * seed) * 0.6180339887498949) % 1) - 1.5,
  );
  return tensor(values, { shape });
}
/** int32 of any shape. */
export const whole = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  tensor(Int32Array.from(values), { shape });
