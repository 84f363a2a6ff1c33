/** From a graph to a program: kernels in order, with slots for what lives only in between. */
import type { Limits } from '../backend';
import { BackendError, DTypeError } from '../errors';
import type { DType, Expr, Kernel, RowStore, Store, View } from '../ir';
import { type Node, nameOf } from '../node';
import { applyMoves, contiguous, isContiguous, isRows, sizeOf } from '../view';
import { emit, type Job } from './emit';
import { NeedsBuffer } from './express';
import { fuse } from './fuse';
import { type Graph, type Input, type Item, lowerAll, seeThrough, type Wanted, want } from './graph';
import type { Group } from './group';

/** Positions in a plan's table of buffers: first the leaves, then the slots, then the results. */
export interface Step {
  readonly kernel: Kernel;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Positions in the plan's table of scalars. */
  readonly uniforms: readonly number[];
  readonly ops: readonly string[];
}
export interface Program {
  readonly steps: readonly Step[];
  readonly leaves: number;
  /** The buffers that live only while the plan runs; of each dtype the largest first. */
  readonly slots: readonly { readonly dtype: DType; readonly size: number }[];
  /** What the plan makes, without repetition. `leaf`: written into that leaf's own buffer. */
  readonly results: readonly {
    readonly dtype: DType;
    readonly size: number;
    readonly leaf: number | null;
  }[];
  /** Which result each target is. */
  readonly targets: readonly number[];
}

/** A target that is a new value of a leaf: it may be written over it. */
export interface Update {
  readonly target: number;
  readonly leaf: number;
}

export function schedule(graph: Graph, limits: Limits, updates: readonly Update[] = []): Program {
  const forced = new Set<Node>();
  for (const { item } of graph.targets) if (isView(item)) lookAtViews(graph, forced, item);
  for (;;) {
    const missing = new Set<Node>();
    const jobs = attempt(graph, limits, forced, missing);
    if (missing.size === 0) return link(graph, jobs, updates, limits);
    for (const node of missing) {
      if (forced.has(node))
        throw new BackendError(`plan: ${node.op?.opName} cannot be laid out; please report this graph`);
      forced.add(node);
    }
  }
}

const isView = (item: Item): boolean => item.node.op !== null && !item.leaf && item.node.source?.kind !== 'scalar';

/** A target must be its buffer's whole content in order: views that are not get copied. */
function lookAtViews(graph: Graph, forced: Set<Node>, item: Item): void {
  lowerAll(graph, forced);
  const { lowering } = item;
  if (lowering?.kind !== 'view') return;
  const seen = seeThrough({ item, output: 0 });
  const view = applyMoves(contiguous(seen.item.outputs[seen.output]?.shape ?? []), seen.moves);
  const whole =
    view && isContiguous(view) && sizeOf(view.shape) === sizeOf(seen.item.outputs[seen.output]?.shape ?? []);
  if (!whole || seen.item.leaf) forced.add(item.node);
}

function attempt(graph: Graph, limits: Limits, forced: ReadonlySet<Node>, missing: Set<Node>): Job[] {
  lowerAll(graph, forced);
  const groups = inOrder(fuse(graph, limits, forced));
  const wanted: Wanted = new Map();
  for (const target of graph.targets) want(wanted, seeThrough(target));
  const ends = lastMaps(groups, limits);
  const rest = groups.filter((group) => !ends.flat().includes(group));
  const jobs: Job[] = [];
  // users first: what they load is what a group must store
  for (const kernel of [...rest.map((group) => [group]), ...ends].reverse()) {
    if (!kernel.some((group) => group.members.some(({ item }) => wanted.has(item)))) continue;
    try {
      const job = emit(kernel, wanted);
      for (const input of job.inputs) if (!input.item.leaf) want(wanted, input);
      if (job.outputs.some(({ item, output }) => sizeOf(item.outputs[output]?.shape ?? []) > 0)) jobs.unshift(job);
    } catch (error) {
      if (!(error instanceof NeedsBuffer)) throw error;
      missing.add(error.item.node);
    }
  }
  return jobs;
}

