/**
 * `defineOp`: an op in one place. Calling an op checks its arguments, infers the shape and makes a node; nothing is computed.
 * Its lowering says what to compute, as a kernel of `ir.ts` whose expressions read the op's inputs.
 */
import { ArgumentError } from './errors';
import { computeOf } from './expr';
import type { Accumulate, Combine, Compute, ConvSizes, DType, ExprOf, PoolSizes } from './ir';
import { type Meta, makeNode, type Shape, type Tensor, type TensorLike, toTensor } from './tensor';
import type { Move } from './view';

/** Reads input number `input`: at the domain's coordinates after `moves`, or at computed coordinates (outside reads 0). */
export interface Read {
  readonly op: 'read';
  readonly dtype: Compute;
  readonly input: number;
  readonly moves: readonly Move[];
  readonly at: readonly OpExpr[] | null;
}
export type OpExpr = ExprOf<Read>;

/** An input as a lowering sees it: sizes are known. */
export interface Input {
  readonly index: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** What the op's outputs are, for kernels with one result an element: by default acc0. */
interface Outs {
  readonly outs?: readonly OpExpr[];
}
/** What an op computes; see the kernel of the same kind in `ir.ts`. */
export type Lowering =
  /** The output is the input under other coordinates: no kernel. */
  | { readonly kind: 'view'; readonly moves: readonly Move[] }
  /** Element by element over the output's shape; several outputs have equal shapes. */
  | { readonly kind: 'map'; readonly outs: readonly OpExpr[] }
  /** Boxes of the one output, each written by itself: cat, stack. */
  | {
      readonly kind: 'parts';
      readonly parts: readonly {
        readonly start: readonly number[];
        readonly shape: readonly number[];
        readonly expr: OpExpr;
      }[];
    }
  | {
      readonly kind: 'reduce';
      readonly shape: readonly number[];
      readonly axes: readonly number[];
      readonly stages: readonly (readonly OpAccumulate[])[];
      /** 'row' outputs have one element a row (any shape of that size), 'element' outputs the domain's shape. */
      readonly outs: readonly {
        readonly per: 'row' | 'element';
        readonly expr: OpExpr;
        /** The same without accumulators: from the inputs and, numbered behind them, this op's own outputs of the row. */
        readonly again?: OpExpr | undefined;
      }[];
    }
  | ({
      readonly kind: 'matmul';
      readonly batch: readonly number[];
      readonly m: number;
      readonly n: number;
      readonly k: number;
      readonly a: OpExpr;
      readonly b: OpExpr;
      readonly halves?: true;
    } & Outs)
  | ({
      readonly kind: 'conv';
      readonly direction: 'forward' | 'inputGrad' | 'weightGrad';
      readonly sizes: ConvSizes;
      readonly a: OpExpr;
      readonly b: OpExpr;
      readonly halves?: true;
    } & Outs)
  | ({
      readonly kind: 'pool';
      readonly direction: 'forward' | 'backward';
      readonly combine: 'max' | 'sum';
      readonly sizes: PoolSizes;
      readonly a: OpExpr;
      readonly b: OpExpr | null;
    } & Outs)
  | ({
      readonly kind: 'scatter';
      readonly shape: readonly number[];
      readonly updates: readonly number[];
      readonly combine: 'assign' | 'add' | 'mul' | 'max' | 'min';
      readonly init: OpExpr;
      readonly at: readonly OpExpr[];
      readonly value: OpExpr;
    } & Outs)
  | ({
      readonly kind: 'sort';
      readonly shape: readonly number[];
      readonly axis: number;
      readonly descending: boolean;
      readonly k: number;
      readonly a: OpExpr;
    } & Outs)
  | ({
      readonly kind: 'scan';
      readonly shape: readonly number[];
      readonly axis: number;
      readonly combine: 'sum' | 'prod' | 'max' | 'min';
      readonly reverse: boolean;
      readonly a: OpExpr;
    } & Outs)
  | ({
      readonly kind: 'custom';
      readonly backend: string;
      readonly name: string;
      readonly code: string;
      readonly grid: readonly [x: number, y: number];
      readonly shape: readonly number[];
      readonly dtype: Compute;
      readonly reads: readonly { readonly name: string; readonly shape: readonly number[]; readonly expr: OpExpr }[];
    } & Outs);

export type OpAccumulate = Omit<Accumulate, 'expr'> & { readonly expr: OpExpr };

/** Attributes are plain data, canonical after `args`: they are part of the plan cache's key. */
export type Attributes = Readonly<Record<string, unknown>>;

/**
 * A gradient rule: cotangents of the inputs from those of the outputs (null: that output is unused), written with ops;
 * null for an input that has none. `defineGradient` in autograd puts it in the op's slot.
 */
export type GradientRule = (
  g: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  attributes: Attributes,
) => readonly (Tensor | null)[];

/** An op as the graph, the scheduler and autograd see it: they never look at `name` but to print it. */
export interface OpDefinition<Attrs extends Attributes = Attributes> {
  readonly opName: string;
  lower(
    inputs: readonly Input[],
    attributes: Attrs,
    outputs: readonly { shape: readonly number[]; dtype: DType }[],
  ): Lowering;
  /** Set by autograd's `defineGradient`. */
  gradient: GradientRule | null;
  /** Why the op has no gradient, where it is so by nature. */
  readonly notDifferentiable: string | null;
  /** Does a call return an array of tensors, and a rule take one? */
  readonly many: boolean;
}

export type Op<Args extends readonly unknown[], Result, Attrs extends Attributes = Attributes> = OpDefinition<Attrs> &
  ((...args: Args) => Result);

interface OpOptions<Args extends readonly unknown[], Attrs extends Attributes> {
  readonly name: string;
  /** From the call's arguments to inputs and canonical attributes; checks what needs no shapes of others. */
  readonly args: (...args: Args) => readonly [inputs: readonly TensorLike[], attributes: Attrs];
  /** dtype and shape of each output; null sizes are carried through. Throws where inputs do not fit. */
  readonly shape: (inputs: readonly Tensor[], attributes: Attrs) => Meta | readonly Meta[];
  readonly lower: (
    inputs: readonly Input[],
    attributes: Attrs,
    outputs: readonly { shape: readonly number[]; dtype: DType }[],
  ) => Lowering;
  /** A reason, for ops without a gradient by nature ("integer result"). */
  readonly notDifferentiable?: string;
}

function define<Args extends readonly unknown[], Attrs extends Attributes, Result>(
  { name, args, shape, lower, notDifferentiable }: OpOptions<Args, Attrs>,
  pick: (outputs: Tensor[]) => Result,
  many: boolean,
): Op<Args, Result, Attrs> {
  const op = (...values: Args): Result => {
    const [likes, attributes] = args(...values);
    const inputs = likes.map((like) => toTensor(like, name));
    const metas = shape(inputs, attributes);
    return pick(
      makeNode(op as unknown as OpDefinition, inputs, attributes, Array.isArray(metas) ? metas : [metas as Meta]),
    );
  };
  Object.defineProperty(op, 'name', { value: name });
  return Object.assign(op, { opName: name, lower, gradient: null, notDifferentiable: notDifferentiable ?? null, many });
}

/** An op with one output. */
export const defineOp = <Args extends readonly unknown[], Attrs extends Attributes>(
  options: OpOptions<Args, Attrs>,
): Op<Args, Tensor, Attrs> => define(options, (outputs) => outputs[0] as Tensor, false);

/** An op with several outputs, returned as an array. */
export const defineMultiOp = <Args extends readonly unknown[], Attrs extends Attributes>(
  options: OpOptions<Args, Attrs>,
): Op<Args, Tensor[], Attrs> => define(options, (outputs) => outputs, true);

// ---- for lowerings -----------------------------------------------------------------------------------------------

/** The input at the domain's coordinates, broadcast to `domain` where that is given. */
export function read(input: Input, domain?: readonly number[], moves: readonly Move[] = []): Read {
  const there = !domain || (!moves.length && `${domain}` === `${input.shape}`);
  const all = there ? moves : [...moves, { type: 'expand', shape: domain } as const];
  return { op: 'read', dtype: computeOf(input.dtype), input: input.index, moves: all, at: null };
}

/** The input at computed coordinates (int32, one an axis of the input); outside reads 0. */
export const readAt = (input: Input, at: readonly OpExpr[]): Read => ({
  op: 'read',
  dtype: computeOf(input.dtype),
  input: input.index,
  moves: [],
  at,
});

// ---- for shape rules ---------------------------------------------------------------------------------------------

/** dim in [−rank, rank) → [0, rank). @throws ArgumentError naming op, dim and shape. */
export function axisOf(op: string, dim: number, shape: Shape, extra = 0): number {
  const rank = shape.length + extra;
  if (!Number.isInteger(dim) || dim < -rank || dim >= Math.max(rank, 1))
    throw new ArgumentError(
      `${op}: dim ${dim} is out of range for shape ${showShape(shape)}; use ${rank ? `${-rank} to ${rank - 1}` : 'a tensor with axes'}`,
    );
  return dim < 0 ? dim + rank : dim;
}

/** [2,3,null] → "[2,3,?]" */
export const showShape = (shape: Shape): string => `[${shape.map((size) => size ?? '?').join(',')}]`;

export type { Combine, Shape };
