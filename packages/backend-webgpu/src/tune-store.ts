/** What a tuner has measured, kept from run to run: a file in Node, IndexedDB in a page or worker, nowhere else. */

/** Text by key. */
export interface TuneStore {
  load(): Promise<Map<string, string>>;
  keep(key: string, value: string): Promise<void>;
}

/** Where this program can keep something. A store that can not be read or written keeps nothing, and nobody is stopped. */
export function findStore(): TuneStore {
  if (globalThis.process?.versions?.node) return new FileStore();
  return typeof indexedDB === 'undefined' ? new NoStore() : new DatabaseStore();
}

class NoStore implements TuneStore {
  load(): Promise<Map<string, string>> {
    return Promise.resolve(new Map());
  }
  keep(): Promise<void> {
    return Promise.resolve();
  }
}

/** All writing of this program, that of other backends among it. */
let turn: Promise<void> = /* @__PURE__ */ Promise.resolve();

/** `$XDG_CACHE_HOME/tessera/webgpu-tuning.json`, or under `~/.cache`. */
export class FileStore implements TuneStore {
  readonly #file: string;

  constructor(folder?: string) {
    const { join } = process.getBuiltinModule('node:path');
    const home = process.getBuiltinModule('node:os').homedir();
    const cache = folder ?? join(process.env['XDG_CACHE_HOME'] || join(home, '.cache'), 'tessera');
    this.#file = join(cache, 'webgpu-tuning.json');
  }

  async load(): Promise<Map<string, string>> {
    const { readFile } = process.getBuiltinModule('node:fs/promises');
    try {
      const entries: unknown = JSON.parse(await readFile(this.#file, 'utf8'));
      return new Map(Object.entries(entries as Record<string, string>));
    } catch {
      return new Map(); // none yet, or not ours: it is written anew
    }
  }

  /** Other programs may have written meanwhile: theirs is read again, and the file replaced as a whole. This one's take turns. */
  keep(key: string, value: string): Promise<void> {
    turn = turn.then(() => this.#write(key, value));
    return turn;
  }

  async #write(key: string, value: string): Promise<void> {
    const { mkdir, rename, rm, writeFile } = process.getBuiltinModule('node:fs/promises');
    const { dirname } = process.getBuiltinModule('node:path');
    const written = `${this.#file}.${process.pid}`;
    try {
      const all = (await this.load()).set(key, value);
      await mkdir(dirname(this.#file), { recursive: true });
      await writeFile(written, JSON.stringify(Object.fromEntries(all), null, 1));
      await rename(written, this.#file);
    } catch {
      // a read-only home, a full disk: it is measured again next time
      await rm(written, { force: true }).catch(() => {});
    }
  }
}

const database = 'tessera';
const table = 'webgpu-tuning';

class DatabaseStore implements TuneStore {
  readonly #open = once(async () => {
    const request = indexedDB.open(database, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(table);
    const opened = await done(request);
    opened.onversionchange = () => opened.close(); // whoever deletes it is not kept waiting
    return opened;
  });

  async load(): Promise<Map<string, string>> {
    try {
      const store = (await this.#open()).transaction(table).objectStore(table);
      const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())]);
      return new Map(keys.map((key, i) => [String(key), String(values[i])]));
    } catch {
      return new Map(); // a private window
    }
  }

  async keep(key: string, value: string): Promise<void> {
    try {
      await done((await this.#open()).transaction(table, 'readwrite').objectStore(table).put(value, key));
    } catch {
      // a private window
    }
  }
}

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
