/**
 * The IDX format of MNIST (http://yann.lecun.com/exdb/mnist): big-endian magic 00 00 <type> <rank>, a 32-bit size for each
 * axis, then the values, outermost axis first. gzip is recognised by its own magic.
 */
import { LoadError } from '@tessera/tensor';
import type { HostArray } from './array';

interface IdxType {
  readonly bytes: number;
  /** `count` values that begin at `start`. */
  readonly read: (view: DataView, start: number, count: number) => HostArray['data'];
}

/** What the third byte of the magic says the values are. Narrow integers widen to int32, doubles narrow to float32. */
const types: ReadonlyMap<number, IdxType> = /* @__PURE__ */ new Map<number, IdxType>([
  [0x08, { bytes: 1, read: (v, start, count) => new Uint8Array(v.buffer, v.byteOffset + start, count) }],
  [0x09, { bytes: 1, read: (v, start, count) => int32(count, (i) => v.getInt8(start + i)) }],
  [0x0b, { bytes: 2, read: (v, start, count) => int32(count, (i) => v.getInt16(start + 2 * i)) }],
  [0x0c, { bytes: 4, read: (v, start, count) => int32(count, (i) => v.getInt32(start + 4 * i)) }],
  [0x0d, { bytes: 4, read: (v, start, count) => float32(count, (i) => v.getFloat32(start + 4 * i)) }],
  [0x0e, { bytes: 8, read: (v, start, count) => float32(count, (i) => v.getFloat64(start + 8 * i)) }],
]);
const int32 = (length: number, at: (i: number) => number) => Int32Array.from({ length }, (_, i) => at(i));
const float32 = (length: number, at: (i: number) => number) => Float32Array.from({ length }, (_, i) => at(i));

export interface IdxOptions {
  /** What the file is called in errors. */
  readonly name?: string;
  /** The shape it must have; null where any size will do: images [null, 28, 28], labels [null]. */
  readonly shape?: readonly (number | null)[];
}

/**
 * Reads an IDX file, gzipped or not. Bytes of type uint8 are not copied.
 * @throws LoadError where the magic, a size or the length is wrong; it allocates nothing that the header alone asks for.
 */
export async function readIdx(file: Uint8Array | ArrayBuffer, options: IdxOptions = {}): Promise<HostArray> {
  const name = options.name ?? 'file';
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file);
  const gzipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const plain = gzipped ? await gunzip(bytes, name, options) : bytes;
  const { type, shape, start, length } = readHeader(plain, name, options);
  if (plain.length !== length)
    throw new LoadError(
      `readIdx: ${name} is ${plain.length} bytes long, its header [${shape}] wants ${length}; ` +
        (plain.length < length
          ? 'it is truncated: download it again'
          : 'something follows the values: is it an IDX file?'),
    );
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  return { data: type.read(view, start, (length - start) / type.bytes), shape };
}

/** Sizes and type; `length` is what the whole file must have. */
function readHeader(bytes: Uint8Array, name: string, options: IdxOptions) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length < 4 ? null : view.getUint32(0);
  const type = magic === null || magic >>> 16 !== 0 ? undefined : types.get(magic >>> 8);
  if (!type || magic === null)
    throw new LoadError(
      `readIdx: ${name} begins with ${magic === null ? `${bytes.length} bytes` : `0x${magic.toString(16).padStart(8, '0')}`}, ` +
        'an IDX file with 0x0000 and a type of 08, 09, 0b, 0c, 0d or 0e; is it another format?',
    );
  const rank = magic & 0xff;
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    throw new LoadError(
      `readIdx: ${name} ends inside its header (${bytes.length} bytes, rank ${rank} wants ${start}); download it again`,
    );
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const wanted = options.shape;
  if (wanted && (wanted.length !== rank || wanted.some((size, axis) => size !== null && size !== shape[axis])))
    throw new LoadError(
      `readIdx: ${name} has shape [${shape}], wanted [${wanted.map((size) => size ?? '?')}]; are images and labels mixed up?`,
    );
  // Sizes up to 2³² multiply past 2⁵³; what is inexact then is far beyond any file, and the comparison still refuses it.
  const length = start + shape.reduce((product, size) => product * size, type.bytes);
  return { type, shape, start, length };
}

/** Unpacks no more than the header, once there, allows for: a gzip bomb stops at its promised size. */
async function gunzip(bytes: Uint8Array, name: string, options: IdxOptions): Promise<Uint8Array> {
  const reader = new Blob([bytes as Uint8Array<ArrayBuffer>])
    .stream()
    .pipeThrough(new DecompressionStream('gzip'))
    .getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  let limit: number | null = null;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      chunks.push(next.value);
      total += next.value.length;
      const head = chunks.length === 1 ? next.value : null;
      if (limit === null && head && head.length >= 4 + 4 * 255) limit = readHeader(head, name, options).length;
      if (limit !== null && total > limit)
        throw new LoadError(
          `readIdx: ${name} unpacks to more than the ${limit} bytes of its header; is it an IDX file?`,
        );
    }
  } catch (cause) {
    if (cause instanceof LoadError) throw cause;
    throw new LoadError(`readIdx: ${name} does not unpack (gzip: ${(cause as Error).message}); download it again`, {
      cause,
    });
  } finally {
    await reader.cancel().catch(() => {});
  }
  const whole = new Uint8Array(total);
  let place = 0;
  for (const chunk of chunks) {
    whole.set(chunk, place);
    place += chunk.length;
  }
  return whole;
}
