/** Files that are whole or not there: how checkpoints are written and read in Node, Deno and Bun. */
import { BackendError, LoadError, TesseraError } from '@tessera/tensor';

/** What is used of `node:fs/promises`, spelled out so that a program for pages need not know Node's types. */
export interface Files {
  open(path: string, flags: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: boolean }): Promise<void>;
  readFile(path: string): Promise<Uint8Array>;
}
export interface OpenFile {
  /** Each call writes behind what the last one wrote. */
  writeFile(bytes: Uint8Array): Promise<void>;
  /** Reads on, into the front of `buffer`. 0 bytes: the end. */
  read(buffer: Uint8Array): Promise<{ bytesRead: number }>;
  stat(): Promise<{ size: number; isFile(): boolean }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Is there a file system: Node, Deno, Bun, but no page? */
export const hasFiles = (): boolean => globalThis.process?.getBuiltinModule !== undefined;

/**
 * Node's file system, asked for at the call: nothing here is imported, so a bundle for pages carries no trace of it.
 * @throws BackendError in a page, which has no files.
 */
export function files(op: string): Files {
  const found: Files | undefined = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  if (!found)
    throw new BackendError(
      `${op}: there is no file system here; hand the bytes to fetch, a download or IndexedDB instead`,
    );
  return found;
}

/**
 * Writes a file so that its name always stands for a whole one: beside it, flushed to the disk, then renamed over it. Where
 * the program dies or the disk is full, the file of before is still there, untouched.
 * @throws TesseraError naming the path and the system's reason.
 */
export async function writeFile(path: string, bytes: Uint8Array, fs: Files = files('writeFile')): Promise<void> {
  await writeFiles('writeFile', [{ path, chunks: [bytes] }], fs);
}

/** A file to be written, a piece after the other. */
export interface NewFile {
  readonly path: string;
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/**
 * Writes files that belong together: all of them beside their places, and only then renamed. The last is the one that names
 * the others. It is gone while they change, so a program that dies meanwhile leaves the set of before, the new one, or none
 * that can be loaded: never a mixture.
 */
export async function writeFiles(op: string, list: readonly NewFile[], fs: Files = files(op)): Promise<void> {
  const besides = list.map(({ path }) => `${path}.${globalThis.process.pid}.part`);
  let [path, place] = ['', 'what was there before is untouched'];
  try {
    for (const [i, file] of list.entries()) {
      path = file.path;
      await writeSynced(besides[i] as string, file.chunks, fs);
    }
    if (list.length > 1) {
      place = 'the new files are only partly in place; write them again';
      await fs.rm(path, { force: true });
    }
    for (const [i, beside] of besides.entries()) {
      path = (list[i] as NewFile).path;
      await fs.rename(beside, path);
    }
  } catch (cause) {
    for (const beside of besides) await fs.rm(beside, { force: true }).catch(() => {});
    if (cause instanceof TesseraError) throw cause; // the values could not be had: no fault of the disk
    throw new TesseraError(`${op}: ${path} could not be written (${(cause as Error).message}); ${place}`, { cause });
  }
  await syncDirectory(path, fs);
}

async function writeSynced(path: string, chunks: NewFile['chunks'], fs: Files): Promise<void> {
  const file = await fs.open(path, 'w');
  try {
    for await (const bytes of chunks) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes the renaming itself last; systems that cannot flush a directory (Windows) order it by themselves. */
async function syncDirectory(path: string, fs: Files): Promise<void> {
  const cut = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  const directory = await fs.open(cut < 0 ? '.' : path.slice(0, cut + 1), 'r').catch(() => null);
  try {
    await directory?.sync().catch(() => {});
  } finally {
    await directory?.close();
  }
}

/** The bytes of a file. @throws LoadError naming the path and the system's reason. */
export async function readFile(path: string, fs: Files = files('readFile')): Promise<Uint8Array> {
  try {
    return await fs.readFile(path);
  } catch (cause) {
    throw new LoadError(`readFile: ${path} could not be read (${(cause as Error).message}); is the path right?`, {
      cause,
    });
  }
}
