/**
 * safetensors (https://github.com/huggingface/safetensors): eight bytes with the header's length, the header, the values
 * one after the other. The format of PyTorch's and torchvision's weights here, and of checkpoints.
 */
import {
  ArgumentError,
  type DType,
  LoadError,
  type State,
  type Tensor,
  type TypedArray,
  tensor,
} from '@tessera/tensor';
import { type Header, type HeaderEntry, parseHeader, quote } from './header';

interface FileType {
  readonly bytes: number;
  /** What the values become. */
  readonly dtype: DType;
  /** One value; `start` is its byte. Where there is none, the bytes are taken as they are. */
  readonly read?: (view: DataView, start: number) => number | bigint;
}

/** The dtypes of files. Wider floats narrow to float32, other integers go to int32 where they fit. */
const fileTypes: ReadonlyMap<string, FileType> = /* @__PURE__ */ new Map<string, FileType>([
  ['F32', { bytes: 4, dtype: 'float32', read: (v, at) => v.getFloat32(at, true) }],
  ['F64', { bytes: 8, dtype: 'float32', read: (v, at) => v.getFloat64(at, true) }],
  ['F16', { bytes: 2, dtype: 'float32', read: (v, at) => fromHalf(v.getUint16(at, true)) }],
  ['BF16', { bytes: 2, dtype: 'float32', read: (v, at) => fromBfloat(v.getUint16(at, true)) }],
  ['I64', { bytes: 8, dtype: 'int32', read: (v, at) => v.getBigInt64(at, true) }],
  ['U64', { bytes: 8, dtype: 'int32', read: (v, at) => v.getBigUint64(at, true) }],
  ['I32', { bytes: 4, dtype: 'int32', read: (v, at) => v.getInt32(at, true) }],
  ['U32', { bytes: 4, dtype: 'int32', read: (v, at) => v.getUint32(at, true) }],
  ['I16', { bytes: 2, dtype: 'int32', read: (v, at) => v.getInt16(at, true) }],
  ['U16', { bytes: 2, dtype: 'int32', read: (v, at) => v.getUint16(at, true) }],
  ['I8', { bytes: 1, dtype: 'int32', read: (v, at) => v.getInt8(at) }],
  ['U8', { bytes: 1, dtype: 'uint8' }],
  ['BOOL', { bytes: 1, dtype: 'bool' }],
]);

export interface LoadedTensors {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The tensors of a safetensors file, by key in the file's order, on the host until they are used. F64, F16 and BF16 become
 * float32; I64, U64, U32, I16, U16 and I8 become int32; BOOL and U8 stay. safetensors.torch.load.
 * @throws LoadError naming key or place, for a header that is too long, malformed, or has duplicate keys; for offsets
 *   outside the data, overlapping, leaving gaps, or not matching shape and dtype; for integers beyond int32. What a header
 *   says is believed only as far as the file is really that long, so a hostile one makes nothing large.
 */
export function loadSafetensors(file: Uint8Array | ArrayBuffer): LoadedTensors {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const { header, start } = readHeader(bytes);
  checkLayout(header, bytes.length - start);
  const tensors = new Map<string, Tensor>();
  for (const [key, entry] of header.entries) tensors.set(key, readTensor(bytes, start, key, entry));
  return { tensors, metadata: header.metadata };
}

/** Longest header of the reference implementation. */
const maxHeader = 100_000_000;

function readHeader(bytes: Uint8Array): { header: Header; start: number } {
  if (bytes.length < 8)
    throw new LoadError(`loadSafetensors: the file has ${bytes.length} bytes, wants at least 8; it is truncated`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > maxHeader)
    throw new LoadError(
      `loadSafetensors: the header is ${length} bytes long, at most ${maxHeader} are allowed; is it a safetensors file?`,
    );
  const start = 8 + Number(length);
  if (start > bytes.length)
    throw new LoadError(
      `loadSafetensors: the header wants ${length} bytes, the file has ${bytes.length - 8} behind its length; it is truncated`,
    );
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start));
  } catch (cause) {
    throw new LoadError('loadSafetensors: the header is no UTF-8; is it a safetensors file?', { cause });
  }
  return { header: parseHeader(text), start };
}

