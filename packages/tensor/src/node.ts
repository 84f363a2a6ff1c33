/** A node of the graph, and the device memory its values are in. `Tensor` is the handle that users hold. */
import type { Backend, DeviceBuffer, TypedArray } from './backend';
import { BackendError, ReadError } from './errors';
import type { DType } from './ir';
import type { Attributes, OpDefinition } from './op';
import { runtime } from './runtime';
import type { State } from './state';
import type { Tensor } from './tensor';

/** Sizes, outermost first; null where a size is not known yet. */
export type Shape = readonly (number | null)[];
export interface Meta {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One output of a node. */
export interface Value {
  readonly node: Node;
  readonly output: number;
}

/** One device buffer and how many storages share it. */
interface Hold {
  readonly backend: Backend;
  readonly buffer: DeviceBuffer;
  owners: number;
}
function letGo(hold: Hold): void {
  if (--hold.owners === 0) hold.backend.free(hold.buffer);
}
const reclaim = /* @__PURE__ */ new FinalizationRegistry<Hold>(letGo);

/** An owner of device memory, let go once: by dispose, by its node, or at the latest by the garbage collector. */
export class Storage {
  freed = false;
  readonly #hold: Hold;
  constructor(
    backend: Backend,
    buffer: DeviceBuffer,
    readonly dtype: DType,
    readonly size: number,
    hold?: Hold,
  ) {
    this.#hold = hold ?? { backend, buffer, owners: 0 };
    this.#hold.owners++;
    reclaim.register(this, this.#hold, this);
  }
  get backend(): Backend {
    return this.#hold.backend;
  }
  /** The buffer, for work on that backend. @throws BackendError where it lives on another, ReadError where it was freed. */
  on(backend: Backend): DeviceBuffer {
    if (this.freed)
      throw new ReadError(`a tensor of ${this.size} elements was used after its memory was freed (dispose)`);
    if (this.backend !== backend)
      throw new BackendError(
        `a tensor of ${this.size} elements lives on ${this.backend.name}, the chosen backend is ${backend.name}; move it with to(t, backend)`,
      );
    return this.#hold.buffer;
  }
  /** Has the memory no other owner? */
  get sole(): boolean {
    return this.#hold.owners === 1;
  }
  /** Another owner of the same memory. */
  share(): Storage {
    return new Storage(this.backend, this.#hold.buffer, this.dtype, this.size, this.#hold);
  }
  free(): void {
    if (this.freed) return;
    this.freed = true;
    reclaim.unregister(this);
    letGo(this.#hold);
  }
}

/** Where a node's values come from when it is no op. */
export type Source =
  /** Host data, owned by the node. */
  | { readonly kind: 'host'; readonly data: TypedArray }
  /** A JavaScript number: a uniform of the kernels that use it, of any shape []. */
  | { readonly kind: 'scalar'; readonly value: number }
  /** A state cell at the version current when it was read. */
  | { readonly kind: 'state'; readonly state: State; readonly version: number }
  /** An argument of the compiled function being traced. */
  | { readonly kind: 'argument'; readonly position: number }
  /** Shapes only. */
  | { readonly kind: 'meta' };

let created = 0;

/** A call of an op, or a source. Once realised it holds values and lets go of its inputs. */
export class Node {
  readonly id = created++;
  /** Values on a device, an entry an output. */
  readonly values: (Storage | null)[];
  /** Ops on top of one another up to this one, from values that were there when it was made, or in a state. */
  depth = 0;
  /** Nodes that still need this one to run. */
  consumers = 0;
  /** Handles disposed: free the values when the last consumer has run. */
  released = false;
  /** Keep the inputs after running: a gradient may walk through here. */
  recorded = runtime.recording > 0;
  /** Its host data went to a device once, for one call. */
  uploaded = false;
  /** The layer it was made in, and in debug mode the line: late failures name them. */
  readonly layer = runtime.layer;
  readonly line = runtime.debug?.() ?? null;
  constructor(
    readonly op: OpDefinition | null,
    public inputs: readonly Tensor[],
    readonly attributes: Attributes,
    readonly outputs: readonly Meta[],
    public source: Source | null = null,
  ) {
    this.values = outputs.map(() => null);
    for (const { node } of inputs) {
      node.consumers++;
      if (!node.realised) this.depth = Math.max(this.depth, node.depth + 1);
    }
    if (this.recorded) runtime.recorded.push(this);
    runtime.pending++;
  }
  get realised(): boolean {
    return this.values.every((value) => value !== null);
  }
  /** Lets go of the inputs, once the values are there (or never needed). */
  detach(): void {
    if (this.recorded) return;
    for (const input of this.inputs) {
      input.node.consumers--;
      input.node.freeIfDone();
    }
    this.inputs = [];
  }
  freeIfDone(): void {
    if (this.released && this.consumers === 0) for (const value of this.values) value?.free();
  }
}

/** The sizes as numbers. @throws ReadError for a shape with unknown sizes. */
export function knownShape(tensor: { shape: Shape }, op = 'size'): readonly number[] {
  if (tensor.shape.some((size) => size === null))
    throw new ReadError(
      `${op}: shape [${tensor.shape.map((s) => s ?? '?')}] has unknown sizes; it has no values to read`,
    );
  return tensor.shape as readonly number[];
}

/** "layer4.0.conv1: conv2d at train.ts:12": how messages name a node. State that was never computed has the layer it was made in. */
export function nameOf({ layer, op, line, source }: Node): string {
  const made = layer ?? (source?.kind === 'state' ? source.state.pending?.node.layer : null);
  return `${made ? `${made}: ` : ''}${op?.opName ?? source?.kind ?? 'tensor'}${line ? ` at ${line}` : ''}`;
}
