/**
 * Kernel IR: all that a backend must be able to run. A kernel is a domain (the coordinates it runs over), expressions over
 * that domain, and stores. Whatever op a user calls, the scheduler brings it to these eight kinds:
 *
 *   map      every element of the domain by itself          add, relu, gather, cat, dropout, an optimizer over all parameters
 *   reduce   rows along some axes, in stages                sum, softmax, batch norm with its statistics
 *   matmul   products of matrices                           matmul, linear
 *   conv     convolution and its two gradients              conv1d…3d, transposed convolution
 *   pool     windows, and the gradient of windows           max and average pooling
 *   scatter  updates at computed places, in their order     scatterAdd, gradients of gather
 *   sort     along one axis, stable                         sort, topk
 *   scan     running results along one axis                 cumsum, cummax
 *
 * and `custom`, which none of its ops is: code that a user wrote for one backend, which all others refuse.
 *
 * Reading at computed places (gather, gridSample) is a load with `at`; random bits are the expression `philox`.
 *
 * For all kinds: a domain is a shape, its coordinates in row-major order where order matters. [] is one coordinate, and one with a size
 * of 0 has none. What a kernel adds up, sorts or scatters (`acc`) is float32 or int32, never bool; int32 wraps. Float sums may go in any
 * order that is the same at every run, at least as precise as float32: testkit allows for 3·2⁻²⁴·√K·Σ|terms|, K the number of terms.
 */

/** What a buffer's elements are stored as. `float64` exists in the reference backend only. */
export type DType = 'float32' | 'float16' | 'int32' | 'uint8' | 'bool';

/** Bytes of an element as the scheduler counts them; a backend may store bool and uint8 wider. */
export const elementBytes = { float32: 4, int32: 4, float16: 2, uint8: 1, bool: 1 } as const satisfies Record<
  DType,
  number
>;

/** What an expression computes in: float16 widens to float32, uint8 to int32; a store narrows (uint8 keeps the low 8 bits). */
export type Compute = 'float32' | 'int32' | 'bool';

/**
 * Strided window onto a buffer: coordinate c reads element offset + Σ c[i]·strides[i].
 * `valid[i] = [lo, hi)` are the coordinates of axis i that have an element; outside of them a load gives 0 (zero padding).
 */
export interface View {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly valid: readonly (readonly [lo: number, hi: number])[] | null;
}

/**
 * An element of kernel input `input`: at the domain's coordinates (view.shape is the domain), or at computed ones. `dtype` is what that
 * input's elements are computed in. Every element that a view names lies within the operand.
 */
export interface Load {
  readonly op: 'load';
  readonly dtype: Compute;
  readonly input: number;
  readonly view: View;
  /** One int32 expression for each axis of the view; a coordinate outside of the view's shape reads 0. */
  readonly at: readonly Expr[] | null;
}

/** A number fixed in the kernel's code. */
export interface Const {
  readonly op: 'const';
  readonly dtype: Compute;
  readonly value: number;
}

/** A number handed in at each run: `index` into the kernel's uniforms. */
export interface Uniform {
  readonly op: 'uniform';
  readonly dtype: Compute;
  readonly index: number;
}

/** The domain's coordinate along `axis`. */
export interface Index {
  readonly op: 'index';
  readonly dtype: 'int32';
  readonly axis: number;
}

/** A result of the kernel's own arithmetic (the product of a matmul, an accumulator of a reduction). */
export interface Acc {
  readonly op: 'acc';
  readonly dtype: Compute;
  readonly index: number;
}

/** A function of expressions, by its row in `exprOps`. */
export interface Apply<L = Load> {
  readonly op: 'apply';
  readonly dtype: Compute;
  readonly fn: ExprOp;
  readonly args: readonly ExprOf<L>[];
}

/** A tree over leaves that read with L: kernels read buffers (Load), lowerings of ops read their inputs (Read, in op.ts). */
export type ExprOf<L> = L | Const | Uniform | Index | Acc | Apply<L>;

/** A kernel's expression. A DAG: equal subexpressions of one kernel are the same object, so a backend computes each once. */
export type Expr = ExprOf<Load>;

