/**
 * The domain of a kernel made simple before any code: index arithmetic becomes affine nodes, axes of size 1 go, and
 * neighbouring axes that every view walks as one become one. What is left is the fewest loops, the longest last.
 */
import type { Acc, Compute, Const, Expr, ExprOp, Uniform, View } from '@tessera/tensor/backend';

/** offset + Σ coordinate[axis]·strides[axis], an int32 of the domain's coordinates (modulo 2^32). */
export interface Affine {
  readonly op: 'affine';
  readonly dtype: 'int32';
  readonly strides: readonly number[];
  readonly offset: number;
}
export interface LoadNode {
  readonly op: 'load';
  readonly dtype: Compute;
  readonly input: number;
  readonly view: View;
  readonly at: readonly Node[] | null;
}
export interface ApplyNode {
  readonly op: 'apply';
  readonly dtype: Compute;
  readonly fn: ExprOp;
  readonly args: readonly Node[];
  /** Of exp: the argument is at most 0, or NaN. */
  readonly falls?: boolean;
}
/** An expression as code is made from it: no `index` any more. */
export type Node = Affine | LoadNode | ApplyNode | Const | Uniform | Acc;

export const int32 = (value: number): Const => ({ op: 'const', dtype: 'int32', value });

/** The same expressions with index arithmetic folded; shared nodes stay shared, and equal loads become so. */
export function toNodes(exprs: readonly Expr[], rank: number): Node[] {
  const memo = new Map<Expr, Node>();
  const loads = new Map<string, Node>();
  const visit = (expr: Expr): Node => {
    const known = memo.get(expr);
    if (known) return known;
    let node = make(expr);
    if (node.op === 'load' && !node.at) {
      // Expressions put together from copies of one (windows of a pool) load the same in several places.
      const { input, dtype, view } = node;
      const key = JSON.stringify([input, dtype, view.strides, view.offset, view.valid]);
      node = loads.get(key) ?? node;
      loads.set(key, node);
    }
    memo.set(expr, node);
    return node;
  };
  const make = (expr: Expr): Node => {
    switch (expr.op) {
      case 'index':
        return { op: 'affine', dtype: 'int32', strides: unit(rank, expr.axis), offset: 0 };
      case 'load':
        return { ...expr, at: expr.at?.map(visit) ?? null };
      case 'apply': {
        const args = expr.args.map(visit);
        return (expr.dtype === 'int32' && fold(expr.fn, args, rank)) || { ...expr, args };
      }
      default:
        return expr;
    }
  };
  return exprs.map(visit);
}

const unit = (rank: number, axis: number): number[] => Array.from({ length: rank }, (_, i) => +(i === axis));

function asAffine(node: Node | undefined, rank: number): Affine | null {
  if (node?.op === 'affine') return node;
  if (node?.op !== 'const' || node.dtype !== 'int32') return null;
  return { op: 'affine', dtype: 'int32', strides: new Array<number>(rank).fill(0), offset: node.value };
}

function fold(fn: ExprOp, args: readonly Node[], rank: number): Node | null {
  const a = asAffine(args[0], rank);
  if (!a) return null;
  const scaled = (x: Affine, by: number): Affine => ({
    ...x,
    strides: x.strides.map((stride) => Math.imul(stride, by)),
    offset: Math.imul(x.offset, by),
  });
  if (fn === 'neg') return tidy(scaled(a, -1));
  const b = asAffine(args[1], rank);
  if (!b) return null;
  const sum = (x: Affine, y: Affine): Node =>
    tidy({
      ...x,
      strides: x.strides.map((stride, axis) => (stride + (y.strides[axis] as number)) | 0),
      offset: (x.offset + y.offset) | 0,
    });
  if (fn === 'add') return sum(a, b);
  if (fn === 'sub') return sum(a, scaled(b, -1));
  if (fn === 'mul' && args[1]?.op === 'const') return tidy(scaled(a, b.offset));
  if (fn === 'mul' && args[0]?.op === 'const') return tidy(scaled(b, a.offset));
  return null;
}
const tidy = (x: Affine): Node => (x.strides.every((stride) => stride === 0) ? int32(x.offset) : x);

/** Calls `visit` once for each node below the roots, arguments first. */
export function eachNode(roots: readonly Node[], visit: (node: Node) => void): void {
  const seen = new Set<Node>();
  const walk = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.op === 'apply') node.args.forEach(walk);
    if (node.op === 'load') node.at?.forEach(walk);
    visit(node);
  };
  roots.forEach(walk);
}

/** Nodes below the roots: a measure of how much code a vector takes. */
export function weight(roots: readonly Node[]): number {
  let nodes = 0;
  eachNode(roots, () => nodes++);
  return nodes;
}