/** Dependencies first, else in the order the graph was made. */
function inOrder(groups: readonly Group[]): Group[] {
  const left = new Set(groups);
  const sorted: Group[] = [];
  const visit = (group: Group): void => {
    if (!left.delete(group)) return;
    for (const dep of [...group.deps].sort(byPlace)) visit(dep);
    sorted.push(group);
  };
  for (const group of [...groups].sort(byPlace)) visit(group);
  return sorted;
}
const byPlace = (a: Group, b: Group): number => a.anchor.place - b.anchor.place;

/** Maps that no kernel waits for, brought together: one kernel of many parts updates all parameters. */
function lastMaps(groups: readonly Group[], limits: Limits): Group[][] {
  const awaited = new Set(groups.flatMap((group) => [...group.deps]));
  const ends: Group[][] = [];
  let buffers = Number.POSITIVE_INFINITY;
  for (const group of groups) {
    if (group.kind !== 'map' || awaited.has(group)) continue;
    const own = group.members.reduce((sum, { item }) => sum + item.inputs.length + item.outputs.length, 0);
    if (buffers + own > limits.maxBuffers) {
      ends.push([]);
      buffers = 0;
    }
    buffers += own;
    (ends[ends.length - 1] as Group[]).push(group);
  }
  return ends;
}

// ---- linking: values get places in the table of buffers ----------------------------------------------------------

const valueKey = ({ item, output }: Input): string => `${item.place}.${output}`;

function link(graph: Graph, found: readonly Job[], updates: readonly Update[], limits: Limits): Program {
  const bases = graph.targets.map((target) => seeThrough(target));
  const results: { dtype: DType; size: number; leaf: number | null; value: Input }[] = [];
  const resultOf = new Map<string, number>();
  const targets = bases.map((base) => {
    const key = valueKey(base);
    let result = resultOf.get(key);
    if (result === undefined) {
      const { dtype, shape } = base.item.outputs[base.output] as Item['outputs'][number];
      result = results.push({ dtype, size: sizeOf(shape), leaf: null, value: base }) - 1;
      resultOf.set(key, result);
    }
    return result;
  });
  for (const job of found) for (const value of [...job.inputs, ...job.outputs]) checkSize(value, limits);
  const leafPlace = new Map(graph.leaves.map((leaf, place) => [valueKey(leaf), place]));
  let jobs = [...found];
  if (limits.inPlace) {
    for (const { target, leaf } of updates) {
      const result = results[targets[target] as number];
      const alone = targets.filter((other) => other === targets[target]).length === 1;
      const written = results.flatMap(({ leaf: over, value }) =>
        over === null ? [] : [{ value, leaf: graph.leaves[over] as Input }],
      );
      const ordered = result && alone ? writeOver(jobs, result.value, graph.leaves[leaf] as Input, written) : null;
      if (!ordered || !result) continue;
      jobs = ordered;
      result.leaf = leaf;
    }
  }

  const lastUse = new Map<string, number>();
  jobs.forEach((job, time) => {
    for (const value of [...job.inputs, ...job.outputs]) lastUse.set(valueKey(value), time);
  });
  const slotOf = new Map<string, number>();
  const slots: { dtype: DType; size: number; free: boolean }[] = [];
  /** The smallest free slot that is large enough, else the largest, which grows. */
  const take = (dtype: DType, size: number): number => {
    const free = slots.map((_, i) => i).filter((i) => slots[i]?.free && slots[i]?.dtype === dtype);
    const sizeOfSlot = (i: number): number => slots[i]?.size ?? 0;
    const best =
      free.sort((a, b) => sizeOfSlot(a) - sizeOfSlot(b)).find((i) => sizeOfSlot(i) >= size) ?? free[free.length - 1];
    const slot = slots[best ?? -1];
    if (best === undefined || !slot) return slots.push({ dtype, size, free: false }) - 1;
    slot.size = Math.max(slot.size, size);
    slot.free = false;
    return best;
  };
  jobs.forEach((job, time) => {
    for (const value of job.outputs) {
      const key = valueKey(value);
      const { dtype, shape } = value.item.outputs[value.output] as Item['outputs'][number];
      if (!resultOf.has(key)) slotOf.set(key, take(dtype, sizeOf(shape)));
    }
    for (const value of [...job.inputs, ...job.outputs]) {
      const slot = slots[slotOf.get(valueKey(value)) ?? -1];
      if (slot && lastUse.get(valueKey(value)) === time) slot.free = true;
    }
  });
  const bySize = slots.map((_, i) => i).sort((a, b) => (slots[b]?.size ?? 0) - (slots[a]?.size ?? 0) || a - b);
  const rank = new Map(bySize.map((slot, place) => [slot, place]));

  const place = (value: Input): number => {
    const key = valueKey(value);
    const leaf = leafPlace.get(key);
    if (leaf !== undefined) return leaf;
    const result = resultOf.get(key);
    if (result === undefined) return graph.leaves.length + (rank.get(slotOf.get(key) as number) as number);
    return results[result]?.leaf ?? graph.leaves.length + slots.length + result;
  };
  const steps = jobs.map(({ kernel, inputs, outputs, scalars, ops }): Step => {
    const ins = inputs.map(place);
    const outs = outputs.map(place);
    const aliases = outs.map((out) => ins.indexOf(out));
    return {
      kernel: aliases.some((alias) => alias >= 0) ? { ...kernel, aliases } : kernel,
      inputs: ins,
      outputs: outs,
      uniforms: scalars.map((scalar) => graph.scalars.indexOf(scalar)),
      ops,
    };
  });
  return {
    steps,
    leaves: graph.leaves.length,
    slots: bySize.map((slot) => ({ dtype: slots[slot]?.dtype ?? 'float32', size: slots[slot]?.size ?? 0 })),
    results: results.map(({ dtype, size, leaf }) => ({ dtype, size, leaf })),
    targets,
  };
}