/** All nodes of expressions, each once, in the order they are met: as a tree, an expression may have 2⁴⁰ of them. */
export function nodesOf(exprs: readonly Expr[]): Set<Expr> {
  const met = new Set<Expr>();
  const visit = (expr: Expr): void => {
    if (met.has(expr)) return;
    met.add(expr);
    if (expr.op === 'apply') expr.args.forEach(visit);
    if (expr.op === 'load') expr.at?.forEach(visit);
  };
  exprs.forEach(visit);
  return met;
}

/**
 * The functions of expressions: how many arguments, and the dtype of the result
 * ('same' as the arguments', or a fixed one; 'any' where the caller says: cast, bits).
 * Floats follow IEEE 754; min and max hand NaN on, comparisons with NaN are false (ne: true).
 */
export const exprOps = {
  neg: [1, 'same'],
  abs: [1, 'same'],
  sign: [1, 'same'], // −1, 0, 1; NaN → NaN
  exp: [1, 'float32'],
  expm1: [1, 'float32'],
  log: [1, 'float32'],
  log1p: [1, 'float32'],
  sqrt: [1, 'float32'],
  sin: [1, 'float32'],
  cos: [1, 'float32'],
  tan: [1, 'float32'],
  asin: [1, 'float32'],
  acos: [1, 'float32'],
  atan: [1, 'float32'],
  sinh: [1, 'float32'],
  cosh: [1, 'float32'],
  tanh: [1, 'float32'],
  asinh: [1, 'float32'],
  acosh: [1, 'float32'],
  atanh: [1, 'float32'],
  erf: [1, 'float32'],
  erfinv: [1, 'float32'],
  floor: [1, 'float32'],
  ceil: [1, 'float32'],
  round: [1, 'float32'], // ties to even
  trunc: [1, 'float32'],
  isNan: [1, 'bool'],
  add: [2, 'same'],
  sub: [2, 'same'],
  mul: [2, 'same'],
  div: [2, 'same'], // int32: toward zero; by zero gives 0
  mod: [2, 'same'], // sign of the divisor, as Python's %; int32 by zero gives 0
  pow: [2, 'float32'],
  atan2: [2, 'float32'],
  min: [2, 'same'],
  max: [2, 'same'],
  and: [2, 'same'], // int32: bits; bool: logical
  or: [2, 'same'],
  xor: [2, 'same'],
  shl: [2, 'int32'],
  shr: [2, 'int32'], // arithmetic
  shru: [2, 'int32'], // logical
  eq: [2, 'bool'],
  ne: [2, 'bool'],
  lt: [2, 'bool'],
  le: [2, 'bool'],
  gt: [2, 'bool'],
  ge: [2, 'bool'],
  select: [3, 'same'], // args[0] (bool) ? args[1] : args[2]
  cast: [1, 'any'], // float → int32 truncates and saturates, NaN → 0; anything ≠ 0 → true
  bits: [1, 'any'], // the same 32 bits as float32 or int32
  /** (key0, key1, stream, index) → word index&3 of Philox-4x32-10 with that key, counter [index>>>2, 0, stream, 0]. */
  philox: [4, 'int32'],
} as const satisfies Record<string, readonly [arity: number, result: Compute | 'same' | 'any']>;

export type ExprOp = keyof typeof exprOps;

/** A buffer as a kernel sees it. */
export interface Operand {
  readonly dtype: DType;
  /** Elements that loads and stores may touch, at least; the buffer that is bound may hold more. */
  readonly size: number;
}

/**
 * Writes `expr` at every coordinate of the domain; the view maps coordinates to elements of output `output`, one to one.
 * At a coordinate all expressions (of a part, of a row's row stores) are evaluated before any store: outputs may alias inputs.
 * Elements that no store names keep what they held.
 */
export interface Store {
  readonly output: number;
  readonly view: View;
  readonly expr: Expr;
}

interface KernelBase {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  /** Types of the numbers handed in at each run. */
  readonly uniforms: readonly Compute[];
  /**
   * aliases[output] = the input that is the same buffer, or −1. Every load of it reads exactly the element that the store then writes,
   * in the very expression or, where a reduction writes it once a row, anywhere in that row: row stores come after all else.
   */
  readonly aliases: readonly number[];
}

