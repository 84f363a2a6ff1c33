/** From a graph to a program: kernels in order, with slots for what lives only in between. */
import type { Limits } from '../backend';
import { BackendError } from '../errors';
import { applyMoves, contiguous, isContiguous, sizeOf } from '../view';
import { emit, type Job } from './emit';
import { NeedsBuffer } from './express';
import { byPlace, fuse } from './fuse';
import { baseOf, type Graph, type Item, lowerAll, seeThrough, type Value } from './graph';
import type { Group } from './group';
import { type Arrange, link, type Program } from './link';
import { excess, outOf, type Room } from './room';

/** @param arrange may reorder the jobs so that results are written over leaves (`overwrite.ts`) */
export function schedule(graph: Graph, limits: Limits, arrange?: Arrange): Program {
  // what must have a kernel of its own: each attempt that fails adds to it
  const alone = new Set<Item>();
  lowerAll(graph, alone);
  for (const { item } of graph.targets) lookAtViews(alone, item);
  for (let lowered = 0; ; ) {
    if (alone.size > lowered) lowerAll(graph, alone);
    const over = arrange?.over(graph) ?? new Map<Value, Value>();
    const { maxBuffers: most, recompute } = limits;
    const room = { most, targets: new Set(graph.targets.map(baseOf)), over, recompute };
    const groups = inOrder(fuse(graph, room, alone));
    lowered = alone.size;
    const jobs = jobsOf(groups, room, alone);
    if (alone.size > lowered) continue;
    const program = link(graph, limits.refine?.(jobs) ?? jobs, limits, arrange);
    if (!arrange?.fails(program, room.most)) return program;
  }
}

/** A target must be its buffer's whole content in order: views that are not get copied. */
function lookAtViews(alone: Set<Item>, item: Item): void {
  if (item.lowering?.kind !== 'view') return;
  const { value, moves } = seeThrough(item.outputs[0] as Value);
  const view = applyMoves(contiguous(value.shape), moves);
  if (value.item.leaf || !view || !isContiguous(view) || sizeOf(view.shape) !== sizeOf(value.shape)) alone.add(item);
}

/** The kernels of groups, in their order; what cannot be computed so is added to `alone`. */
function jobsOf(groups: readonly Group[], room: Room, alone: Set<Item>): Job[] {
  const wanted = new Set(room.targets);
  const ends = lastMaps(groups, room);
  const last = ends.flat();
  const rest = groups.filter((group) => !last.includes(group)).map((group) => [group]);
  const jobs: Job[] = [];
  const found: Item[] = [];
  // users first: what they load is what a group must store
  for (const kernel of [...rest, ...ends].reverse()) {
    const [group] = kernel as [Group];
    if (!kernel.flatMap(({ outputs }) => outputs).some((value) => wanted.has(value))) continue;
    try {
      for (const job of emit(kernel, wanted, room)) {
        for (const value of job.inputs) if (!value.item.leaf) wanted.add(value);
        if (job.outputs.some(({ shape }) => sizeOf(shape) > 0)) jobs.unshift(job);
        const more = excess(room, job.inputs, job.outputs);
        if (more > 0) found.push(...outOf(group, more, room));
      }
    } catch (error) {
      if (!(error instanceof NeedsBuffer)) throw error;
      found.push(error.item);
    }
  }
  for (const item of found) if (alone.has(item)) throw stuck(item);
  for (const item of found) alone.add(item);
  return jobs;
}

const stuck = ({ node }: Item): BackendError =>
  new BackendError(`plan: ${node.op?.opName} cannot be laid out; please report it`);

const depsOf = ({ reads }: Group): Group[] =>
  Array.from(reads, ({ item }) => item.group).filter((group) => group !== null);

/** Dependencies first, else in the order the graph was made. */
function inOrder(groups: readonly Group[]): Group[] {
  const open = new Set<Group>();
  const sorted = new Set<Group>();
  const visit = (group: Group): void => {
    if (sorted.has(group)) return;
    if (open.has(group)) throw stuck(group.anchor);
    open.add(group);
    for (const dep of depsOf(group).sort(byPlace)) visit(dep);
    sorted.add(group);
  };
  groups.forEach(visit);
  return [...sorted];
}

/** Maps that no kernel waits for, brought together: one kernel of many parts updates all parameters. */
function lastMaps(groups: readonly Group[], room: Room): Group[][] {
  const awaited = new Set(groups.flatMap(depsOf));
  const ends: Group[][] = [];
  for (const group of groups) {
    if (group.kind !== 'map' || awaited.has(group)) continue;
    const last = [...(ends.at(-1) ?? []), group];
    const reads = last.flatMap((each) => [...each.reads]);
    const stored = last.flatMap(({ outputs }) => outputs).filter((value) => room.targets.has(value));
    if (last.length > 1 && excess(room, reads, stored) > 0) ends.push([group]);
    else ends.splice(-1, 1, last);
  }
  return ends;
}
