/** Running what is pending: the graph of some tensors, and every assignment of state, as one plan. */
import type { Backend, DeviceBuffer, MemoryUse, TypedArray } from './backend';
import { ReadError } from './errors';
import { planOf, run } from './plan';
import { getBackend, runtime } from './runtime';
import { collect, type Graph } from './schedule/graph';
import { knownShape, type Node, Storage, Tensor, type TensorLike, toTensor } from './tensor';
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
  backend.upload(buffer, dtype, data);
  const storage = new Storage(backend, buffer, dtype, data.length);
  node.values[output] = storage;
  node.source = null;
  return storage;
}

/** Makes values for these tensors, and for all state assigned since the last flush, in one plan. */
export function flush(tensors: readonly Tensor[]): void {
  const states = [...runtime.dirty];
  runtime.dirty.clear();
  runtime.pending = 0;
  const assigned = states.flatMap(({ pending }) => (pending ? [pending] : []));
  const wanted = new Set<Tensor>();
  for (const tensor of [...tensors, ...assigned]) {
    const { node } = tensor;
    if (node.values[tensor.output]) continue;
    if (node.source?.kind === 'host') onDevice(getBackend(), node, tensor.output);
    else if (node.outputs.length === 1) wanted.add(tensor);
    // all outputs of a node or none: once it has values it lets go of its inputs
    else
      for (const output of node.outputs.keys())
        if (!targetsHave(wanted, node, output)) wanted.add(new Tensor(node, output));
  }
  const targets = [...wanted];
  if (targets.length) {
    const backend = getBackend();
    const graph = collect(targets, isLeaf);
    const ready = planOf(backend, graph);
    const results = run(ready, leafBuffers(backend, graph), scalarValues(graph));
    const storages = ready.program.results.map(
      ({ dtype, size }, i) => new Storage(backend, results[i] as DeviceBuffer, dtype, size),
    );
    const used = new Set<Storage>();
    targets.forEach((target, i) => {
      const storage = storages[ready.program.targets[i] as number] as Storage;
      target.node.values[target.output] = used.has(storage) ? storage.share() : storage;
      used.add(storage);
    });
    for (const target of targets) if (target.node.realised) target.node.detach();
  }
  for (const state of states) state.commit();
}

const targetsHave = (targets: ReadonlySet<Tensor>, node: Node, output: number): boolean =>
  [...targets].some((target) => target.node === node && target.output === output);

export const scalarValues = (graph: Graph): number[] =>
  graph.scalars.map(({ node }) => (node.source?.kind === 'scalar' ? node.source.value : Number.NaN));

/** Queues the work for these values now, all in one plan, and waits until it is done. */
export async function realize(...likes: readonly TensorLike[]): Promise<void> {
  forbidInTrace('realize');
  flush(likes.map((like) => toTensor(like, 'realize')));
  await getBackend().sync();
}

/** A copy of a tensor's values. */
export async function download(tensor: Tensor): Promise<TypedArray> {
  forbidInTrace('data');
  const shape = knownShape(tensor, 'data');
  const { source } = tensor.node;
  if (source?.kind === 'host') return source.data.slice();
  if (source?.kind === 'scalar') return tensorOfScalar(tensor, source.value);
  if (source?.kind === 'meta') throw new ReadError(`data: a meta tensor of shape [${shape}] has a shape but no values`);
  if (!tensor.node.values[tensor.output]) flush([tensor]);
  const storage = tensor.node.values[tensor.output] as Storage;
  if (storage.freed) throw new ReadError(`data: the memory of this tensor of shape [${shape}] was freed (dispose)`);
  const data = await storage.backend.download(storage.on(storage.backend), storage.dtype, sizeOf(shape));
  if (data.length <= smallRead && tensor.node.outputs.length === 1 && tensor.node.values[0] === storage) {
    // a loss that is read each step: keep the number, give the memory back without waiting for the garbage collector
    tensor.node.source = { kind: 'host', data: data.slice() };
    tensor.node.values[0] = null;
    storage.free();
  }
  return data;
}
/** Values this few live on the host once they were read. */
const smallRead = 256;

const tensorOfScalar = (tensor: Tensor, value: number): TypedArray =>
  tensor.dtype === 'float32'
    ? Float32Array.of(value)
    : tensor.dtype === 'int32'
      ? Int32Array.of(value)
      : Uint8Array.of(value);

function forbidInTrace(what: string): void {
  if (runtime.trace)
    throw new ReadError(
      `${what}: values cannot be read inside a compiled function (it is traced once, then replayed); return the tensor and read it outside`,
    );
}

/** Memory of the chosen backend. */
export const memory = (): MemoryUse => getBackend().memory();