/** One domain of a map. A map may have several, each with its own stores: cat writes its parts, an optimizer all its tensors. */
export interface MapPart {
  readonly shape: readonly number[];
  readonly stores: readonly Store[];
}
export interface MapKernel extends KernelBase {
  readonly kind: 'map';
  readonly parts: readonly MapPart[];
}

/** argmax/argmin give the int32 position in the row (reduced axes, row-major); the first of equals, NaN before all. */
export type Combine = 'sum' | 'prod' | 'max' | 'min' | 'argmax' | 'argmin';

/**
 * An accumulator over a row. Combining starts from 0, 1, −∞, +∞ (int32: its least, greatest); rows may be empty. `dtype` is float32 or
 * int32, that of `expr`; for argmax and argmin it is int32, whatever they compare.
 */
export interface Accumulate {
  readonly combine: Combine;
  readonly expr: Expr;
  readonly dtype: Compute;
}
/**
 * `per: 'row'`: once a row, at coordinate 0 of the reduced axes, where the view has size 1; after all stores of the row's elements.
 * `per: 'element'`: written back over the whole row.
 */
export interface RowStore extends Store {
  readonly per: 'row' | 'element';
}
/**
 * For each coordinate of the axes not in `axes` (a row): the stages in turn, each a pass over the row that fills its
 * accumulators; expressions of a stage may use `acc` of earlier stages (numbered through). Then the stores.
 * softmax: stage max(x); stage sum(exp(x − acc0)); store exp(x − acc0) / acc1 per element.
 */
export interface ReduceKernel extends KernelBase {
  readonly kind: 'reduce';
  readonly shape: readonly number[];
  readonly axes: readonly number[];
  readonly stages: readonly (readonly Accumulate[])[];
  readonly stores: readonly RowStore[];
  /** Its accumulators are joined from the `Partials` that this input is; what the stages would accumulate is written as 0. */
  readonly joins?: { readonly input: number; readonly columns: number };
}

/**
 * acc0[…batch, m, n] = Σₖ a[…batch, m, k] · b[…batch, k, n], float32. Domain of a: [...batch, m, k]; of b: [...batch, k, n].
 * `halves`: a and b are float16 values, also where they are computed here: whoever multiplies float16 may round them to it.
 */
export interface MatmulKernel extends KernelBase {
  readonly kind: 'matmul';
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Expr;
  readonly b: Expr;
  readonly halves?: true;
  /** Domain [...batch, m, n]. */
  readonly stores: readonly Store[];
}

/**
 * Sizes of a convolution, one to three spatial axes. x [n, c, ...input], w [o, c/groups, ...kernel], y [n, o, ...output]:
 * y[n,o,p] = Σ_{c,r} x[n, c, p·stride + r·dilation − padding] · w[o, c, r], zero outside.
 */
export interface ConvSizes {
  readonly n: number;
  readonly c: number;
  readonly o: number;
  readonly groups: number;
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  /** Zeros before the first element of each spatial axis (those behind the last follow from `output`). */
  readonly padding: readonly number[];
}
/**
 * What a convolution leaves beside its result of a reduction over each channel of it, for a backend that asks (`Limits.refine`): over
 * each part of so many `columns` of the places of a channel ([n, ...output], or [n, ...input] of ∂x) in row-major order Σ expr for
 * each of `sums`, and with `squares` Σ(expr − its mean in the part)². The output is float32 [sums, then squares; channels; parts].
 */
export interface Partials {
  readonly output: number;
  readonly columns: number;
  /** Over the domain of the stores; acc1 is what `stores[half]` stores, rounded to its float16. */
  readonly sums: readonly Expr[];
  readonly half?: number;
  readonly squares: boolean;
}
/**
 * a, b and acc0 are float32; `halves` as of a matmul. Their domains, and that of the stores (acc0's):
 *
 * direction   a                      b                          acc0
 * forward     x                      w                          y
 * inputGrad   g [n, o, ...output]    w                          ∂x: Σ_{o,r} g·w over the windows that read x
 * weightGrad  x                      g [n, o, ...output]        ∂w: Σ_{n,p} x·g
 *
 * Whether zero padding is multiplied (0·∞ is NaN) or left out is the backend's affair.
 */
export interface ConvKernel extends KernelBase {
  readonly kind: 'conv';
  readonly direction: 'forward' | 'inputGrad' | 'weightGrad';
  readonly sizes: ConvSizes;
  readonly a: Expr;
  readonly b: Expr;
  readonly halves?: true;
  readonly stores: readonly Store[];
  readonly partials?: Partials;
}

