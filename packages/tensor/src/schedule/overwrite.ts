/** Which new values of state may be written over the old ones, and in which order the kernels must then run. */
import type { Load, RowStore, Store } from '../ir';
import { isRows } from '../view';
import type { Job } from './emit';
import { baseOf, type Value } from './graph';
import type { Arrange } from './link';

/** A target that is a new value of a leaf: it may be written over it. */
export interface Update {
  readonly target: number;
  readonly leaf: number;
}

/** Writes each update over its leaf where every reader comes before the writer. */
export function overwrite(updates: readonly Update[]): Arrange {
  const fresh = new Set<number>();
  const hoped = () => updates.filter(({ target }) => !fresh.has(target));
  return {
    over: (graph) =>
      new Map(
        hoped().map(
          ({ target, leaf }) => [baseOf(graph.targets[target] as Value), graph.leaves[leaf] as Value] as const,
        ),
      ),
    fails({ steps, targets, results }, most) {
      if (steps.every(({ inputs, outputs }) => new Set([...inputs, ...outputs]).size <= most)) return false;
      for (const { target } of updates) if (results[targets[target] as number]?.leaf === null) fresh.add(target);
      return true;
    },
    order(found, results, targets, graph) {
      let jobs = found;
      const known: Known = new Map();
      const made = jobsBy(found, ({ outputs }) => outputs);
      const read = jobsBy(found, ({ inputs }) => inputs);
      const written: { value: Value; leaf: Value }[] = [];
      for (const { target, leaf: place } of updates) {
        const result = results[targets[target] as number];
        const leaf = graph.leaves[place];
        const at = targets[target] as number;
        if (!result || !leaf || targets.indexOf(at) !== targets.lastIndexOf(at)) continue;
        const ordered = writeOver(jobs, result.value, leaf, made.get(result.value), read.get(leaf), written, known);
        if (!ordered) continue;
        jobs = ordered;
        result.leaf = place;
        written.push({ value: result.value, leaf });
      }
      return jobs;
    },
  };
}

/** The jobs that make, or read, each value. */
function jobsBy(jobs: readonly Job[], valuesOf: (job: Job) => readonly Value[]): Map<Value, Job[]> {
  const found = new Map<Value, Job[]>();
  for (const job of jobs)
    for (const value of valuesOf(job)) {
      const list = found.get(value);
      if (list) list.push(job);
      else found.set(value, [job]);
    }
  return found;
}

/**
 * The order in which a value may be written over a leaf: after everyone who reads the leaf; null where that cannot be.
 * @param written values that are written over leaves already: whoever reads such a leaf must stay before its writer
 */
function writeOver(
  jobs: readonly Job[],
  value: Value,
  leaf: Value,
  [job, ...more]: readonly Job[] = [],
  readers: readonly Job[] = [],
  written: readonly { readonly value: Value; readonly leaf: Value }[],
  known: Known,
): readonly Job[] | null {
  if (!job || more.length || !readsWhereItWrites(job, value, leaf, known)) return null;
  const writer = jobs.indexOf(job);
  const lastReader = Math.max(-1, ...readers.map((reader) => jobs.indexOf(reader)));
  if (lastReader <= writer) return jobs;
  // move the writer behind the last reader, if nobody in between waits for it or overwrites what it reads
  const between = jobs.slice(writer + 1, lastReader + 1);
  const waits = between.some((other) => other.inputs.some((input) => job.outputs.includes(input)));
  const lost = between.some((other) =>
    written.some((over) => other.outputs.includes(over.value) && job.inputs.includes(over.leaf)),
  );
  return waits || lost ? null : [...jobs.slice(0, writer), ...between, job, ...jobs.slice(lastReader + 1)];
}

/**
 * Does the kernel load the leaf only at the element that it then writes: in the very expression that writes it, or, where a reduction
 * writes it once a row, anywhere in that row?
 */
function readsWhereItWrites({ kernel, inputs, outputs }: Job, value: Value, leaf: Value, known: Known): boolean {
  const input = inputs.indexOf(leaf);
  if (input < 0) return true;
  const output = outputs.indexOf(value);
  const loads = (part: unknown): readonly Load[] => loadsIn(part, known).get(input) ?? [];
  if (kernel.kind === 'map')
    return kernel.parts.every((part) => {
      const found = loads(part);
      const writes = part.stores.some((store) => store.output === output);
      return !found.length || (writes && found.every(({ at, view }) => !at && isRows(view, [])));
    });
  const stores: readonly (Store & Partial<RowStore>)[] = kernel.stores;
  const isRow = ({ per }: Partial<RowStore>): boolean => per === 'row';
  const rows = stores.some((store) => store.output === output && isRow(store));
  const axes = rows && kernel.kind === 'reduce' ? kernel.axes : [];
  return (
    loads(kernel).every(({ at, view }) => !at && isRows(view, axes)) &&
    (rows ||
      (Object.entries(kernel).every(([key, part]) => key === 'stores' || !loads(part).length) &&
        stores.every((store) => !isRow(store) || !loads(store).length)))
  );
}

type Loads = ReadonlyMap<number, readonly Load[]>;
type Known = Map<unknown, Loads>;
/** All loads in some part of a kernel, by input; each part is walked once. */
function loadsIn(part: unknown, known: Known): Loads {
  const before = known.get(part);
  if (before) return before;
  const found = new Map<number, Load[]>();
  const walked = new Set<unknown>();
  const walk = (inner: unknown): void => {
    if (typeof inner !== 'object' || inner === null) return;
    if (!('op' in inner)) for (const value of Object.values(inner)) walk(value);
    else if (!walked.has(inner)) {
      walked.add(inner);
      if ('args' in inner) walk(inner.args);
      else if (inner.op === 'load') {
        const load = inner as Load;
        found.set(load.input, [...(found.get(load.input) ?? []), load]);
        walk(load.at);
      }
    }
  };
  walk(part);
  known.set(part, found);
  return found;
}
