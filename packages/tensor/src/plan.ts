/** Plans: programs made ready on one backend, kept by structure, and run with buffers bound to their table. */
import type { Backend, DeviceBuffer, Executable, Plan } from './backend';
import { BackendError } from './errors';
import type { Kernel } from './ir';
import { exact, type Graph } from './schedule/graph';
import type { Arrange, Program } from './schedule/link';
import { schedule } from './schedule/schedule';

export interface Ready {
  readonly program: Program;
  readonly plan: Plan;
  readonly backend: Backend;
}

/** Counts of what has been made and found again, for tests and `inspect`. */
export interface CacheUse {
  plans: number;
  hits: number;
  executables: number;
}

/** What one backend keeps: executables by kernel, plans by graph, and the buffers that plans share for their intermediates. */
interface Shelf {
  readonly executables: Map<string, Executable>;
  readonly plans: Map<string, Ready>;
  /** By kind of slot and place among those, the largest first. */
  readonly arena: Map<string, { buffer: DeviceBuffer; size: number }>;
  readonly use: CacheUse;
}
const shelves = /* @__PURE__ */ new WeakMap<Backend, Shelf>();
/** Of a plan, that a backend need think of as those of a step that comes again: a model's first values are not. */
const mostResults = 16;
/** Of the keys of one cache. */
const mostBytes = 2 ** 23;

export function shelfOf(backend: Backend): Shelf {
  let shelf = shelves.get(backend);
  if (!shelf) {
    shelf = { executables: new Map(), plans: new Map(), arena: new Map(), use: { plans: 0, hits: 0, executables: 0 } };
    shelves.set(backend, shelf);
  }
  return shelf;
}

/** From the cache, else made and kept: what was not used for longest goes when the keys, and so what they stand for, are large. */
function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  const value = map.get(key) ?? make();
  const known = map.delete(key);
  map.set(key, value);
  let bytes = 0;
  for (const each of known ? [] : [...map.keys()].reverse()) {
    bytes += each.length;
    if (bytes > mostBytes && each !== key) map.delete(each);
  }
  return value;
}

/**
 * The plan of a graph, from the cache where its structure is known.
 * @param arranged an order of its own, and the text that tells it from others
 */
export function planOf(
  backend: Backend,
  graph: Graph,
  arranged?: { readonly key: string; readonly arrange: Arrange },
): Ready {
  const { plans, use } = shelfOf(backend);
  const key = arranged ? `${graph.key}|${arranged.key}` : graph.key;
  if (plans.has(key)) use.hits++;
  else use.plans++;
  const { limits } = backend;
  return kept(plans, key, () =>
    ready(backend, schedule(graph, limits, limits.inPlace ? arranged?.arrange : undefined)),
  );
}

function ready(backend: Backend, program: Program): Ready {
  const steps = program.steps.map(({ kernel, inputs, outputs, uniforms }) => ({
    executable: executable(backend, kernel),
    inputs,
    outputs,
    uniforms,
  }));
  return { program, plan: { steps }, backend };
}

function executable(backend: Backend, kernel: Kernel): Executable {
  const { executables, use } = shelfOf(backend);
  return kept(executables, structure(kernel), () => {
    use.executables++;
    return backend.compile(kernel);
  });
}

/** Text that is equal for equal kernels; shared subexpressions are written once. */
export function structure(kernel: Kernel): string {
  const seen = new Map<object, number>();
  return JSON.stringify(kernel, (_, value: unknown) => {
    if (typeof value === 'object' && value !== null && 'op' in value) {
      const known = seen.get(value);
      if (known !== undefined) return `@${known}`;
      seen.set(value, seen.size);
    }
    return exact(value);
  });
}

/** Queues the plan. `leaves` in the order of the graph's; gives the buffers of the results, those written in place included. */
export function run(
  { program, plan, backend }: Ready,
  leaves: readonly DeviceBuffer[],
  scalars: readonly number[],
): DeviceBuffer[] {
  const made: DeviceBuffer[] = [];
  let slots: DeviceBuffer[];
  let results: DeviceBuffer[];
  try {
    slots = fromArena(program, backend);
    results = program.results.map(({ dtype, size, leaf }) => {
      if (leaf !== null) return leaves[leaf] as DeviceBuffer;
      made.push(backend.allocate(dtype, size, made.length < mostResults));
      return made.at(-1) as DeviceBuffer;
    });
  } catch (error) {
    for (const buffer of made) backend.free(buffer);
    throw /memory/.test(`${error}`) ? tooMuch(error, program, backend) : error; // else the backend is no more
  }
  if (plan.steps.length) backend.submit(plan, [...leaves, ...slots, ...results], scalars);
  return results;
}

/** Buffers for what lives only while the plan runs: shared by all plans of a backend, so their peak is their maximum. */
function fromArena(program: Program, backend: Backend): DeviceBuffer[] {
  const { arena } = shelfOf(backend);
  const taken: Record<string, number> = {};
  return program.slots.map(({ dtype, size, kind }) => {
    const place = (taken[kind] ?? 0) + 1;
    taken[kind] = place;
    const key = kind + place;
    const known = arena.get(key);
    if (known) {
      if (known.size >= size) return known.buffer;
      backend.free(known.buffer);
      arena.delete(key);
    }
    const buffer = backend.allocate(dtype, size);
    arena.set(key, { buffer, size });
    return buffer;
  });
}

/** Out of memory, told with what the plan wanted. */
function tooMuch(cause: unknown, program: Program, backend: Backend): BackendError {
  const megabytes = (list: readonly { readonly size: number }[]) =>
    (list.reduce((sum, { size }) => sum + size * 4, 0) / 1e6).toFixed(1);
  const fresh = program.results.filter(({ leaf }) => leaf === null);
  return new BackendError(
    `${backend.name}: out of memory: this plan of ${program.steps.length} kernels needs ${megabytes(program.slots)} MB while it runs and ${megabytes(fresh)} MB for its results; use a smaller batch, or free tensors with using or dispose() (${(cause as Error).message})`,
    { cause },
  );
}
