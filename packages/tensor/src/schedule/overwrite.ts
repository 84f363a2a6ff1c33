/** Which new values of state may be written over the old ones, and in which order the kernels must then run. */
import type { Expr, RowStore, Store, View } from '../ir';
import { isContiguous, isRows } from '../view';
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
      const written: { value: Value; leaf: Value }[] = [];
      for (const { target, leaf: place } of updates) {
        const result = results[targets[target] as number];
        const leaf = graph.leaves[place];
        if (!result || !leaf || targets.filter((other) => other === targets[target]).length > 1) continue;
        const ordered = writeOver(jobs, result.value, leaf, written);
        if (!ordered) continue;
        jobs = ordered;
        result.leaf = place;
        written.push({ value: result.value, leaf });
      }
      return jobs;
    },
  };
}

/**
 * The order in which a value may be written over a leaf: after everyone who reads the leaf; null where that cannot be.
 * @param written values that are written over leaves already: whoever reads such a leaf must stay before its writer
 */
function writeOver(
  jobs: readonly Job[],
  value: Value,
  leaf: Value,
  written: readonly { readonly value: Value; readonly leaf: Value }[],
): Job[] | null {
  const writers = jobs.filter((job) => job.outputs.includes(value));
  const [job] = writers;
  if (!job || writers.length > 1 || !readsWhereItWrites(job, value, leaf)) return null;
  const writer = jobs.indexOf(job);
  const lastReader = jobs.reduce((last, other, i) => (other.inputs.includes(leaf) ? i : last), -1);
  if (lastReader <= writer) return [...jobs];
  // move the writer behind the last reader, if nobody in between waits for it or overwrites what it reads
  const between = jobs.slice(writer + 1, lastReader + 1);
  const waits = between.some((other) => other.inputs.some((input) => job.outputs.includes(input)));
  const lost = between.some((other) =>
    written.some((over) => other.outputs.includes(over.value) && job.inputs.includes(over.leaf)),
  );
  return waits || lost ? null : [...jobs.slice(0, writer), ...between, job, ...jobs.slice(lastReader + 1)];
}

/** Does the kernel load the leaf only at the element that it then writes, in the very expression that writes it? */
function readsWhereItWrites({ kernel, inputs, outputs }: Job, value: Value, leaf: Value): boolean {
  const input = inputs.indexOf(leaf);
  if (input < 0) return true;
  const output = outputs.indexOf(value);
  const loads = (expr: Expr, aligned: (view: View) => boolean = isContiguous): boolean[] =>
    expr.op === 'apply'
      ? expr.args.flatMap((arg) => loads(arg, aligned))
      : expr.op === 'load'
        ? [
            ...(expr.input === input ? [expr.at === null && aligned(expr.view)] : []),
            ...(expr.at ?? []).flatMap((at) => loads(at, aligned)),
          ]
        : [];
  if (kernel.kind === 'map')
    return kernel.parts.every((part) => {
      const writes = part.stores.some((store) => store.output === output);
      const found = part.stores.flatMap((store) => loads(store.expr));
      return found.length === 0 || (writes && found.every(Boolean));
    });
  // elsewhere only in stores at the same coordinates: an epilogue, or what is written once a row
  const axes = kernel.kind === 'reduce' ? kernel.axes : [];
  const stored: readonly (Store & { readonly per?: RowStore['per'] })[] = kernel.stores;
  const rows = stored.find((store) => store.output === output)?.per === 'row';
  const stores = stored.every((store) => {
    const found = loads(store.expr, (view) => (rows ? isRows(view, axes) : isContiguous(view)));
    return found.length === 0 || ((store.per === 'row') === rows && found.every(Boolean));
  });
  const body = Object.entries(kernel).flatMap(([key, part]) => {
    if (key === 'stages') return (part as { expr: Expr }[][]).flat().flatMap((acc) => loads(acc.expr));
    if (key === 'a' || key === 'b' || key === 'init' || key === 'value') return part ? loads(part as Expr) : [];
    if (key === 'reads') return (part as { expr: Expr }[]).flatMap(({ expr }) => loads(expr));
    return key === 'at' ? (part as Expr[]).flatMap((expr) => loads(expr)) : [];
  });
  return stores && body.length === 0;
}
