/** Everything a training stands on, in one file: going on from it is the same to the bit as never having stopped. */
import { LoadError, randomState, type State, type Tensor } from '@tessera/tensor';
import { readFile, writeFile } from './files';
import { loadSafetensors, saveSafetensors } from './safetensors';
import type { StateDict } from './state-dict';

/** What has state under keys. */
export interface Stateful {
  stateDict(): ReadonlyMap<string, State>;
  loadStateDict(given: StateDict): unknown;
}

/** What a training is made of, by name; null where it has none. */
export type Parts = Readonly<Record<string, Stateful | null>>;

export interface CheckpointOptions {
  /** Where to: a file's path, or what takes the bytes (an upload, IndexedDB). */
  readonly to: string | ((bytes: Uint8Array) => void | Promise<void>);
  /** After each epoch, or after so many steps. Default 'epoch'. It is also written when the signal stops the training. */
  readonly every?: 'epoch' | number;
}

/** Writes the cells of each part under its name, the tensors kept as the best, and the random numbers'. */
export async function saveCheckpoint(
  to: CheckpointOptions['to'],
  parts: Parts,
  best: ReadonlyMap<string, Tensor> | null,
  progress: unknown,
): Promise<void> {
  const cells = new Map<string, Tensor | State>([['random', randomState()]]);
  for (const [name, part] of Object.entries(parts))
    for (const [key, state] of part?.stateDict() ?? []) cells.set(`${name}.${key}`, state);
  for (const [key, value] of best ?? []) cells.set(`best.${key}`, value);
  const bytes = await saveSafetensors(cells, { progress: JSON.stringify(progress, nonFiniteToText) });
  await (typeof to === 'string' ? writeFile(to, bytes) : to(bytes));
}

export interface Checkpoint {
  readonly progress: unknown;
  readonly random: Tensor;
  readonly best: ReadonlyMap<string, Tensor>;
  /** The tensors of a part, by their keys in it. */
  part(name: string): ReadonlyMap<string, Tensor>;
}

/** @throws LoadError where the file is missing, damaged, or no checkpoint of `fit`. */
export async function readCheckpoint(from: string | Uint8Array): Promise<Checkpoint> {
  const { tensors, metadata } = loadSafetensors(typeof from === 'string' ? await readFile(from) : from);
  const random = tensors.get('random');
  const text = metadata['progress'];
  if (!random || text === undefined)
    throw new LoadError(
      `fit: ${typeof from === 'string' ? from : 'the file'} holds no checkpoint of fit; start without resume`,
    );
  const part = (name: string) => under(name, tensors);
  return { progress: JSON.parse(text, textToNonFinite), random, best: part('best'), part };
}

/** The entries whose keys begin with the name and a dot, without these. */
export function under<Value>(name: string, entries: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> {
  const own = [...entries].filter(([key]) => key.startsWith(`${name}.`));
  return new Map(own.map(([key, value]) => [key.slice(name.length + 1), value]));
}

/** Puts the random numbers and each part where the checkpoint was made. @throws LoadError listing keys that do not fit. */
export function restore(checkpoint: Checkpoint, parts: Parts): void {
  for (const [name, part] of Object.entries(parts)) part?.loadStateDict(checkpoint.part(name));
  randomState().assign(checkpoint.random);
}

// JSON has no ∞, and a plateau's best metric begins with it.
const nonFiniteToText = (_: string, value: unknown): unknown =>
  typeof value === 'number' && !Number.isFinite(value) ? { nonFinite: String(value) } : value;
const textToNonFinite = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'nonFinite' in value ? Number(value.nonFinite) : value;
