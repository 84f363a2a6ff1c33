/** Numbers as a dtype keeps them on the host. */
import type { TypedArray } from './backend';
import { DTypeError } from './errors';
import type { DType } from './ir';

/** A fresh typed array of the storage that dtype has on the host. */
export function toTyped(data: ArrayLike<number>, dtype: DType): TypedArray {
  switch (dtype) {
    case 'int32':
      return Int32Array.from(data);
    case 'uint8':
      return Uint8Array.from(data);
    case 'bool':
      return Uint8Array.from(data, (value) => (value === 0 ? 0 : 1));
    case 'float16':
    case 'float32':
      return Float32Array.from(data);
    default:
      throw new DTypeError(
        `unknown dtype ${String(dtype satisfies never)}; use float32, int32, uint8, bool or float16`,
      );
  }
}
