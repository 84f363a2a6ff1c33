/** Which new values of state may be written over the old ones, and in which order the kernels must then run. */
import type { Apply, Kernel, Load, Store } from '../ir';
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
  const output = outputs.indexOf(value);
  const writes = (store: Store): boolean => store.output === output;
  const rows = kernel.kind === 'reduce' && kernel.stores.some((store) => writes(store) && store.per === 'row');
  const axes = rows ? kernel.axes : [];
  const loads = loadsIn(kernel, known)[inputs.indexOf(leaf)] ?? [];
  return loads.every(({ load, beside }) => !load.at && isRows(load.view, axes) && (rows || beside.some(writes)));
}

interface Found {
  readonly load: Load;
  /** What is stored of the element that it is loaded for: nothing where a whole row, or more, is. */
  readonly beside: readonly Store[];
}
type Known = Map<Kernel, readonly Found[][]>;
/** All loads of a kernel, by input; it is walked once. */
function loadsIn(kernel: Kernel, known: Known): readonly Found[][] {
  const before = known.get(kernel);
  if (before) return before;
  const found: Found[][] = [];
  known.set(kernel, found);
  const walk = (inner: unknown, beside: readonly Store[], walked: Set<unknown>): void => {
    if (typeof inner !== 'object' || inner === null || walked.has(inner)) return;
    const { op, args, input, at } = inner as Apply & Load;
    if (op) walked.add(inner);
    if (op === 'load') (found[input] ??= []).push({ load: inner as Load, beside });
    for (const each of op ? (args ?? at ?? []) : Object.values(inner)) walk(each, beside, walked);
  };
  const exprs = (stores: readonly Store[], beside: readonly Store[]): void => {
    const walked = new Set();
    for (const { expr } of stores) walk(expr, beside, walked);
  };
  if (kernel.kind === 'map') for (const { stores } of kernel.parts) exprs(stores, stores);
  else {
    const { stores, ...rest } = kernel;
    const isRow = (store: Store): boolean => 'per' in store && store.per === 'row';
    exprs(
      stores.filter((store) => !isRow(store)),
      stores,
    );
    exprs(stores.filter(isRow), []);
    walk(rest, [], new Set());
  }
  return found;
}