/**
 * Windows over [batch, ...input] giving [batch, ...output], one to three spatial axes; padding as in ConvSizes, windows may hang over
 * the end.
 */
export interface PoolSizes {
  readonly batch: number;
  readonly input: readonly number[];
  readonly kernel: readonly number[];
  readonly output: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
}
/**
 * a and acc0 are float32, those of a maximum maybe int32.
 * forward:  a over [batch, ...input]. combine max: acc0 the largest element of the window (padding never wins), acc1 (int32)
 *           its row-major place in the input's spatial axes; the first of equals, NaN wins; of a window without
 *           elements −∞ (int32: the least), and a place that is no element's. sum: acc0 the sum over the window.
 *           Stores over [batch, ...output].
 * backward: a = g over [batch, ...output]; max: b = the saved places. acc0 over [batch, ...input] is the sum of g over the
 *           windows that contain the element (max: and name it). Stores over [batch, ...input].
 */
export interface PoolKernel extends KernelBase {
  readonly kind: 'pool';
  readonly direction: 'forward' | 'backward';
  readonly combine: 'max' | 'sum';
  readonly sizes: PoolSizes;
  readonly a: Expr;
  readonly b: Expr | null;
  readonly stores: readonly Store[];
}

/**
 * acc0 over `shape` starts as `init` (domain `shape`); then, in row-major order of `updates`, element at[…] takes `value`
 * by `combine`. `at` (one int32 expression an axis of shape) and `value` are over `updates`; places outside are dropped. `init` and
 * `value` are both float32 or both int32.
 */
export interface ScatterKernel extends KernelBase {
  readonly kind: 'scatter';
  readonly shape: readonly number[];
  readonly updates: readonly number[];
  readonly combine: 'assign' | 'add' | 'mul' | 'max' | 'min';
  readonly init: Expr;
  readonly at: readonly Expr[];
  readonly value: Expr;
  /** Domain `shape`. */
  readonly stores: readonly Store[];
}

/**
 * Sorts a (float32 or int32) over `shape` along `axis`, stable also where `descending`, NaN largest, −0 equal to 0; keeps the first k.
 * acc0 the values, acc1 (int32) where along the axis they were.
 */
export interface SortKernel extends KernelBase {
  readonly kind: 'sort';
  readonly shape: readonly number[];
  readonly axis: number;
  readonly descending: boolean;
  readonly k: number;
  readonly a: Expr;
  /** Domain: shape with k along axis. */
  readonly stores: readonly Store[];
}

/**
 * acc0[i] = a[0] ∘ … ∘ a[i] along `axis` (reverse: from the end), a float32 or int32. For max and min acc1 (int32) is where along the
 * axis it came from, the last of equals.
 */
export interface ScanKernel extends KernelBase {
  readonly kind: 'scan';
  readonly shape: readonly number[];
  readonly axis: number;
  readonly combine: 'sum' | 'prod' | 'max' | 'min';
  readonly reverse: boolean;
  readonly a: Expr;
  /** Domain `shape`. */
  readonly stores: readonly Store[];
}

/**
 * A user's own code for the backend of this name, in that backend's language: from the values of `reads`, each over a shape of its
 * own, acc0 over `shape`. How code and values meet is that backend's to say.
 */
export interface CustomKernel extends KernelBase {
  readonly kind: 'custom';
  readonly backend: string;
  /** The op's, for messages. */
  readonly name: string;
  readonly code: string;
  /** How much of it runs at once, as that backend counts (workgroups). */
  readonly grid: readonly [x: number, y: number];
  readonly shape: readonly number[];
  /** What acc0 is. */
  readonly dtype: Compute;
  /** `name` is what the code calls it. */
  readonly reads: readonly { readonly name: string; readonly shape: readonly number[]; readonly expr: Expr }[];
  /** Domain `shape`. */
  readonly stores: readonly Store[];
}

export type Kernel =
  | MapKernel
  | ReduceKernel
  | MatmulKernel
  | ConvKernel
  | PoolKernel
  | ScatterKernel
  | SortKernel
  | ScanKernel
  | CustomKernel;