/**
 * The order in which a value may be written over a leaf: after everyone who reads the leaf; null where that cannot be.
 * @param written values that are written over leaves already: whoever reads such a leaf must stay before its writer
 */
function writeOver(
  jobs: readonly Job[],
  value: Input,
  leaf: Input,
  written: readonly { readonly value: Input; readonly leaf: Input }[],
): Job[] | null {
  const same = (a: Input, b: Input): boolean => a.item === b.item && a.output === b.output;
  const writer = jobs.findIndex((job) => job.outputs.some((output) => same(output, value)));
  const job = jobs[writer];
  if (!job || !readsWhereItWrites(job, value, leaf)) return null;
  const lastReader = jobs.reduce((last, other, i) => (other.inputs.some((input) => same(input, leaf)) ? i : last), -1);
  if (lastReader <= writer) return [...jobs];
  // move the writer behind the last reader, if nobody in between waits for it or overwrites what it reads
  const between = jobs.slice(writer + 1, lastReader + 1);
  const waits = between.some((other) =>
    other.inputs.some((input) => job.outputs.some((output) => same(output, input))),
  );
  const lost = between.some((other) =>
    written.some(
      (over) =>
        other.outputs.some((output) => same(output, over.value)) && job.inputs.some((input) => same(input, over.leaf)),
    ),
  );
  return waits || lost ? null : [...jobs.slice(0, writer), ...between, job, ...jobs.slice(lastReader + 1)];
}

/** Does the kernel load the leaf only at the element that it then writes, in the very expression that writes it? */
function readsWhereItWrites({ kernel, inputs, outputs }: Job, value: Input, leaf: Input): boolean {
  const input = inputs.findIndex(({ item, output }) => item === leaf.item && output === leaf.output);
  if (input < 0) return true;
  const output = outputs.findIndex(({ item, output: at }) => item === value.item && at === value.output);
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
    return key === 'at' ? (part as Expr[]).flatMap((expr) => loads(expr)) : [];
  });
  return stores && body.length === 0;
}

/** @throws DTypeError, BackendError where the backend cannot hold a value */
function checkSize({ item, output }: Input, limits: Limits): void {
  const { dtype, shape } = item.outputs[output] as Item['outputs'][number];
  const what = `${nameOf(item.node)}: a ${dtype} value of shape [${shape}]`;
  if (!limits.dtypes.includes(dtype))
    throw new DTypeError(`${what} is wanted, the backend stores ${limits.dtypes.join(', ')}; cast it first`);
  const size = sizeOf(shape);
  const bytes = size * (dtype === 'float32' || dtype === 'int32' ? 4 : dtype === 'float16' ? 2 : 1);
  if (size >= 2 ** 31 || bytes > limits.maxBufferBytes)
    throw new BackendError(
      `${what} needs ${bytes} bytes, the backend holds at most ${Math.min(limits.maxBufferBytes, 2 ** 31 * 4)} in one buffer; use a smaller batch or layer, or stride and pooling before it`,
    );
}
