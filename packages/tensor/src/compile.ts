/**
 * `compile`: a function of tensors traced once a shape and then replayed: no graph, no schedule, no new memory for its state.
 * While it is traced, reads of state give placeholders and assignments are noted; a replay binds buffers and submits the plan.
 */
import { fromBuffer } from './adopt';
import type { Backend, DeviceBuffer } from './backend';
import { ArgumentError, ReadError } from './errors';
import { flush, isLeaf, leafBuffers, scalarValues } from './flush';
import { type Node, Storage } from './node';
import { logicalAnd, where } from './ops/comparison';
import { identity } from './ops/identity';
import { isFinite as finite } from './ops/math';
import { all } from './ops/reduction';
import { reshape } from './ops/shape';
import { planOf, type Ready, run } from './plan';
import { getBackend, runtime } from './runtime';
import { collect, type Graph } from './schedule/graph';
import { overwrite } from './schedule/overwrite';
import type { State } from './state';
import { fromSource, isTensor, type Tensor } from './tensor';

/** Settings that a trace looked at: it is valid as long as they are the same. */
interface Guard {
  readonly read: () => unknown;
  readonly value: unknown;
}

/** A captured setting that decides what is computed (a mode, a probability): inside `compile` a change of it traces anew. */
export function guard<T extends string | number | boolean | null | undefined>(read: () => T): T {
  const value = read();
  runtime.trace?.guards.push({ read, value });
  return value;
}

/** What happens while a function is traced. */
export class Trace {
  readonly guards: Guard[] = [];
  readonly reads = new Map<State, Tensor>();
  readonly assigned = new Map<State, Tensor>();
  /** Numbers met, by dtype and value. */
  readonly numbers = new Map<string, Tensor>();

  /** The state's value when the function was called. */
  before(state: State): Tensor {
    const known = this.reads.get(state);
    if (known) return known;
    const tensor = fromSource({ kind: 'state', state, version: state.version }, state.shape, state.dtype);
    this.reads.set(state, tensor);
    return tensor;
  }
  readState(state: State): Tensor {
    return this.assigned.get(state) ?? this.before(state);
  }
  /** What is assigned as it came in (another state's value, an argument) becomes a node of its own, for derivatives by either. */
  assignState(state: State, value: Tensor): void {
    this.assigned.set(state, value.node.op ? value : reshape(value, state.shape));
  }
}

export interface CompileOptions {
  /** For messages. Default: the function's name. */
  readonly name?: string;
  /**
   * 'finite': state is only assigned where every float result of the call is finite, decided on the device; a call that
   * gives NaN or ∞ leaves all state as it was. Default 'always'.
   */
  readonly commit?: 'always' | 'finite';
  /** What a call runs in (a mode): it calls `run` once and gives back what that gives. */
  readonly within?: <Result>(run: () => Result) => Result;
}

type Output =
  | Tensor
  | null
  | undefined
  | number
  | string
  | boolean
  | readonly Output[]
  | { readonly [key: string]: Output };

/** One trace, ready to replay. */
export interface Recording {
  readonly backend: Backend;
  readonly guards: readonly Guard[];
  readonly graph: Graph;
  readonly ready: Ready;
  /** Which leaf is which argument or state; the rest are tensors the function captured. */
  readonly leaves: readonly (
    | { readonly argument: number }
    | { readonly state: State }
    | { readonly storage: Storage }
  )[];
  readonly assigned: readonly { readonly state: State; readonly result: number; readonly inPlace: boolean }[];
  readonly output: (results: readonly Tensor[]) => Output;
  readonly outputs: readonly { readonly result: number; readonly shape: readonly number[] }[];
  readonly scalars: readonly number[];
}

/**
 * The same function, traced at the first call with given shapes and replayed after. Tensor arguments are bound at each call,
 * other arguments are part of what is traced. State that it assigns is updated at the end of each call.
 * @throws ReadError where it reads a value or is async.
 */
