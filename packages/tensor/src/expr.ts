/** Builders of expressions (`ir.ts`), with the dtype of each worked out from `exprOps`. L is how the leaves read. */
import {
  type Acc,
  type Apply,
  type Compute,
  type Const,
  type DType,
  type ExprOf,
  type ExprOp,
  exprOps,
  type Index,
} from './ir';

interface Leaf {
  readonly op: string;
  readonly dtype: Compute;
}

/** What elements of a storage dtype are computed in. */
export const computeOf = (dtype: DType): Compute =>
  dtype === 'bool' ? 'bool' : dtype === 'int32' || dtype === 'uint8' ? 'int32' : 'float32';

/** A number in the code. */
export const constant = (value: number, dtype: Compute = 'float32'): Const => ({ op: 'const', dtype, value });
/** The domain's coordinate along an axis, int32. */
export const index = (axis: number): Index => ({ op: 'index', dtype: 'int32', axis });
/** The kernel's own result; each kernel's comment says which. */
export const acc = (i: number, dtype: Compute = 'float32'): Acc => ({ op: 'acc', dtype, index: i });

/** Any function of `exprOps`; for 'any' results (cast, bits) hand in the dtype. */
export function apply<L extends Leaf>(fn: ExprOp, args: readonly ExprOf<L>[], dtype?: Compute): ExprOf<L> {
  const result = exprOps[fn][1];
  const type = dtype ?? (result === 'same' || result === 'any' ? args.at(-1)?.dtype : result);
  if (!type) throw new TypeError(`expr: ${fn} without arguments`);
  return { op: 'apply', dtype: type, fn, args };
}

export const add = <L extends Leaf>(a: ExprOf<L>, b: ExprOf<L>): ExprOf<L> => apply('add', [a, b]);
export const sub = <L extends Leaf>(a: ExprOf<L>, b: ExprOf<L>): ExprOf<L> => apply('sub', [a, b]);
export const mul = <L extends Leaf>(a: ExprOf<L>, b: ExprOf<L>): ExprOf<L> => apply('mul', [a, b]);
export const div = <L extends Leaf>(a: ExprOf<L>, b: ExprOf<L>): ExprOf<L> => apply('div', [a, b]);
export const select = <L extends Leaf>(condition: ExprOf<L>, yes: ExprOf<L>, no: ExprOf<L>): ExprOf<L> =>
  apply('select', [condition, yes, no]);
export const cast = <L extends Leaf>(x: ExprOf<L>, to: Compute): ExprOf<L> =>
  x.dtype === to ? x : apply('cast', [x], to);
/** lo ≤ x < hi, as bool. */
export const inRange = <L extends Leaf>(x: ExprOf<L>, lo: ExprOf<L>, hi: ExprOf<L>): ExprOf<L> =>
  apply('and', [apply('ge', [x, lo]), apply('lt', [x, hi])]);

/** The row-major position of the domain's coordinates in `shape`, int32. */
export function linearIndex<L extends Leaf>(shape: readonly number[]): ExprOf<L> {
  let expr: ExprOf<L> = constant(0, 'int32');
  shape.forEach((size, axis) => {
    if (size !== 1) expr = expr.op === 'const' ? index(axis) : add(mul(expr, constant(size, 'int32')), index(axis));
  });
  return expr;
}

/** The same expression with every leaf replaced by what `leaf` makes of it; what was shared stays shared through `memo`. */
export function rewrite<L extends Leaf>(
  expr: ExprOf<L>,
  leaf: (leaf: Exclude<ExprOf<L>, { op: 'apply' }>) => ExprOf<L>,
  memo = new Map<ExprOf<L>, ExprOf<L>>(),
): ExprOf<L> {
  let result = memo.get(expr);
  if (!result) {
    const node = expr as ExprOf<L> & { op: string };
    result =
      node.op === 'apply'
        ? { ...(node as Apply<L>), args: (node as Apply<L>).args.map((arg) => rewrite(arg, leaf, memo)) }
        : leaf(expr as Exclude<ExprOf<L>, { op: 'apply' }>);
    memo.set(expr, result);
  }
  return result;
}
