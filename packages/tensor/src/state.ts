/**
 * State: the only thing that changes. A parameter, an optimizer's moment, a running statistic, the random counter is a cell
 * that is read (a node bound to its present version) and assigned (a new version, computed with the next flush).
 */
import type { Backend, TypedArray } from './backend';
import { ShapeError } from './errors';
import { flush } from './flush';
import type { DType } from './ir';
import type { Storage } from './node';
import { identity } from './ops/identity';
import { reshape } from './ops/shape';
import { runtime } from './runtime';
import { fromSource, type Shape, type Tensor, type TensorLike, toTensor } from './tensor';

export class State {
  readonly shape: Shape;
  readonly dtype: DType;
  /** The values of the present version, once realised. */
  storage: Storage | null = null;
  /**
   * What the present version is to become: pending until a flush. A node of its own, also where two states are given one
   * tensor: a derivative by one is none by the other.
   */
  pending: Tensor | null;
  version = 0;
  /** Someone else may hold the values of the newest version: they must not be written over. */
  #shared = false;
  #read: WeakRef<Tensor> | null = null;

  constructor(initial: Tensor | State) {
    const value = toTensor(initial, 'state');
    this.shape = value.shape;
    this.dtype = value.dtype;
    this.pending = this.#next(value);
  }
  #next(value: Tensor): Tensor {
    const { source } = value.node;
    // what lies on the host is uploaded once more: no kernel that copies it
    const next = source?.kind === 'host' ? fromSource(source, this.shape, this.dtype) : reshape(value, this.shape);
    next.node.depth = 0;
    this.#shared = false;
    return next;
  }

  /** The present value. One node a version: whoever reads twice reads the same. */
  read(): Tensor {
    if (runtime.trace) return runtime.trace.readState(this);
    const known = this.#read?.deref();
    if (known) return known;
    const tensor =
      this.pending ?? fromSource({ kind: 'state', state: this, version: this.version }, this.shape, this.dtype);
    if (!this.pending && this.storage) tensor.node.values[0] = this.storage.share();
    this.#shared = true;
    this.#read = new WeakRef(tensor);
    return tensor;
  }

  /** The next version. Takes effect for every read from here on. @throws ShapeError where shape or dtype change. */
  assign(next: TensorLike): void {
    const value = toTensor(next, 'assign');
    const same = value.shape.length === this.shape.length && value.shape.every((size, i) => size === this.shape[i]);
    if (!same || value.dtype !== this.dtype)
      throw new ShapeError(
        `assign: the state is ${this.dtype} [${this.shape}], the value ${value.dtype} [${value.shape}]; reshape or cast it first`,
      );
    if (runtime.trace) {
      runtime.trace.assignState(this, value);
      return;
    }
    this.version++;
    this.pending = this.#next(value);
    this.#read = null;
    runtime.dirty.add(this);
  }

  /** Internal: takes the values that a flush made. */
  commit(): void {
    const storage = this.pending?.node.values[this.pending.output];
    if (!storage) return;
    this.storage?.free();
    // what nobody has read before it was there is this cell's alone, and need not be copied to be written over
    this.#shared ||= !storage.sole;
    this.storage = this.#shared ? storage.share() : storage;
    this.pending = null;
  }

  /** Internal: makes sure that nobody else sees the values change. */
  own(backend: Backend): void {
    if (!this.#shared || !this.storage) return;
    const now = fromSource({ kind: 'state', state: this, version: this.version }, this.shape, this.dtype);
    now.node.values[0] = this.storage;
    const copy = identity(now);
    flush([copy]);
    const storage = copy.node.values[0] as Storage;
    storage.on(backend);
    this.replace(storage);
    this.version--; // the same values
  }

  /** Internal: a new version with these values. */
  replace(storage: Storage): void {
    if (this.storage !== storage) this.storage?.free();
    this.storage = storage;
    this.pending = null;
    runtime.dirty.delete(this);
    this.bump();
  }

  /** Internal: the values were written over. */
  bump(): void {
    this.#shared = false;
    this.#read = null;
    this.version++;
  }

  /** A copy of the present values. */
  async data(): Promise<TypedArray> {
    return this.read().data();
  }
  async item(): Promise<number> {
    return this.read().item();
  }
  toString(): string {
    return `State([${this.shape}], ${this.dtype}, version ${this.version})`;
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