export function compile<Args extends readonly unknown[], Result>(
  f: (...args: Args) => Result,
  options: CompileOptions = {},
): (...args: Args) => Result {
  const name = options.name ?? (f.name || 'compiled function');
  const within = options.within ?? ((run) => run());
  const recordings = new Map<string, Recording[]>();
  const recordingOf = (args: Args): Recording => {
    const key = args.map(signature).join(';');
    const known = recordings.get(key) ?? [];
    const backend = getBackend();
    const found = known.find(
      (each) => each.backend === backend && each.guards.every(({ read, value }) => Object.is(read(), value)),
    );
    if (found) return found;
    const made = record(name, options.commit ?? 'always', f as (...args: readonly unknown[]) => unknown, args);
    recordings.set(key, [made, ...known].slice(0, mostTraces));
    return made;
  };
  const compiled = (...args: Args): Result =>
    within(() => {
      // within another trace it is part of that; within a derivative its nodes are the way back
      if (runtime.trace || runtime.recording > 0) return f(...args);
      return replay(recordingOf(args), args) as Result;
    });
  traces.set(compiled, { recordings, of: (args) => within(() => recordingOf(args as unknown as Args)) });
  return compiled;
}
/** What is known of a compiled function: its traces by signature, and the one for arguments, made where it is missing. */
export interface Traces {
  readonly recordings: ReadonlyMap<string, readonly Recording[]>;
  of(args: readonly unknown[]): Recording;
}
/** For `inspect` and `warmup`. */
export const traces = /* @__PURE__ */ new WeakMap<object, Traces>();
/** Traces kept for one signature (modes, captured settings). */
const mostTraces = 8;

function signature(argument: unknown): string {
  if (isTensor(argument)) return `${argument.dtype}[${argument.shape}]`;
  if (typeof argument === 'object' && argument !== null)
    throw new ArgumentError(
      `compile: an argument is ${argument.constructor?.name}; hand in tensors, numbers, strings or booleans`,
    );
  return `${typeof argument}:${String(argument)}`;
}

function record(
  name: string,
  commit: 'always' | 'finite',
  f: (...args: readonly unknown[]) => unknown,
  args: readonly unknown[],
): Recording {
  const backend = getBackend();
  const trace = new Trace();
  const placeholders = args.map((argument, position) =>
    isTensor(argument) ? fromSource({ kind: 'argument', position }, argument.shape, argument.dtype) : argument,
  );
  const before = runtime.pending;
  const firstInside = fromSource({ kind: 'meta' }, [], 'float32').node.id;
  runtime.trace = trace;
  let result: unknown;
  try {
    result = f(...placeholders);
  } finally {
    runtime.trace = null;
    runtime.pending = before;
  }
  if (result instanceof Promise)
    throw new ReadError(
      `compile: ${name} is async; a compiled function returns tensors at once, await their values outside`,
    );

  const outputs: Tensor[] = [];
  const output = template(result, outputs, name);
  // a value that is both kept and assigned, or assigned twice, or comes from outside gets a buffer of its own
  const taken = new Set<string>();
  const own = (tensor: Tensor): Tensor => {
    const key = `${tensor.node.id}.${tensor.output}`;
    const fresh = tensor.node.op !== null && tensor.node.id > firstInside && !taken.has(key);
    const value = fresh ? tensor : identity(tensor);
    taken.add(`${value.node.id}.${value.output}`);
    return value;
  };
  const flag = commit === 'finite' ? allFinite(outputs, name) : null;
  const assigned = [...trace.assigned].map(([state, value]) => ({
    state,
    value: own(flag ? where(flag, value, trace.before(state)) : value),
  }));
  const kept = outputs.map(own);
  const targets = [...assigned.map(({ value }) => value), ...kept];

  const inside = (node: Node): boolean => node.id > firstInside;
  const source = (node: Node) => node.source?.kind === 'argument' || node.source?.kind === 'state';
  const captured = capturedPending(targets, inside);
  if (captured.length) flush(captured);
  const graph = collect(targets, (node) => source(node) || isLeaf(node));
  const leafOf = new Map<State, number>();
  graph.leaves.forEach(({ item }, place) => {
    if (item.node.source?.kind === 'state') leafOf.set(item.node.source.state, place);
  });
  const updates = assigned.flatMap(({ state }, target) => {
    const leaf = leafOf.get(state);
    return leaf === undefined ? [] : [{ target, leaf }];
  });
  const key = updates.map(({ target, leaf }) => `${target}=${leaf}`).join();
  const ready = planOf(backend, graph, { key, arrange: overwrite(updates) });
  const outsideLeaves = graph.leaves.map(({ item }) => source(item.node));
  const host = leafBuffersOf(backend, graph, outsideLeaves);
  return {
    backend,
    guards: trace.guards,
    graph,
    ready,
    leaves: graph.leaves.map(({ item }, place) => {
      const from = item.node.source;
      if (from?.kind === 'argument') return { argument: from.position };
      if (from?.kind === 'state') return { state: from.state };
      return { storage: host[place] as Storage };
    }),
    assigned: assigned.map(({ state }, target) => {
      const at = ready.program.targets[target] as number;
      return { state, result: at, inPlace: ready.program.results[at]?.leaf !== null };
    }),
    outputs: kept.map((tensor, i) => ({
      result: ready.program.targets[assigned.length + i] as number,
      shape: tensor.shape as readonly number[],
    })),
    output,
    scalars: scalarValues(graph),
  };
}

