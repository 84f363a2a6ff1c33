/** Everything a training stands on, in one file: with it, going on is the same to the bit as never having stopped. */

import type { Position } from '@tessera/data';
import { loadSafetensors, readFile, saveSafetensors, writeFile } from '@tessera/nn';
import { LoadError, randomState, type State, type Tensor } from '@tessera/tensor';
import type { History } from './history';
import type { Machine } from './machine';
import type { Settings, Training } from './training';

/** What is not a tensor. */
export interface Progress {
  readonly version: 1;
  readonly settings: Settings;
  readonly limit: number | null;
  /** Steps of the schedule. */
  readonly schedule: number;
  readonly data: Position;
  readonly history: History;
  readonly machine: Machine;
}
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly progress: Progress;
}

/** All cells under their keys: the model's, the optimizer's, the random numbers'. */
function cells({ model, optimizer }: Training): Map<string, State> {
  const under = (prefix: string, states: ReadonlyMap<string, State>) =>
    [...states].map(([key, state]) => [`${prefix}.${key}`, state] as const);
  return new Map([
    ...under('model', model.stateDict()),
    ...under('optimizer', optimizer.stateDict()),
    ['random', randomState()],
  ]);
}

/** Writes it whole or not at all. */
export async function saveCheckpoint(
  path: string,
  training: Training,
  { limit, history, machine }: Pick<Progress, 'limit' | 'history' | 'machine'>,
): Promise<void> {
  const progress: Progress = {
    version: 1,
    settings: training.settings,
    limit,
    schedule: training.schedule.position,
    data: training.position,
    history,
    machine,
  };
  await writeFile(path, await saveSafetensors(cells(training), { progress: JSON.stringify(progress) }));
}

/** @throws LoadError where the file is missing, damaged, or no checkpoint of this program. */
export async function readCheckpoint(path: string): Promise<Checkpoint> {
  const { tensors, metadata } = loadSafetensors(await readFile(path));
  const progress = JSON.parse(metadata['progress'] ?? '{}') as Partial<Progress>;
  if (progress.version !== 1)
    throw new LoadError(`resume: ${path} is no checkpoint of this version of the demo; train without --resume`);
  return { tensors, progress: progress as Progress };
}

/** Puts a training where the checkpoint was made. @throws LoadError listing keys that do not fit. */
export function restore(training: Training, { tensors, progress }: Checkpoint): void {
  const part = (prefix: string) =>
    new Map(
      [...tensors].flatMap(([key, tensor]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), tensor]] : [])),
    );
  training.model.loadStateDict(part('model.'));
  training.optimizer.loadStateDict(part('optimizer.'));
  const random = tensors.get('random');
  if (!random) throw new LoadError('resume: the checkpoint has no state of the random numbers; train without --resume');
  randomState().assign(random);
  training.schedule.position = progress.schedule;
  training.position = progress.data;
  training.loader.position = progress.data;
}

/** What would keep two runs from being equal in every bit, in words; null where nothing would. */
export function difference(then: Machine, now: Machine): string | null {
  const { backend = 'cpu' } = then as Partial<Machine>; // the first checkpoints had no other
  if (backend !== now.backend) return `it was computed by backend ${backend}, it is ${now.backend}`;
  const parts = [
    then.table !== now.table && `the table of algorithms was version ${then.table}, it is ${now.table}`,
    then.features !== now.features &&
      `${backend === 'cpu' ? "the processor's features were" : 'the GPU was'} '${then.features}', now '${now.features}'`,
  ].filter((part) => part !== false);
  return parts.length ? parts.join('; ') : null;
}
