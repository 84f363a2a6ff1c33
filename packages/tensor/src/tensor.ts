/** Tensor: an immutable handle on one output of a graph node. Ops make nodes; reading a value runs what it needs. */
import type { Backend, TypedArray } from './backend';
import { ArgumentError, DTypeError, ReadError, TesseraError } from './errors';
import { download, flush, forbidInTrace } from './flush';
import type { DType } from './ir';
import { knownShape, type Meta, Node, type Shape, type Source, Storage } from './node';
import type { Attributes, OpDefinition } from './op';
import { brand, getBackend, runtime, version } from './runtime';
import type { State } from './state';
import { toTyped } from './typed';
import { sizeOf } from './view';

export { knownShape, type Meta, type Shape } from './node';

/** What ops take: tensors, state (read at its present version), and numbers. */
export type TensorLike = Tensor | State | number;

export class Tensor {
  readonly [brand] = version;
  readonly shape: Shape;
  readonly dtype: DType;
  #disposed = false;

  /** Internal: use tensor(), zeros(), … or an op. */
  constructor(
    readonly node: Node,
    readonly output = 0,
  ) {
    const meta = node.outputs[output] as Meta;
    this.shape = meta.shape;
    this.dtype = meta.dtype;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }
  /** Number of elements. @throws ShapeError where a size is unknown. */
  get size(): number {
    return sizeOf(knownShape(this));
  }