/** The same expressions with some nodes replaced. */
export function replaceNodes(roots: readonly Node[], by: ReadonlyMap<Node, Node>): Node[] {
  const memo = new Map<Node, Node>(by);
  const visit = (node: Node): Node => {
    const known = memo.get(node);
    if (known) return known;
    let made = node;
    if (node.op === 'apply') made = { ...node, args: node.args.map(visit) };
    else if (node.op === 'load' && node.at) made = { ...node, at: node.at.map(visit) };
    memo.set(node, made);
    return made;
  };
  return roots.map(visit);
}

/** A domain after simplification: what it runs over, what it computes, where results go. */
export interface Domain {
  readonly shape: readonly number[];
  readonly roots: readonly Node[];
  readonly views: readonly View[];
  /** For each axis the old axes in it, outermost first. */
  readonly groups: readonly (readonly number[])[];
}

export interface SimplifyOptions {
  /** The first axes, that stay as they are. */
  readonly fixed?: number;
  /** Axes of different classes never become one. */
  readonly classOf?: (axis: number) => number;
  /** More strides that have to agree: the layout of results that lie in scratch. */
  readonly strides?: readonly (readonly number[])[];
}

/** Drops axes of size 1 and merges those that all views walk as one. The result has at least one axis besides the fixed. */
export function simplify(
  shape: readonly number[],
  roots: readonly Node[],
  views: readonly View[],
  { fixed = 0, classOf = () => 0, strides: more = [] }: SimplifyOptions = {},
): Domain {
  const walks: { strides: readonly number[]; valid: View['valid'] }[] = [...views];
  for (const strides of more) walks.push({ strides, valid: null });
  eachNode(roots, (node) => {
    if (node.op === 'affine') walks.push({ strides: node.strides, valid: null });
    if (node.op === 'load' && !node.at) walks.push(node.view);
  });
  const size = (axis: number) => shape[axis] as number;
  const isFull = (valid: View['valid'], axis: number) =>
    !valid ||
    ((valid[axis] as readonly [number, number])[0] === 0 &&
      (valid[axis] as readonly [number, number])[1] === size(axis));
  const mergeable = (a: number, b: number) =>
    classOf(a) === classOf(b) &&
    walks.every(
      ({ strides, valid }) =>
        ((strides[a] as number) - (strides[b] as number) * size(b)) % 2 ** 32 === 0 &&
        isFull(valid, a) &&
        isFull(valid, b),
    );
  const groups: number[][] = [];
  for (let axis = 0; axis < shape.length; axis++) {
    if (axis < fixed) {
      groups.push([axis]);
      continue;
    }
    if (size(axis) === 1) continue;
    const last = groups[groups.length - 1];
    if (last && groups.length > fixed && mergeable(last[last.length - 1] as number, axis)) last.push(axis);
    else groups.push([axis]);
  }
  if (groups.length === fixed) groups.push([]);
  return regroup(shape, roots, views, groups);
}

/** The domain with `groups` as its axes. Old axes in no group are of size 1. */
export function regroup(
  shape: readonly number[],
  roots: readonly Node[],
  views: readonly View[],
  groups: readonly (readonly number[])[],
): Domain {
  const sizes = groups.map((group) => group.reduce((size, axis) => size * (shape[axis] as number), 1));
  const stridesOf = (strides: readonly number[]) =>
    groups.map((group) => (group.length ? (strides[group[group.length - 1] as number] as number) : 0));
  const viewOf = (view: View): View => {
    const { valid } = view;
    const strides = stridesOf(view.strides);
    if (!valid) return { ...view, shape: sizes, strides };
    const lost = valid.some(([lo, hi], axis) => lo >= hi || (shape[axis] === 1 && (lo > 0 || hi < 1)));
    const ranges = groups.map((group, i): readonly [number, number] => {
      if (lost) return [0, 0];
      return group.length === 1 ? (valid[group[0] as number] as readonly [number, number]) : [0, sizes[i] as number];
    });
    return {
      shape: sizes,
      strides,
      offset: view.offset,
      valid: ranges.every(([lo, hi], i) => lo <= 0 && hi >= (sizes[i] as number)) ? null : ranges,
    };
  };
  const memo = new Map<Node, Node>();
  const visit = (node: Node): Node => {
    const known = memo.get(node);
    if (known) return known;
    const made = make(node);
    memo.set(node, made);
    return made;
  };
  const make = (node: Node): Node => {
    switch (node.op) {
      case 'affine':
        return tidy({ ...node, strides: stridesOf(node.strides) });
      case 'load':
        return node.at ? { ...node, at: node.at.map(visit) } : { ...node, view: viewOf(node.view) };
      case 'apply':
        return { ...node, args: node.args.map(visit) };
      default:
        return node;
    }
  };
  return { shape: sizes, roots: roots.map(visit), views: views.map(viewOf), groups };
}
