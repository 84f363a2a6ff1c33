/**
 * safetensors (https://github.com/huggingface/safetensors): eight bytes with the header's length, the header, the values
 * one after the other. The format of PyTorch's and torchvision's weights here, and of checkpoints.
 */
import { ArgumentError, LoadError, type State, type Tensor, TesseraError, type TypedArray } from '@tessera/tensor';
import { decode, encode, type WrittenType, widthOf, writtenAs } from './file-dtypes';
import { writeFiles } from './files';
import { headerLength, parseHeader } from './header';
import { hashOf } from './integrity';
import { checkLayout } from './layout';
import { fileName, indexOf, isIndex, readShards, shardPath, split } from './shards';
import { type ByteSource, locate, nameOf } from './source';
import { type LoadedTensors, readTensors, shortHeader } from './stream';

/** How far the loading has come. */
export interface LoadProgress {
  /** Bytes of values that have arrived, of all shards. */
  readonly loaded: number;
  /** Bytes of values in all, as the header or the index has it; null where an index does not say. */
  readonly total: number | null;
}
export interface ReadOptions {
  /** Called whenever bytes have arrived. */
  readonly progress?: ((event: LoadProgress) => void) | undefined;
  /** SHA-256 that the file must have: `sha256-…` in base64 as in pages, or hex. Of shards: by file name, every one. */
  readonly integrity?: string | Readonly<Record<string, string>> | undefined;
  /** Ends the loading. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The tensors of a safetensors file, by key in the file's order, on the host until they are used. F64, F16 and BF16 become
 * float32; I64, U64, U32, I16, U16 and I8 become int32; BOOL and U8 stay. safetensors.torch.load.
 *
 * Bytes at hand are read at once. Paths, URLs, blobs and streams are read as they come: beside the tensors there is never more
 * than the bytes of one. A name that ends in `.index.json` is the index of a set in shards that lie beside it.
 * @throws LoadError naming key or place, for a header that is too long, malformed, or has duplicate keys; for offsets
 *   outside the data, overlapping, leaving gaps, or not matching shape and dtype; for integers beyond int32; for a source that
 *   fails, ends early, is aborted or has another hash; for shards that are missing or not as the index says. What a header
 *   says is believed only as far as the file is really that long, so a hostile one makes nothing large.
 */
export function loadSafetensors(file: Uint8Array | ArrayBuffer): LoadedTensors;
export function loadSafetensors(
  source: string | URL | Blob | ReadableStream<Uint8Array>,
  options?: ReadOptions,
): Promise<LoadedTensors>;
export function loadSafetensors(source: ByteSource, options: ReadOptions): Promise<LoadedTensors>;
export function loadSafetensors(source: ByteSource, options?: ReadOptions): LoadedTensors | Promise<LoadedTensors> {
  if (!options && source instanceof Uint8Array) return readBytes(source);
  if (!options && source instanceof ArrayBuffer) return readBytes(new Uint8Array(source));
  return readSource(source, options ?? {});
}

function readBytes(bytes: Uint8Array): LoadedTensors {
  if (bytes.length < 8)
    throw new LoadError(`loadSafetensors: the file has ${bytes.length} bytes, wants at least 8; it is truncated`);
  const length = headerLength(bytes);
  const start = 8 + length;
  if (start > bytes.length) throw shortHeader(length, bytes.length - 8);
  const header = parseHeader(bytes.subarray(8, start));
  checkLayout(header, bytes.length - start);
  const tensors = new Map<string, Tensor>();
  for (const [key, entry] of header.entries)
    tensors.set(key, decode(key, entry, bytes.subarray(start + entry.offsets[0], start + entry.offsets[1])));
  return { tensors, metadata: header.metadata };
}

async function readSource(source: ByteSource, { progress, integrity, signal }: ReadOptions): Promise<LoadedTensors> {
  const place = typeof source === 'string' || source instanceof URL ? locate(source) : source;
  const tell = progress && ((loaded: number, total: number | null) => progress({ loaded, total }));
  const isName = typeof place === 'string' || place instanceof URL;
  if (isName && isIndex(place)) {
    if (typeof integrity === 'string')
      throw new ArgumentError(
        `loadSafetensors: one hash for the shards of ${fileName(place)}; give one for each, { 'model-00001-of-00002.safetensors': 'sha256-…', … }`,
      );
    const hashes = integrity && new Map(Object.entries(integrity).map(([file, text]) => [file, hashOf(text)]));
    return readShards(place, { signal, progress: tell, hashes });
  }
  const name = isName ? fileName(place) : nameOf(place);
  const wanted = typeof integrity === 'object' ? integrity[name] : integrity;
  if (integrity !== undefined && wanted === undefined)
    throw new ArgumentError(`loadSafetensors: integrity has no hash of ${name}; give the hash itself`);
  return readTensors(place, { signal, progress: tell, hash: wanted === undefined ? undefined : hashOf(wanted) });
}

// ---- writing -----------------------------------------------------------------------------------------------------

/** What is saved: tensors and state by key. */
export type Saved = ReadonlyMap<string, Tensor | State> | Readonly<Record<string, Tensor | State>>;

/** How state asks to be stored, where that is not its own dtype: PyTorch's counters are int64. */
export interface StoredAs {
  readonly storedAs?: 'int64';
}

export interface WriteOptions {
  /** Texts by name, in the header of every file. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /**
   * Most bytes of values in a file. Where that is exceeded, `model.safetensors` becomes `model-00001-of-00003.safetensors` …
   * with `model.safetensors.index.json` beside them, as Hugging Face has it. Default: one file of any size.
   */
  readonly maxShardSize?: number | undefined;
}

/**
 * The bytes of a safetensors file with these tensors and this metadata, laid out as the reference implementation does: wide
 * dtypes first, then by key, the header padded to eight bytes. Reads all values. safetensors.torch.save.
 *
 * With a path or a stream, writes it there, a tensor after the other, all of the version that they have at the call. A path
 * stands for the old set until all of the new one is on the disk.
 * @throws ArgumentError for a key that the format keeps for itself; TesseraError where it cannot be written.
 */
export function saveSafetensors(tensors: Saved, metadata?: Readonly<Record<string, string>>): Promise<Uint8Array>;
export function saveSafetensors(
  tensors: Saved,
  target: string | WritableStream<Uint8Array>,
  options?: WriteOptions,
): Promise<void>;
export async function saveSafetensors(
  tensors: Saved,
  target: string | WritableStream<Uint8Array> | Readonly<Record<string, string>> = {},
  { metadata = {}, maxShardSize = Number.POSITIVE_INFINITY }: WriteOptions = {},
): Promise<unknown> {
  const list = tensors instanceof Map ? [...tensors] : Object.entries(tensors as Record<string, Tensor | State>);
  if (list.some(([key]) => key === '__metadata__'))
    throw new ArgumentError(
      'saveSafetensors: no tensor can be called __metadata__, the format uses that key; rename it',
    );
  if (!(maxShardSize > 0))
    throw new ArgumentError(`saveSafetensors: maxShardSize is ${maxShardSize}, wants a number of bytes above 0`);
  if (typeof target === 'string') {
    await writeSet(target, list.map(item), maxShardSize, metadata);
    return;
  }
  if (target instanceof WritableStream) {
    if (maxShardSize !== Number.POSITIVE_INFINITY)
      throw new ArgumentError('saveSafetensors: a stream is one file, maxShardSize wants a path; leave it out');
    await writeStream(target, pieces(list.map(item), metadata));
    return;
  }
  return inMemory(list, target);
}

/** A tensor to be written: the length of its bytes is known, they are read when it is its turn. */
interface Item {
  readonly key: string;
  readonly shape: readonly number[];
  readonly type: WrittenType;
  readonly length: number;
  read(): Promise<Uint8Array>;
}
function item([key, value]: [string, Tensor | State]): Item {
  const shape = value.shape as readonly number[];
  const type = writtenAs(value.dtype, (value as StoredAs).storedAs);
  // The present version: a step that runs meanwhile makes the next.
  const tensor = 'read' in value ? value.read() : value;
  const length = shape.reduce((product, size) => product * size, widthOf(key, type));
  return { key, shape, type, length, read: async () => encode(await tensor.data(), type) };
}

/** All values are asked for before any is awaited. Those of a float64 backend are written as they are. */
async function inMemory(list: [string, Tensor | State][], metadata: Readonly<Record<string, string>>) {
  const known = list.map(async (entry): Promise<Item> => {
    const own = item(entry);
    const data: TypedArray = await entry[1].data();
    const type = data instanceof Float64Array ? 'F64' : own.type;
    const bytes = encode(data, type);
    return { ...own, type, length: bytes.length, read: async () => bytes };
  });
  const all: Uint8Array[] = [];
  for await (const piece of pieces(await Promise.all(known), metadata)) all.push(piece);
  const file = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let place = 0;
  for (const piece of all) {
    file.set(piece, place);
    place += piece.length;
  }
  return file;
}

/** A file: the header, then the values. */
async function* pieces(items: readonly Item[], metadata: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array> {
  const width = ({ key, type }: Item) => widthOf(key, type);
  const ordered = [...items].sort((a, b) => width(b) - width(a) || (a.key < b.key ? -1 : 1));
  const members = Object.keys(metadata).length ? [`"__metadata__":${JSON.stringify(metadata)}`] : [];
  let end = 0;
  for (const { key, type, shape, length } of ordered) {
    const entry = { dtype: type, shape, data_offsets: [end, (end += length)] };
    members.push(`${JSON.stringify(key)}:${JSON.stringify(entry)}`);
  }
  const text = new TextEncoder().encode(`{${members.join()}}`);
  const header = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20, 8);
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  yield header;
  for (const { length, read } of ordered) if (length > 0) yield await read();
}

async function writeSet(
  path: string,
  items: readonly Item[],
  most: number,
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const shards = split(items, most);
  if (shards.length === 1) return writeFiles('saveSafetensors', [{ path, chunks: pieces(items, metadata) }]);
  const files = shards.map((shard, i) => ({
    path: shardPath(path, i, shards.length),
    chunks: pieces(shard, metadata),
  }));
  const index = new TextEncoder().encode(indexOf(path, shards));
  await writeFiles('saveSafetensors', [...files, { path: `${path}.index.json`, chunks: [index] }]);
}

async function writeStream(target: WritableStream<Uint8Array>, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const writer = target.getWriter();
  try {
    for await (const piece of chunks) await writer.write(piece);
    await writer.close();
  } catch (cause) {
    await writer.abort(cause).catch(() => {});
    if (cause instanceof TesseraError) throw cause;
    throw new TesseraError(
      `saveSafetensors: the stream takes no more (${(cause as Error).message}); it is no whole file`,
      {
        cause,
      },
    );
  } finally {
    writer.releaseLock();
  }
}