  /** A copy of the values, row-major (bool and uint8 as Uint8Array). Runs what is pending. @throws ReadError, BackendError */
  async data(): Promise<TypedArray> {
    return download(this.#checked('data'));
  }
  /** The one element, as a number. @throws ReadError where there are more. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ReadError(`item: the tensor has shape [${this.shape}], ${this.size} elements; use data() or toArray()`);
    return (await download(this.#checked('item')))[0] as number;
  }
  /** The values as nested arrays (a number for rank 0; bool as true/false). */
  async toArray(): Promise<NestedArray> {
    return nest(await download(this.#checked('toArray')), knownShape(this), this.dtype);
  }
  /** Frees the device memory now; pending work that needs it still runs. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.node.released = true;
    this.node.freeIfDone();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
  get disposed(): boolean {
    return this.#disposed;
  }
  #checked(method: string): this {
    if (this.#disposed)
      throw new ReadError(`${method}: this tensor was disposed; read it before dispose() or keep it with using`);
    return this;
  }
  toString(): string {
    const { source, values } = this.node;
    const place =
      values[this.output]?.backend.name ??
      (source?.kind === 'meta' ? 'meta' : source?.kind === 'host' ? 'host' : 'pending');
    return `Tensor([${this.shape.map((size) => size ?? '?').join(', ')}], ${this.dtype}, ${place})`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

export type NestedArray = number | boolean | readonly NestedArray[];

function nest(data: TypedArray, shape: readonly number[], dtype: DType): NestedArray {
  let place = 0;
  const level = (axis: number): NestedArray => {
    if (axis === shape.length) {
      const value = data[place++] as number;
      return dtype === 'bool' ? value !== 0 : value;
    }
    return Array.from({ length: shape[axis] as number }, () => level(axis + 1));
  };
  return level(0);
}

/** Is it a handle of this package, or of another copy of it? */
export function isTensor(value: unknown): value is Tensor {
  if (value instanceof Tensor) return true;
  const other = (value as { [brand]?: string } | null | undefined)?.[brand];
  if (other !== undefined)
    throw new TesseraError(
      `two copies of @tessera/tensor are loaded (${version} and ${other}): a tensor of one was handed to the other; dedupe them (npm ls @tessera/tensor)`,
    );
  return false;
}

/** Nodes that may wait: a loop that never reads does not grow beyond. */
const mostPending = 4000;
/** Ops on top of one another that tell a loop from an initial value, which waits as long as nobody wants it. */
const deep = 100;

/** Runs what a loop leaves behind, where much is pending: assignments, and what the next op stands on, if that is deep. */
function keepUp(inputs: readonly Tensor[]): void {
  // without a backend all waits: models may be made, and their shapes asked for, before one is chosen
  if (runtime.pending <= mostPending || !runtime.backend || runtime.trace || runtime.recording > 0) return;
  const chains = inputs.filter(({ node }) => node.depth > deep && !node.realised && !node.source);
  if (chains.length || runtime.dirty.size) flush(chains);
}

/** Makes the node of an op's call; its outputs as tensors. */
export function makeNode(
  op: OpDefinition,
  inputs: readonly Tensor[],
  attributes: Attributes,
  outputs: readonly Meta[],
): Tensor[] {
  keepUp(inputs);
  const node = new Node(op, inputs, attributes, outputs);
  if (inputs.some(isMeta)) node.source = { kind: 'meta' };
  return outputs.map((_, i) => new Tensor(node, i));
}

/** A tensor from a source. */
export const fromSource = (source: Source, shape: Shape, dtype: DType): Tensor =>
  new Tensor(new Node(null, [], {}, [{ shape, dtype }], source));

/** A tensor with a shape and no values, for shape inference: ops on it give shapes, reading it throws. */
export const meta = (shape: Shape, dtype: DType = 'float32'): Tensor => fromSource({ kind: 'meta' }, shape, dtype);
/** Has it a shape alone: is it `meta`, or made of one? */
export const isMeta = ({ node }: Tensor): boolean => node.source?.kind === 'meta';

/** Tensor, state or number → tensor. Numbers become float32 scalars; ops that mix them with tensors type them first. */
export function toTensor(like: TensorLike, op: string): Tensor {
  if (typeof like === 'number') return fromSource({ kind: 'scalar', value: like }, [], 'float32');
  if (like instanceof Tensor) {
    if (like.disposed) throw new ReadError(`${op}: an input was disposed; make the op's result before dispose()`);
    return like;
  }
  if (like && typeof like === 'object' && 'read' in like && typeof like.read === 'function') return like.read();
  isTensor(like);
  throw new ArgumentError(`${op}: wants a tensor, a state or a number, saw ${describe(like)}; use tensor(data)`);
}

const describe = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : typeof value === 'object'
        ? `a ${value.constructor?.name}`
        : typeof value;

// ---- from data ---------------------------------------------------------------------------------------------------

type Nested = number | boolean | readonly Nested[];
/** ImageData of a canvas, without needing the DOM's types. */
export interface ImageLike {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}
export interface TensorOptions {
  readonly dtype?: DType;
  readonly shape?: readonly number[];
}

/**
 * A tensor of host values, copied: a number, nested arrays, a typed array with a shape, or ImageData ([H,W,4] uint8).
 * dtype: as given, else of the typed array, bool for booleans, float32 for numbers. torch.tensor.
 * @throws ShapeError, DTypeError where nested arrays are ragged or sizes disagree.
 */
export function tensor(data: Nested | TypedArray | Uint8ClampedArray | ImageLike, options: TensorOptions = {}): Tensor {
  if (typeof data === 'object' && 'width' in data && 'data' in data)
    return tensor(data.data, { dtype: 'uint8', shape: [data.height, data.width, 4], ...options });
  if (ArrayBuffer.isView(data)) {
    const typed = data as TypedArray | Uint8ClampedArray;
    if (typeof typed[0] === 'bigint')
      throw new DTypeError(`tensor: data is ${describe(data)}; wants numbers: Int32Array.from(data, Number)`);
    return fromTyped(typed, options);
  }
  const found: number[] = [];
  for (let first = data as Nested; Array.isArray(first); first = first[0]) found.push(first.length);
  const flat: number[] = [];
  let bools = 0;
  const walk = (value: Nested, depth: number, path: string): void => {
    const entries = Array.isArray(value) ? (value as readonly Nested[]) : null;
    if (!entries && typeof value !== 'number' && typeof value !== 'boolean')
      throw new DTypeError(`tensor: data${path} is ${describe(value)}; wants numbers or booleans`);
    const wanted = found[depth];
    if (entries?.length !== wanted)
      throw new ArgumentError(
        `tensor: nested arrays are ragged: data${path} has ${entries?.length ?? 'no'} entries, others ${wanted ?? 'none'}`,
      );
    if (entries) for (const [i, entry] of entries.entries()) walk(entry, depth + 1, `${path}[${i}]`);
    else {
      if (typeof value === 'boolean') bools++;
      flat.push(Number(value));
    }
  };
  walk(data as Nested, 0, '');
  const dtype = options.dtype ?? (bools > 0 && bools === flat.length ? 'bool' : 'float32');
  return fromTyped(toTyped(flat, dtype), { dtype, shape: options.shape ?? found });
}

function fromTyped(data: TypedArray | Uint8ClampedArray, { dtype, shape }: TensorOptions): Tensor {
  const own =
    data instanceof Int32Array
      ? 'int32'
      : data instanceof Uint8Array || data instanceof Uint8ClampedArray
        ? 'uint8'
        : 'float32';
  const type = dtype ?? own;
  const sizes = shape ?? [data.length];
  if (sizeOf(sizes) !== data.length)
    throw new ArgumentError(`tensor: shape [${sizes}] wants ${sizeOf(sizes)} elements, the data has ${data.length}`);
  return fromSource({ kind: 'host', data: toTyped(data, type) }, [...sizes], type);
}

/** The same values on another backend (default: the chosen one). */
export async function to(x: Tensor, backend: Backend = getBackend()): Promise<Tensor> {
  if (x.node.values[x.output]?.backend === backend) return x;
  const data = await x.data();
  const moved = fromSource({ kind: 'host', data }, x.shape, x.dtype);
  const buffer = backend.allocate(x.dtype, data.length);
  backend.upload(buffer, x.dtype, data);
  moved.node.values[0] = new Storage(backend, buffer, x.dtype, data.length);
  return moved;
}

/** Queues the work for these values now, all in one plan, and waits until it is done. */
export async function realize(...likes: readonly TensorLike[]): Promise<void> {
  forbidInTrace('realize');
  const tensors: Tensor[] = [];
  const states: State[] = [];
  for (const like of likes) {
    // a state's values are its own as long as nobody reads them
    if (like && typeof like === 'object' && 'pending' in like) states.push(like);
    else tensors.push(toTensor(like, 'realize'));
  }
  flush(tensors, states);
  await getBackend().sync();
}
