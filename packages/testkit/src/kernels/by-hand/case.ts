/** What kernels written by hand are written with: their operands, small expressions, numbers at corners. */
import {
  applyMoves,
  type Compute,
  contiguous,
  type DType,
  type Expr,
  type ExprOp,
  expr as e,
  type Kernel,
  type Move,
  type Operand,
  type RowStore,
  type Store,
  sizeOf,
  type TypedArray,
  type View,
} from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { randomNumbers } from '../random/numbers';

/** A kernel's own fields, without the tables that a `Case` fills. */
export type Own<K extends Kernel> = Omit<K, 'inputs' | 'outputs' | 'uniforms' | 'aliases'>;
export type OwnKernel = { [K in Kernel['kind']]: Own<Extract<Kernel, { kind: K }>> }[Kernel['kind']];

/** Collects the operands of a kernel while its expressions are written. */
export class Case {
  private readonly inputs: Operand[] = [];
  private readonly data: TypedArray[] = [];
  private readonly outputs: Operand[] = [];
  private readonly aliases: number[] = [];
  private readonly types: Compute[] = [];
  private readonly uniforms: number[] = [];
  private readonly random = randomNumbers(7);

  /** A new input with these elements, or with normal-looking numbers in ±2 (int32: whole in ±100; uint8, bool: all). */
  input(dtype: DType, data: number | readonly number[]): number {
    const values = typeof data === 'number' ? Array.from({ length: data }, () => this.element(dtype)) : data;
    const make = dtype === 'int32' ? Int32Array : dtype === 'uint8' || dtype === 'bool' ? Uint8Array : Float32Array;
    this.inputs.push({ dtype, size: values.length });
    return this.data.push(make.from(values)) - 1;
  }
  private element(dtype: DType): number {
    if (dtype === 'int32') return Math.floor(this.random() * 200) - 100;
    if (dtype === 'uint8') return Math.floor(this.random() * 256);
    if (dtype === 'bool') return Math.floor(this.random() * 2);
    if (dtype === 'float16') return Math.floor(this.random() * 64 - 32) / 16;
    return Math.fround(this.random() * 4 - 2);
  }

  at(input: number, view: View, at: readonly Expr[] | null = null): Expr {
    const { dtype } = this.inputs[input] as Operand;
    return { op: 'load', dtype: e.computeOf(dtype), input, view, at };
  }
  /** A load of a new row-major input of that shape, moved. */
  load(shape: readonly number[], { dtype = 'float32', data, moves = [] }: LoadOptions = {}): Expr {
    const view = applyMoves(contiguous(shape), moves);
    if (!view) throw new Error('testkit: these moves have no view');
    return this.at(this.input(dtype, data ?? sizeOf(shape)), view);
  }
  uniform(dtype: Compute, value: number): Expr {
    this.uniforms.push(value);
    return { op: 'uniform', dtype, index: this.types.push(dtype) - 1 };
  }

  /** A store of the expression to a new row-major output. */
  store(shape: readonly number[], expr: Expr, dtype: DType = expr.dtype): Store {
    return this.storeTo(contiguous(shape), expr, dtype, sizeOf(shape));
  }
  storeTo(view: View, expr: Expr, dtype: DType, size: number): Store {
    this.aliases.push(-1);
    return { output: this.outputs.push({ dtype, size }) - 1, view, expr };
  }
  /** A store in place of an input. */
  storeOver(input: number, view: View, expr: Expr): Store {
    this.aliases.push(input);
    return { output: this.outputs.push(this.inputs[input] as Operand) - 1, view, expr };
  }
  row(store: Store): RowStore {
    return { ...store, per: 'row' };
  }
  whole(store: Store): RowStore {
    return { ...store, per: 'element' };
  }

  done(title: string, own: OwnKernel): KernelCase {
    const { inputs, outputs, aliases, types, data, uniforms } = this;
    return { title, kernel: { ...own, inputs, outputs, aliases, uniforms: types }, inputs: data, uniforms };
  }
}
export interface LoadOptions {
  readonly dtype?: DType;
  readonly data?: readonly number[];
  readonly moves?: readonly Move[];
}

export const acc = (index: number, dtype: Compute = 'float32'): Expr => e.acc(index, dtype);
export const float = (value: number): Expr => e.constant(Math.fround(value));
export const int = (value: number): Expr => e.constant(value, 'int32');
export const one = (fn: ExprOp, a: Expr) => e.apply(fn, [a]);
export const two = (fn: ExprOp, a: Expr, b: Expr) => e.apply(fn, [a, b]);

export const least = -0x80000000;
export const greatest = 0x7fffffff;
/** Where functions of floats have their corners. */
export const corners = [
  Number.NaN,
  Infinity,
  -Infinity,
  -0,
  0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -1.5,
  -2.5,
  2,
  -3,
  1e-3,
  100.25,
  3e9,
];
export const wholeCorners = [0, 1, -1, 2, -2, 3, -7, 31, 255, 256, -256, 65537, greatest, least, least + 1, 0x5bd1e995];
/** Every element of a against every one of b, as two lists. */
export const pairs = (a: readonly number[], b: readonly number[]) =>
  [a.flatMap((x) => b.map(() => x)), a.flatMap(() => b)] as const;
