/**
 * Sets in several files, as Hugging Face lays them out: `model-00001-of-00003.safetensors` …, and beside them
 * `model.safetensors.index.json` with `{ "metadata": { "total_size" }, "weight_map": { "<key>": "<file>" } }`.
 */
import { ArgumentError, LoadError, type Tensor } from '@tessera/tensor';
import { type Header, quote } from './header';
import { type LoadedTensors, readAll, readTensors, type StreamOptions } from './stream';

/** Longest index: hundreds of thousands of keys. */
const maxIndex = 100_000_000;

export const isIndex = (place: string | URL): boolean =>
  (typeof place === 'string' ? place : place.pathname).endsWith('.index.json');

/** The last part of a path or URL. */
export const fileName = (place: string | URL): string =>
  typeof place === 'string' ? (place.split(/[/\\]/).pop() as string) : (place.pathname.split('/').pop() as string);

export interface ShardOptions {
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((loaded: number, total: number | null) => void) | undefined;
  /** SHA-256 in hex by file name: of every shard, and of the index if it is there. */
  readonly hashes?: ReadonlyMap<string, string> | undefined;
}

/**
 * All tensors of a set, in the order of its index, a shard after the other. Metadata are those of all shards.
 * @throws LoadError for an index that is none, for a shard that is missing or damaged, and where index and shards disagree.
 */
export async function readShards(
  index: string | URL,
  { hashes, signal, progress }: ShardOptions,
): Promise<LoadedTensors> {
  const name = fileName(index);
  const options = (file: string): StreamOptions => ({ signal, hash: hashes?.get(file) });
  const { places, total } = parseIndex(name, await readAll(index, maxIndex, options(name)));
  const shards = new Set(places.values());
  const open = [...shards].find((file) => hashes && !hashes.has(file));
  if (open !== undefined)
    throw new ArgumentError(`loadSafetensors: integrity has no hash of ${open}; give one for every shard of ${name}`);
  const found = new Map<string, Tensor>();
  let metadata: Record<string, string> = {};
  let before = 0;
  for (const file of shards) {
    let length = 0;
    const loaded = await readTensors(beside(index, file), {
      ...options(file),
      accept: (header) => accept(header, file, places),
      progress: (now, all) => {
        length = all;
        progress?.(before + now, total);
      },
    });
    before += length;
    metadata = { ...metadata, ...loaded.metadata };
    for (const [key, value] of loaded.tensors) found.set(key, value);
  }
  return { tensors: new Map([...places.keys()].map((key) => [key, found.get(key) as Tensor])), metadata };
}

/** A shard holds the keys that the index gives to it, and no other. */
function accept({ entries }: Header, file: string, places: ReadonlyMap<string, string>): void {
  for (const [key, place] of places)
    if (place === file && !entries.has(key))
      throw new LoadError(`loadSafetensors: the index has ${quote(key)} here, it is missing; do they belong together?`);
  for (const key of entries.keys()) {
    const place = places.get(key);
    if (place === undefined)
      throw new LoadError(`loadSafetensors: ${quote(key)} is here, the index lacks it; do they belong together?`);
    if (place !== file)
      throw new LoadError(`loadSafetensors: ${quote(key)} is here and, says the index, in ${place}; which is it?`);
  }
}

/** Beside the index. A URL's query belongs to the index alone. */
const beside = (index: string | URL, file: string): string | URL =>
  typeof index === 'string'
    ? index.slice(0, index.length - fileName(index).length) + file
    : new URL(encodeURIComponent(file), index);

interface Index {
  /** A tensor's key → its file. */
  readonly places: ReadonlyMap<string, string>;
  readonly total: number | null;
}

function parseIndex(name: string, bytes: Uint8Array): Index {
  const wrong = (problem: string, cause?: unknown) =>
    new LoadError(`loadSafetensors: ${name}: ${problem}; is it the index of a set of safetensors files?`, { cause });
  let json: { weight_map?: unknown; metadata?: { total_size?: unknown } | null } | null;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof json;
  } catch (cause) {
    throw wrong('it is no JSON', cause);
  }
  const map = json?.weight_map;
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw wrong('wants an object weight_map');
  const places = new Map<string, string>();
  for (const [key, file] of Object.entries(map)) {
    // A name only: what comes from elsewhere does not choose a folder here.
    if (typeof file !== 'string' || !/^[^/\\:]+\.safetensors$/.test(file))
      throw wrong(`${quote(key)} is in ${quote(String(file))}, wants the name of a .safetensors file beside it`);
    places.set(key, file);
  }
  const total = json?.metadata?.total_size;
  return { places, total: typeof total === 'number' && total >= 0 ? total : null };
}

// ---- writing -----------------------------------------------------------------------------------------------------

/** In order, as many to a shard as fit in `most` bytes; what alone is larger has a shard of its own. */
export function split<T extends { readonly key: string; readonly length: number }>(
  items: readonly T[],
  most: number,
): T[][] {
  const shards: T[][] = [[]];
  let filled = 0;
  for (const item of items) {
    if (filled > 0 && filled + item.length > most) {
      shards.push([]);
      filled = 0;
    }
    (shards.at(-1) as T[]).push(item);
    filled += item.length;
  }
  return shards;
}

/** 'weights/model.safetensors', 2 of 3 → 'weights/model-00002-of-00003.safetensors'. */
export const shardPath = (path: string, i: number, count: number): string =>
  path.replace(/(\.safetensors)?$/, `-${five(i + 1)}-of-${five(count)}.safetensors`);
const five = (n: number): string => String(n).padStart(5, '0');

/** The index of shards, as text. */
export function indexOf(
  path: string,
  shards: readonly (readonly { readonly key: string; readonly length: number }[])[],
): string {
  const total = shards.flat().reduce((sum, { length }) => sum + length, 0);
  const map = shards.flatMap((items, i) =>
    items.map(({ key }) => [key, fileName(shardPath(path, i, shards.length))] as const),
  );
  const text = {
    metadata: { total_size: total },
    weight_map: Object.fromEntries(map.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
  return `${JSON.stringify(text, null, 2)}\n`;
}
