/** From a graph to a program: kernels in order, with slots for what lives only in between. */
import type { Limits } from '../backend';
import { BackendError } from '../errors';
import type { Node } from '../node';
import { applyMoves, contiguous, isContiguous, sizeOf } from '../view';
import { emit, type Job } from './emit';
import { NeedsBuffer } from './express';
import { fuse } from './fuse';
import { type Graph, type Item, lowerAll, seeThrough, type Wanted, want } from './graph';
import type { Group } from './group';
import { type Arrange, link, type Program } from './link';

/** @param arrange may reorder the jobs so that results are written over leaves (`overwrite.ts`) */
export function schedule(graph: Graph, limits: Limits, arrange?: Arrange): Program {
  const forced = new Set<Node>();
  lowerAll(graph, forced);
  for (const { item } of graph.targets) lookAtViews(forced, item);
  if (forced.size) lowerAll(graph, forced);
  for (;;) {
    const missing = new Set<Node>();
    const jobs = attempt(graph, limits, forced, missing);
    if (missing.size === 0) return link(graph, jobs, limits, arrange);
    for (const node of missing) {
      if (forced.has(node))
        throw new BackendError(`plan: ${node.op?.opName} cannot be laid out; please report this graph`);
      forced.add(node);
    }
    lowerAll(graph, forced);
  }
}

/** A target must be its buffer's whole content in order: views that are not get copied. */
function lookAtViews(forced: Set<Node>, item: Item): void {
  if (item.lowering?.kind !== 'view') return;
  const { item: base, output, moves } = seeThrough({ item, output: 0 });
  const { shape } = base.outputs[output] as Item['outputs'][number];
  const view = applyMoves(contiguous(shape), moves);
  if (base.leaf || !view || !isContiguous(view) || sizeOf(view.shape) !== sizeOf(shape)) forced.add(item.node);
}

function attempt(graph: Graph, limits: Limits, forced: ReadonlySet<Node>, missing: Set<Node>): Job[] {
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
  const state = new Map<Group, 'open' | 'done'>();
  const sorted: Group[] = [];
  const visit = (group: Group): void => {
    const known = state.get(group);
    if (known === 'done') return;
    if (known === 'open')
      throw new BackendError(`plan: kernels wait for each other (${group.anchor.node.op?.opName}); please report`);
    state.set(group, 'open');
    for (const dep of [...group.deps].sort(byPlace)) visit(dep);
    state.set(group, 'done');
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
