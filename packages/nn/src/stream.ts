/** A source read from its first byte to its last, checked on the way; what goes wrong is named with the place. */
import { LoadError, type Tensor, TesseraError } from '@tessera/tensor';
import { ByteReader } from './byte-reader';
import { decode } from './file-dtypes';
import { type Header, headerLength, parseHeader } from './header';
import { hex, sha256 } from './integrity';
import { checkLayout, dataLength } from './layout';
import { type ByteSource, nameOf, openSource } from './source';

export interface StreamOptions {
  /** SHA-256 that it must have, in hex. */
  readonly hash?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sees the header before any value is read. */
  readonly accept?: (header: Header) => void;
  /** Called with the bytes of values that have come, and with all there are. */
  readonly progress?: ((loaded: number, total: number) => void) | undefined;
}

export interface LoadedTensors {
  readonly tensors: Map<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The tensors of one file, each made as soon as its bytes are there. @throws LoadError */
export function readTensors(
  source: ByteSource,
  { accept, progress, ...options }: StreamOptions,
): Promise<LoadedTensors> {
  let tell = (_arrived: number): void => {};
  return read(source, { ...options, saw: (arrived) => tell(arrived) }, async (reader, size) => {
    const eight = await reader.take(8, true);
    if (eight.length < 8)
      throw new LoadError(`loadSafetensors: the file has ${eight.length} bytes, wants at least 8; it is truncated`);
    const length = headerLength(eight);
    const start = 8 + length;
    if (size !== null && start > size) throw shortHeader(length, size - 8);
    const text = await reader.take(length, false);
    if (text.length < length) throw shortHeader(length, text.length);
    const header = parseHeader(text);
    const total = size === null ? dataLength(header) : size - start;
    const inOrder = checkLayout(header, total);
    accept?.(header);
    tell = (arrived) => progress?.(Math.min(arrived - start, total), total);
    tell(reader.arrived);
    const found = new Map<string, Tensor>();
    for (const [key, entry] of inOrder) {
      const wanted = entry.offsets[1] - entry.offsets[0];
      const bytes = await reader.take(wanted, size !== null);
      if (bytes.length < wanted)
        throw new LoadError(
          `loadSafetensors: the file ends in the values of ${JSON.stringify(key)}, after ${reader.arrived} of ${start + total} bytes; it is truncated`,
        );
      found.set(key, decode(key, entry, bytes));
    }
    const keys = [...header.entries.keys()];
    return { tensors: new Map(keys.map((key) => [key, found.get(key) as Tensor])), metadata: header.metadata };
  });
}

/** All bytes of a short file. @throws LoadError where it is longer than `most`. */
export function readAll(source: ByteSource, most: number, options: StreamOptions): Promise<Uint8Array> {
  return read(source, options, async (reader) => {
    const bytes = await reader.take(most, false);
    if (bytes.length === most) throw new LoadError(`loadSafetensors: it has ${most} bytes or more; is it an index?`);
    return bytes;
  });
}

export const shortHeader = (wanted: number, saw: number): LoadError =>
  new LoadError(
    `loadSafetensors: the header wants ${wanted} bytes, the file has ${saw} behind its length; it is truncated`,
  );

interface Watch {
  readonly hash?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly saw?: (arrived: number) => void;
}

/** Opens, hands to `body`, makes sure that nothing follows and that the hash is right, and closes. */
async function read<T>(
  source: ByteSource,
  { hash, signal, saw }: Watch,
  body: (reader: ByteReader, size: number | null) => Promise<T>,
): Promise<T> {
  let reader: ByteReader | null = null;
  try {
    signal?.throwIfAborted();
    const hasher = hash === undefined ? null : await sha256();
    const { size, chunks } = await openSource(source, signal);
    reader = new ByteReader(chunks, (piece, arrived) => {
      signal?.throwIfAborted();
      hasher?.update(piece);
      saw?.(arrived);
    });
    const result = await body(reader, size);
    const more = await reader.take(1, true);
    signal?.throwIfAborted();
    if (more.length > 0)
      throw new LoadError(
        'loadSafetensors: something follows the values; the file is damaged, or has another size now',
      );
    const actual = hasher && hex(hasher.digest());
    if (actual !== null && actual !== hash)
      throw new LoadError(
        `loadSafetensors: the SHA-256 is ${actual}, wants ${hash}; the file is damaged or not the one that was meant`,
      );
    return result;
  } catch (cause) {
    throw failure(nameOf(source), reader?.arrived ?? 0, cause, signal);
  } finally {
    await reader?.close();
  }
}

/** What went wrong, with its place. */
function failure(name: string, arrived: number, cause: unknown, signal?: AbortSignal): unknown {
  const told = (text: string) => new LoadError(`loadSafetensors: ${name}: ${text}`, { cause });
  if (signal?.aborted) return told(`aborted after ${arrived} bytes`);
  if (cause instanceof LoadError) return told(cause.message.replace(/^loadSafetensors: /, ''));
  if (cause instanceof TesseraError) return cause;
  return told(`could not be read after ${arrived} bytes (${reason(cause)}); is it there, and the connection good?`);
}
/** `fetch` says only that it failed; why is in the cause. */
const reason = (cause: unknown): string =>
  cause instanceof Error
    ? cause.cause instanceof Error
      ? `${cause.message}: ${cause.cause.message}`
      : cause.message
    : String(cause);
