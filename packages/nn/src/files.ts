/** Files that are whole or not there: how checkpoints are written and read in Node, Deno and Bun. */
import { BackendError, LoadError, TesseraError } from '@tessera/tensor';

/** What is used of `node:fs/promises`, spelled out so that a program for pages need not know Node's types. */
export interface Files {
  open(path: string, flags: string): Promise<OpenFile>;
  rename(from: string, to: string): Promise<void>;
  rm(path: string, options: { force: boolean }): Promise<void>;
  readFile(path: string): Promise<Uint8Array>;
}
interface OpenFile {
  writeFile(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Node's file system, asked for at the call: nothing here is imported, so a bundle for pages carries no trace of it.
 * @throws BackendError in a page, which has no files.
 */
function files(op: string): Files {
  const found = globalThis.process?.getBuiltinModule?.('node:fs/promises');
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
  const beside = `${path}.${globalThis.process.pid}.part`;
  try {
    const file = await fs.open(beside, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(beside, path);
  } catch (cause) {
    await fs.rm(beside, { force: true }).catch(() => {});
    throw new TesseraError(
      `writeFile: ${path} could not be written (${(cause as Error).message}); what was there before is untouched`,
      { cause },
    );
  }
  await syncDirectory(path, fs);
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
