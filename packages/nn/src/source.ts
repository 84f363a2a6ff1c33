/** Where bytes come from: files, the network, blobs, streams and memory, all as pieces that are read once. */
import { ArgumentError, LoadError } from '@tessera/tensor';
import { type Files, files, hasFiles, type OpenFile } from './files';

/** A path or URL, a picked file, the body of a response, or the bytes themselves. */
export type ByteSource = string | URL | Blob | ReadableStream<Uint8Array> | Uint8Array | ArrayBuffer;

export interface OpenSource {
  /** Bytes in all, where that is certain: what a server says of itself is not. */
  readonly size: number | null;
  /** A piece is good until the next one is asked for. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * What a name means. With a scheme it is a URL; `file:` and all else is a path where there is a file system, and in a page a URL
 * beside it. @throws ArgumentError
 */
export function locate(source: string | URL): string | URL {
  const isUrl = typeof source !== 'string' || /^(https?|file|data|blob):/i.test(source) || !hasFiles();
  if (!isUrl) return source;
  const url = parse(String(source));
  return url.protocol === 'file:' && hasFiles() ? process.getBuiltinModule('node:url').fileURLToPath(url) : url;
}

function parse(text: string): URL {
  try {
    return new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch (cause) {
    throw new ArgumentError(`loadSafetensors: ${JSON.stringify(text)} is no URL; wants https://host/path or a path`, {
      cause,
    });
  }
}

/** The place of a source as errors show it. */
export const nameOf = (source: ByteSource): string =>
  typeof source === 'string'
    ? source
    : source instanceof URL
      ? source.href.slice(0, 200)
      : source instanceof Blob
        ? ((source as Partial<File>).name ?? 'the blob')
        : source instanceof ReadableStream
          ? 'the stream'
          : 'the bytes';

/** @throws LoadError where there is no such file, or the server refuses; ArgumentError where it is no source. */
export async function openSource(source: ByteSource, signal?: AbortSignal): Promise<OpenSource> {
  if (typeof source === 'string') return openFile(source, files('loadSafetensors'));
  if (source instanceof URL) return { size: null, chunks: streamed(await request(source, signal), signal) };
  if (source instanceof Blob) return { size: source.size, chunks: streamed(source.stream(), signal) };
  if (source instanceof ReadableStream) return { size: null, chunks: streamed(source, signal) };
  if (!(source instanceof Uint8Array || source instanceof ArrayBuffer))
    throw new ArgumentError(
      `loadSafetensors: cannot read from ${source === null ? 'null' : typeof source}; wants a path, URL, Blob, ReadableStream or bytes`,
    );
  const bytes = source instanceof Uint8Array ? source : new Uint8Array(source);
  return { size: bytes.length, chunks: once(bytes) };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

const pieceOfFile = 1 << 20;

async function openFile(path: string, fs: Files): Promise<OpenSource> {
  const file = await fs.open(path, 'r');
  try {
    const { size, isFile } = await file.stat().then((stat) => ({ size: stat.size, isFile: stat.isFile() }));
    return { size: isFile ? size : null, chunks: pieces(file) };
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function* pieces(file: OpenFile): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(pieceOfFile);
  try {
    for (;;) {
      const { bytesRead } = await file.read(buffer);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function request(url: URL, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await fetch(url, signal ? { signal } : {});
  if (response.ok) return response.body ?? new Blob().stream();
  await response.body?.cancel();
  throw new LoadError(
    `loadSafetensors: the server answers ${response.status} ${response.statusText}`.trimEnd() +
      '; is the address right?',
  );
}

async function* streamed(stream: ReadableStream<Uint8Array>, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  const reader = stream.getReader();
  // A stream that has stalled answers the cancelling at once; whoever reads sees the signal.
  const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      if (!(value instanceof Uint8Array))
        throw new ArgumentError(`loadSafetensors: the stream gives pieces of ${typeof value}; wants Uint8Array`);
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    await reader.cancel().catch(() => {});
  }
}
