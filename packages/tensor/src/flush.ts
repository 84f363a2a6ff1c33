/** Running what is pending: the graph of some tensors, and every assignment of state, as one plan. */
import type { Backend, DeviceBuffer, MemoryUse, TypedArray } from './backend';
import { ReadError } from './errors';
import { knownShape, type Meta, type Node, Storage, type Value } from './node';
import { planOf, run } from './plan';
import { getBackend, runtime } from './runtime';
import { collect, type Graph } from './schedule/graph';
import type { State } from './state';
import { toTyped } from './typed';
import { sizeOf } from './view';

/** Values already on a device, or on the host: a plan starts from them. */
export const isLeaf = (node: Node): boolean =>
  node.values.some((value) => value !== null) || node.source?.kind === 'host';

/** The device buffers of a graph's leaves; host data is uploaded at its first use. */
export function leafBuffers(backend: Backend, graph: Graph): DeviceBuffer[] {
  return graph.leaves.map(({ item, output }) => onDevice(backend, item.node, output).on(backend));
}

function onDevice(backend: Backend, node: Node, output: number): Storage {
  const known = node.values[output];
  if (known) return known;
  if (node.source?.kind !== 'host')
    throw new ReadError(`plan: output ${output} of ${node.op?.opName ?? 'a tensor'} was not computed with the others`);
  const { data } = node.source;
  const { dtype } = node.outputs[output] as { dtype: Storage['dtype'] };
  const buffer = backend.allocate(dtype, data.length);
  backend.upload(buffer, dtype, data, true);
  const storage = new Storage(backend, buffer, dtype, data.length);
  node.values[output] = storage;
  node.source = null;
  return storage;
}

/** Makes values for these tensors and states, and for all state assigned since the last flush, in one plan. */
export function flush(values: readonly Value[], initial: Iterable<State> = []): void {
  const states = new Set([...runtime.dirty, ...initial]);
  // what cannot run (too large, out of memory) throws here, and then where it is read: it stays pending, and no later flush tries it
  runtime.dirty.clear();
  const assigned = [...states].flatMap(({ pending }) => (pending ? [pending] : []));
  const wanted: Value[] = [];
  for (const value of [...values, ...assigned]) {
    const { node } = value;
    if (node.values[value.output]) continue;
    if (node.source?.kind === 'host') onDevice(getBackend(), node, value.output);
    // all outputs of a node or none: once it has values it lets go of its inputs
    else if (!wanted.some((other) => other.node === node))
      for (const output of node.outputs.keys()) wanted.push({ node, output });
  }
  if (wanted.length) {
    const backend = getBackend();
    const graph = collect(wanted, isLeaf);
    const ready = planOf(backend, graph);
    const results = run(ready, leafBuffers(backend, graph), scalarValues(graph));
    const storages = ready.program.results.map(
      ({ dtype, size }, i) => new Storage(backend, results[i] as DeviceBuffer, dtype, size),
    );
    const used = new Set<Storage>();
    wanted.forEach((target, i) => {
      const storage = storages[ready.program.targets[i] as number] as Storage;
      target.node.values[target.output] = used.has(storage) ? storage.share() : storage;
      used.add(storage);
    });
    for (const { node } of wanted) if (node.realised) node.detach();
  }
  for (const state of states) state.commit(); // only now: where the plan could not run, nothing that was assigned is lost
  runtime.pending = 0;
}

export const scalarValues = (graph: Graph): number[] =>
  graph.scalars.map(({ node }) => (node.source?.kind === 'scalar' ? node.source.value : Number.NaN));

/** A copy of a tensor's values. */
export async function download(value: Value): Promise<TypedArray> {
  forbidInTrace('data');
  const shape = knownShape(value.node.outputs[value.output] as Meta, 'data');
  const { source } = value.node;
  if (source?.kind === 'host') return source.data.slice();
  if (source?.kind === 'scalar') return toTyped([source.value], value.node.outputs[0]?.dtype ?? 'float32');
  if (source?.kind === 'meta') throw new ReadError(`data: a meta tensor of shape [${shape}] has a shape but no values`);
  if (!value.node.values[value.output]) flush([value]);
  const storage = value.node.values[value.output] as Storage;
  if (storage.freed) throw new ReadError(`data: the memory of this tensor of shape [${shape}] was freed (dispose)`);
  const data = await storage.backend.download(storage.on(storage.backend), storage.dtype, sizeOf(shape));
  if (data.length <= smallRead && value.node.outputs.length === 1 && value.node.values[0] === storage) {
    // a loss that is read each step: keep the number, give the memory back without waiting for the garbage collector
    value.node.source = { kind: 'host', data: data.slice() };
    value.node.values[0] = null;
    storage.free();
  }
  return data;
}
/** Values this few live on the host once they were read. */
const smallRead = 256;

export function forbidInTrace(what: string): void {
  if (runtime.trace)
    throw new ReadError(
      `${what}: values cannot be read inside a compiled function (it is traced once, then replayed); return the tensor and read it outside`,
    );
}

/** Memory of the chosen backend. */
export const memory = (): MemoryUse => getBackend().memory();
