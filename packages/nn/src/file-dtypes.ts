/** The dtypes of safetensors files: how many bytes a value has, what it becomes here, and what is written back. */
import { type DType, LoadError, type Tensor, type TypedArray, tensor } from '@tessera/tensor';
import { fromHalf } from '@tessera/tensor/backend';
import { type HeaderEntry, quote } from './header';

interface FileType {
  readonly bytes: number;
  /** What the values become. */
  readonly dtype: DType;
  /** One value; `start` is its byte. Where there is none, the bytes are taken as they are. */
  readonly read?: (view: DataView, start: number) => number | bigint;
}

/** Wider floats narrow to float32, other integers go to int32 where they fit. */
const fileTypes: ReadonlyMap<string, FileType> = /* @__PURE__ */ new Map<string, FileType>([
  ['F32', { bytes: 4, dtype: 'float32' }],
  ['F64', { bytes: 8, dtype: 'float32', read: (v, at) => v.getFloat64(at, true) }],
  ['F16', { bytes: 2, dtype: 'float32', read: (v, at) => fromHalf(v.getUint16(at, true)) }],
  ['BF16', { bytes: 2, dtype: 'float32', read: (v, at) => fromBfloat(v.getUint16(at, true)) }],
  ['I64', { bytes: 8, dtype: 'int32', read: (v, at) => v.getBigInt64(at, true) }],
  ['U64', { bytes: 8, dtype: 'int32', read: (v, at) => v.getBigUint64(at, true) }],
  ['I32', { bytes: 4, dtype: 'int32' }],
  ['U32', { bytes: 4, dtype: 'int32', read: (v, at) => v.getUint32(at, true) }],
  ['I16', { bytes: 2, dtype: 'int32', read: (v, at) => v.getInt16(at, true) }],
  ['U16', { bytes: 2, dtype: 'int32', read: (v, at) => v.getUint16(at, true) }],
  ['I8', { bytes: 1, dtype: 'int32', read: (v, at) => v.getInt8(at) }],
  ['U8', { bytes: 1, dtype: 'uint8' }],
  ['BOOL', { bytes: 1, dtype: 'bool' }],
]);

/** Bytes of a value. @throws LoadError where the dtype is none that is known. */
export function widthOf(key: string, dtype: string): number {
  const type = fileTypes.get(dtype);
  if (!type)
    throw new LoadError(
      `loadSafetensors: ${quote(key)} has dtype ${quote(dtype)}, known are ${[...fileTypes.keys()].join(', ')}; convert it first`,
    );
  return type.bytes;
}

/** A tensor from its bytes in the file. @throws LoadError for integers beyond int32. */
export function decode(key: string, { dtype, shape }: HeaderEntry, bytes: Uint8Array): Tensor {
  const type = fileTypes.get(dtype) as FileType;
  const typed = type.dtype === 'int32' ? Int32Array : Float32Array;
  if (!type.read) {
    if (type.bytes === 1) return tensor(bytes, { dtype: type.dtype, shape });
    // Typed arrays are little-endian on every machine that JavaScript's engines run on, and want to be aligned.
    const aligned = bytes.byteOffset % type.bytes === 0 ? bytes : bytes.slice();
    return tensor(new typed(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.length / type.bytes), { shape });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new typed(bytes.length / type.bytes);
  for (let i = 0; i < data.length; i++) {
    const value = type.read(view, i * type.bytes);
    if (type.dtype === 'int32' && (value < -(2 ** 31) || value >= 2 ** 31))
      throw new LoadError(
        `loadSafetensors: ${quote(key)} (${dtype}) has ${value} at element ${i}, beyond int32; store it as float or in parts`,
      );
    data[i] = Number(value);
  }
  return tensor(data, { shape });
}

/** bfloat16: the upper half of a float32. */
function fromBfloat(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
const scratch = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(4));

// ---- writing -----------------------------------------------------------------------------------------------------

export type WrittenType = 'F64' | 'F32' | 'I64' | 'I32' | 'U8' | 'BOOL';
const written: Record<DType, WrittenType> = { float32: 'F32', float16: 'F32', int32: 'I32', uint8: 'U8', bool: 'BOOL' };

/** What values of a dtype are written as; PyTorch's counters are int64. */
export const writtenAs = (dtype: DType, storedAs?: 'int64'): WrittenType =>
  storedAs === 'int64' ? 'I64' : written[dtype];

/** Values as the file has them. */
export function encode(data: TypedArray, type: WrittenType): Uint8Array {
  const array =
    type === 'I64'
      ? BigInt64Array.from(data, BigInt)
      : type === 'F32' && !(data instanceof Float32Array)
        ? Float32Array.from(data)
        : data;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