/** A bool on the device: no result is NaN or infinite. */
function allFinite(outputs: readonly Tensor[], name: string): Tensor {
  const floats = outputs.filter(({ dtype }) => dtype === 'float32' || dtype === 'float16');
  if (!floats.length)
    throw new ArgumentError(
      `compile: ${name} returns no float tensor to look at; return the loss, or leave out commit: 'finite'`,
    );
  return floats.map((output) => all(finite(output))).reduce((a, b) => logicalAnd(a, b));
}

/** Tensors made before the trace that it uses and that have no values yet. */
function capturedPending(targets: readonly Tensor[], inside: (node: Node) => boolean): Tensor[] {
  const found = new Map<Node, Tensor>();
  const visited = new Set<Node>();
  const stack = [...targets];
  while (stack.length) {
    const tensor = stack.pop() as Tensor;
    if (!inside(tensor.node)) {
      if (!isLeaf(tensor.node) && tensor.node.op) found.set(tensor.node, tensor);
    } else if (!visited.has(tensor.node)) {
      visited.add(tensor.node);
      stack.push(...tensor.node.inputs);
    }
  }
  return [...found.values()];
}

function leafBuffersOf(backend: Backend, graph: Graph, bound: readonly boolean[]): (Storage | null)[] {
  const constants = graph.leaves.filter((_, place) => !bound[place]);
  leafBuffers(backend, { ...graph, leaves: constants });
  return graph.leaves.map(({ item, output }, place) => (bound[place] ? null : (item.node.values[output] ?? null)));
}

/** Notes the tensors of a result, and how to put others in their places. */
function template(result: unknown, found: Tensor[], name: string): (results: readonly Tensor[]) => Output {
  if (isTensor(result)) {
    const place = found.push(result) - 1;
    return (results) => results[place] as Tensor;
  }
  if (Array.isArray(result)) {
    const entries = result.map((entry) => template(entry, found, name));
    return (results) => entries.map((entry) => entry(results));
  }
  if (typeof result === 'object' && result !== null) {
    if (Object.getPrototypeOf(result) !== Object.prototype)
      throw new ArgumentError(
        `compile: ${name} returned ${result.constructor?.name}; return tensors, arrays or plain objects of them`,
      );
    const entries = Object.entries(result).map(([key, value]) => [key, template(value, found, name)] as const);
    return (results) => Object.fromEntries(entries.map(([key, entry]) => [key, entry(results)]));
  }
  return () => result as Output;
}

function replay(recording: Recording, args: readonly unknown[]): Output {
  const { backend, ready } = recording;
  const pending = args.filter((argument): argument is Tensor => isTensor(argument) && !isLeaf(argument.node));
  const states = new Set<State>();
  for (const leaf of recording.leaves) if ('state' in leaf) states.add(leaf.state);
  if (pending.length || [...states].some((state) => state.pending)) flush(pending, states);
  for (const { state, inPlace } of recording.assigned) if (inPlace) state.own(backend);
  const passing: DeviceBuffer[] = [];
  const buffers = recording.leaves.map((leaf): DeviceBuffer => {
    if ('storage' in leaf) return leaf.storage.on(backend);
    if ('state' in leaf) return (leaf.state.storage as Storage).on(backend);
    const argument = args[leaf.argument] as Tensor;
    const storage = argument.node.values[argument.output];
    if (storage) return storage.on(backend);
    return upload(backend, argument, passing);
  });
  const results = run(ready, buffers, recording.scalars);
  for (const buffer of passing) backend.free(buffer);
  for (const { state, result, inPlace } of recording.assigned) {
    if (inPlace) state.bump();
    else {
      const { dtype, size } = ready.program.results[result] as { dtype: Storage['dtype']; size: number };
      state.replace(new Storage(backend, results[result] as DeviceBuffer, dtype, size));
    }
  }
  return recording.output(
    recording.outputs.map(({ result, shape }) => {
      const { dtype } = ready.program.results[result] as { dtype: Storage['dtype'] };
      return fromBuffer(backend, results[result] as DeviceBuffer, shape, dtype);
    }),
  );
}

/** Host values on their way through one call; an argument that comes again stays on the device. */
function upload(backend: Backend, { node, dtype }: Tensor, passing: DeviceBuffer[]): DeviceBuffer {
  const { data } = node.source as Extract<Node['source'], { kind: 'host' }>;
  const buffer = backend.allocate(dtype, data.length);
  backend.upload(buffer, dtype, data, true);
  if (node.uploaded) node.values[0] = new Storage(backend, buffer, dtype, data.length);
  else passing.push(buffer);
  node.uploaded = true;
  return buffer;
}
