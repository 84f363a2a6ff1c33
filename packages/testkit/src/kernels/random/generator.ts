/** What random kernels are made of: numbers, shapes, views, inputs, stores. */
import {
  type Compute,
  contiguous,
  type DType,
  type Expr,
  expr as e,
  type Load,
  type Operand,
  rowMajor,
  type Store,
  sizeOf,
  type TypedArray,
  type View,
} from '@tessera/tensor/backend';
import { randomNumbers } from './numbers';
import type { Pool } from './terms';

/** An expression with what is known of its values. */
export interface Term {
  readonly expr: Expr;
  readonly low: number;
  readonly high: number;
  /** Bits behind the binary point of an exact value; Infinity after rounding. */
  readonly fraction: number;
}

export const int = { low: -0x80000000, high: 0x7fffffff, fraction: 0 };
export const flag = { low: 0, high: 1, fraction: 0 };
export const isExact = ({ low, high, fraction }: Term) => Math.max(-low, high) * 2 ** fraction < 2 ** 22;

/** What fills a float input: multiples of 1/4, any numbers, or multiples of 1/4 among NaN, ±∞ and −0. */
type Filling = 'grid' | 'any' | 'special';

export const sizes = [1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31];
const most = 1500;

export class Generator {
  readonly inputs: Operand[] = [];
  readonly data: TypedArray[] = [];
  readonly outputs: Operand[] = [];
  readonly aliases: number[] = [];
  readonly uniformTypes: Compute[] = [];
  readonly uniforms: number[] = [];
  /** Inputs that are read in one way only, and so may be written in place. */
  private readonly lone = new Map<number, Load>();
  /** Do float inputs hold NaN, ±∞ and −0? */
  special: boolean;
  private readonly half: boolean;
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomNumbers(seed);
    this.special = this.chance(0.15);
    this.half = this.chance(0.15);
  }

  chance(p: number): boolean {
    return this.random() < p;
  }
  below(n: number): number {
    return Math.floor(this.random() * n);
  }
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  shape(leastRank = 0, mostRank = 4, allowEmpty = true): number[] {
    const shape = Array.from({ length: this.between(leastRank, mostRank) }, () => this.pick(sizes));
    while (sizeOf(shape) > most) shape[this.below(shape.length)] = this.pick([1, 2, 3]);
    if (allowEmpty && shape.length > 0 && this.chance(0.05)) shape[this.below(shape.length)] = 0;
    return shape;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(this.below(left.length), 1)[0] as T);
  }

  /** A view of a shape onto a buffer of the size it tells. Stores must not repeat or skip elements. */
  view(shape: readonly number[], forStore: boolean): { view: View; size: number } {
    if (this.chance(0.5)) return { view: contiguous(shape), size: sizeOf(shape) };
    const order = this.chance(0.5) ? this.shuffle(shape.map((_, axis) => axis)) : shape.map((_, axis) => axis);
    const steps = shape.map(() => (this.chance(0.15) ? 2 : 1) * (this.chance(0.2) ? -1 : 1));
    const repeated = shape.map(() => !forStore && this.chance(0.15));
    const padded = !forStore && this.chance(0.3);
    const valid = shape.map((size): [number, number] => {
      if (!padded || this.chance(0.4)) return [0, size];
      const low = this.below(Math.min(size, 2) + 1);
      return [low, Math.max(low, size - this.below(3))];
    });
    const count = (axis: number) => (valid[axis] as [number, number])[1] - (valid[axis] as [number, number])[0];
    const extents = shape.map((_, axis) =>
      repeated[axis] || count(axis) === 0 ? 1 : (count(axis) - 1) * Math.abs(steps[axis] as number) + 1,
    );
    const inMemory = rowMajor(order.map((axis) => extents[axis] as number));
    const base = this.chance(0.3) ? this.below(4) : 0;
    let offset = base;
    const strides = shape.map((_, axis) => {
      if (repeated[axis]) return 0;
      const step = (steps[axis] as number) * (inMemory[order.indexOf(axis)] as number);
      const [low, high] = valid[axis] as [number, number];
      offset -= step > 0 ? step * low : step * Math.max(high - 1, low);
      return step;
    });
    const view = { shape, strides, offset, valid: padded ? valid : null };
    return { view, size: base + sizeOf(extents) + (this.chance(0.3) ? this.below(5) : 0) };
  }

  /** A new input, filled; what is known of its elements. */
  input(dtype: DType, size: number, filling: Filling): number {
    this.inputs.push({ dtype, size });
    const array =
      dtype === 'int32'
        ? new Int32Array(size)
        : dtype.startsWith('float')
          ? new Float32Array(size)
          : new Uint8Array(size);
    for (let i = 0; i < size; i++) array[i] = this.element(dtype, filling);
    return this.data.push(array) - 1;
  }

  private element(dtype: DType, filling: Filling): number {
    if (dtype === 'bool') return this.below(2);
    if (dtype === 'uint8') return this.below(256);
    if (dtype === 'int32') return this.chance(0.9) ? this.between(-20, 20) : (this.random() * 2 ** 32) | 0;
    if (filling === 'special' && this.chance(0.2)) return this.pick([Number.NaN, Infinity, -Infinity, -0]);
    if (filling === 'any') return Math.fround(this.random() * 6 - 3);
    return this.between(-16, 16) / 4;
  }

  /** A load from a new input at the domain's coordinates. */
  load(shape: readonly number[], type: Compute, exact = false): Term {
    const { view, size } = this.view(shape, false);
    const dtype: DType =
      type === 'int32'
        ? this.pick(['int32', 'uint8'])
        : type === 'bool'
          ? 'bool'
          : this.half && this.chance(0.5)
            ? 'float16'
            : 'float32';
    const filling = this.special ? 'special' : exact || dtype === 'float16' || this.chance(0.5) ? 'grid' : 'any';
    const load: Load = { op: 'load', dtype: type, input: this.input(dtype, size, filling), view, at: null };
    this.lone.set(load.input, load);
    if (type === 'bool') return { expr: load, ...flag };
    if (dtype === 'uint8') return { expr: load, low: 0, high: 255, fraction: 0 };
    if (type === 'int32') return { expr: load, ...int };
    // An unrounded number is exact, but has too many bits for anything exact to be made of it.
    return { expr: load, low: -4, high: 4, fraction: filling === 'any' ? Infinity : 2 };
  }

  /** A load at computed places, some of them outside. */
  gather(pool: Pool): Term {
    const shape = Array.from({ length: this.between(1, 2) }, () => this.between(1, 6));
    const at = shape.map((size) => {
      const wide = e.apply('mod', [pool.of('int32').expr, e.constant(size + 2, 'int32')]);
      return e.sub(wide, e.constant(1, 'int32'));
    });
    const filling = this.special ? 'special' : 'grid';
    const { view, size } = this.view(shape, false);
    const load: Load = { op: 'load', dtype: 'float32', input: this.input('float32', size, filling), view, at };
    return { expr: load, low: -4, high: 4, fraction: 2 };
  }

  uniform(type: Compute): Term {
    const value =
      type === 'float32' ? this.between(-16, 16) / 4 : type === 'int32' ? this.between(-9, 9) : this.below(2);
    const index = this.uniformTypes.push(type) - 1;
    this.uniforms.push(value);
    return { expr: { op: 'uniform', dtype: type, index }, low: value, high: value, fraction: 2 };
  }

  /** A store of the expression into a new output; now and then in place of an input. */
  store(shape: readonly number[], expr: Expr, used: ReadonlySet<Expr>): Store {
    const home = [...this.lone].find(([input, load]) => this.fitsInPlace(input, load, shape, expr, used));
    if (home && this.chance(0.5)) {
      const [input, load] = home;
      this.outputs.push(this.inputs[input] as Operand);
      this.aliases.push(input);
      return { output: this.outputs.length - 1, view: load.view, expr };
    }
    const { view, size } = this.view(shape, true);
    const dtype: DType =
      expr.dtype === 'int32' && this.chance(0.2)
        ? 'uint8'
        : expr.dtype === 'float32' && this.half && this.chance(0.5)
          ? 'float16'
          : expr.dtype;
    this.outputs.push({ dtype, size });
    this.aliases.push(-1);
    return { output: this.outputs.length - 1, view, expr };
  }

  private fitsInPlace(
    input: number,
    { view }: Load,
    shape: readonly number[],
    expr: Expr,
    used: ReadonlySet<Expr>,
  ): boolean {
    const { dtype } = this.inputs[input] as Operand;
    const oneToOne = !view.valid && view.strides.every((stride, axis) => stride !== 0 || view.shape[axis] === 1);
    const sameShape = view.shape.length === shape.length && view.shape.every((size, axis) => size === shape[axis]);
    const read = [...used].some((node) => node.op === 'load' && node.input === input);
    return dtype === expr.dtype && oneToOne && sameShape && read && !this.aliases.includes(input);
  }

  /** The parts that every kernel has. */
  base() {
    return { inputs: this.inputs, outputs: this.outputs, aliases: this.aliases, uniforms: this.uniformTypes };
  }
}