/** Every entry has the bytes its shape and dtype want; together they cover the data once, without gaps. */
function checkLayout({ entries }: Header, length: number): void {
  for (const [key, { dtype, shape, offsets }] of entries) {
    const type = fileTypes.get(dtype);
    if (!type)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} has dtype ${quote(dtype)}, known are ${[...fileTypes.keys()].join(', ')}; convert it first`,
      );
    const [begin, end] = offsets;
    if (begin > end || end > length)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} has offsets [${offsets}], the data is ${length} bytes long; the file is truncated or damaged`,
      );
    // Products beyond 2^53 are inexact, and even so never equal to the bytes of a real file.
    const wanted = shape.reduce((product, size) => product * size, type.bytes);
    if (end - begin !== wanted)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} has offsets [${offsets}], ${end - begin} bytes; ${dtype} [${shape}] wants ${wanted}`,
      );
  }
  const ordered = [...entries].sort(([, a], [, b]) => a.offsets[0] - b.offsets[0] || a.offsets[1] - b.offsets[1]);
  let place = 0;
  for (const [key, { offsets }] of ordered) {
    if (offsets[0] !== place)
      throw new LoadError(
        `loadSafetensors: ${quote(key)} begins at offset ${offsets[0]}, the values before it end at ${place}: ` +
          `${offsets[0] < place ? 'they overlap' : 'there is a gap'}; the file is damaged`,
      );
    place = offsets[1];
  }
  if (place !== length)
    throw new LoadError(
      `loadSafetensors: the values end at offset ${place}, the data at ${length}; something follows them, the file is damaged`,
    );
}

function readTensor(bytes: Uint8Array, start: number, key: string, { dtype, shape, offsets }: HeaderEntry): Tensor {
  const type = fileTypes.get(dtype) as FileType;
  const values = bytes.subarray(start + offsets[0], start + offsets[1]);
  if (!type.read) return tensor(values, { dtype: type.dtype, shape });
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  const data = new (type.dtype === 'int32' ? Int32Array : Float32Array)(values.length / type.bytes);
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

/** IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction. */
function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** bfloat16: the upper half of a float32. */
function fromBfloat(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
const scratch = /* @__PURE__ */ new DataView(/* @__PURE__ */ new ArrayBuffer(4));

// ---- writing -----------------------------------------------------------------------------------------------------

/** What is saved: tensors and state by key. */
export type Saved = ReadonlyMap<string, Tensor | State> | Readonly<Record<string, Tensor | State>>;

/** How state asks to be stored, where that is not its own dtype: PyTorch's counters are int64. */
export interface StoredAs {
  readonly storedAs?: 'int64';
}

/**
 * The bytes of a safetensors file with these tensors and this metadata, laid out as the reference implementation does: wide
 * dtypes first, then by key, the header padded to eight bytes. Reads all values. safetensors.torch.save.
 */
export async function saveSafetensors(
  tensors: Saved,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const list = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, Tensor | State>);
  if (list.some(([key]) => key === '__metadata__'))
    throw new ArgumentError(
      'saveSafetensors: no tensor can be called __metadata__, the format uses that key; rename it',
    );
  // Read as one version of everything: the values are all asked for before any is awaited.
  const found = await Promise.all(
    list.map(async ([key, value]) => {
      const shape = value.shape as readonly number[];
      return { key, shape, ...encode(await value.data(), value.dtype, (value as StoredAs).storedAs) };
    }),
  );
  found.sort((a, b) => widthOf(b.type) - widthOf(a.type) || (a.key < b.key ? -1 : 1));
  const members = Object.keys(metadata).length ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  let end = 0;
  for (const { key, type, shape, bytes } of found) {
    const entry = { dtype: type, shape, data_offsets: [end, (end += bytes.length)] };
    members.push(`${JSON.stringify(key)}:${JSON.stringify(entry)}`);
  }
  const text = new TextEncoder().encode(`{${members.join()}}`);
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(file.buffer).setBigUint64(0, BigInt(start - 8), true);
  file.set(text, 8);
  let place = start;
  for (const { bytes } of found) {
    file.set(bytes, place);
    place += bytes.length;
  }
  return file;
}

const widthOf = (type: string): number => (fileTypes.get(type) as FileType).bytes;

/** Values as the file has them. Typed arrays are little-endian on every machine that JavaScript's engines run on. */
function encode(data: TypedArray, dtype: DType, storedAs?: 'int64'): { type: string; bytes: Uint8Array } {
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  if (storedAs === 'int64') return { type: 'I64', bytes: bytes(BigInt64Array.from(data, BigInt)) };
  switch (dtype) {
    case 'int32':
      return { type: 'I32', bytes: bytes(data) };
    case 'uint8':
      return { type: 'U8', bytes: bytes(data) };
    case 'bool':
      return { type: 'BOOL', bytes: bytes(data) };
    case 'float32':
    case 'float16':
      return data instanceof Float64Array ? { type: 'F64', bytes: bytes(data) } : { type: 'F32', bytes: bytes(data) };
  }
}
