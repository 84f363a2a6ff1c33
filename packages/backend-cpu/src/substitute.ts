/** Expressions over another domain: each old coordinate becomes new · step + shift. */
import { expr as build, type Expr, type View } from '@tessera/tensor/backend';

export interface AxisMap {
  /** The axis of the new domain, of `size`. */
  readonly axis: number;
  readonly size: number;
  readonly step: number;
  readonly shift: number;
  /** Length of the old axis. */
  readonly old: number;
}

/** The new coordinates whose old ones lie in [lo, hi). */
export function preimage({ size, step, shift }: AxisMap, lo: number, hi: number): [number, number] {
  const bound = (x: number) => Math.min(size, Math.max(0, Math.ceil((x - shift) / step)));
  const from = bound(lo);
  return [from, Math.max(from, bound(hi))];
}

/** The view with new coordinates; what the old one did not have, and what lies beyond it, reads 0. */
export function mapView(view: View, maps: readonly AxisMap[], rank: number): View {
  const strides = new Array<number>(rank).fill(0);
  const shape = new Array<number>(rank).fill(1);
  const valid = new Array<readonly [number, number]>(rank).fill([0, 1]);
  let { offset } = view;
  maps.forEach((map, axis) => {
    const stride = view.strides[axis] as number;
    shape[map.axis] = map.size;
    strides[map.axis] = stride * map.step;
    offset += stride * map.shift;
    const [lo, hi] = view.valid?.[axis] ?? [0, map.old];
    valid[map.axis] = preimage(map, Math.max(lo, 0), Math.min(hi, map.old));
  });
  const padded = valid.some(([lo, hi], axis) => lo > 0 || hi < (shape[axis] as number));
  return { shape, strides, offset, valid: padded ? valid : null };
}

/** An expression with new coordinates; `acc` says what becomes of results. */
export function mapExpr(
  expr: Expr,
  maps: readonly AxisMap[],
  rank: number,
  acc: (expr: Extract<Expr, { op: 'acc' }>) => Expr = (same) => same,
  memo = new Map<Expr, Expr>(),
): Expr {
  const visit = (node: Expr): Expr => {
    const known = memo.get(node);
    if (known) return known;
    const made = make(node);
    memo.set(node, made);
    return made;
  };
  const make = (node: Expr): Expr => {
    switch (node.op) {
      case 'load':
        return node.at ? { ...node, at: node.at.map(visit) } : { ...node, view: mapView(node.view, maps, rank) };
      case 'index': {
        const { axis, step, shift } = maps[node.axis] as AxisMap;
        return build.add(build.mul(build.index(axis), build.constant(step, 'int32')), build.constant(shift, 'int32'));
      }
      case 'apply':
        return { ...node, args: node.args.map(visit) };
      case 'acc':
        return acc(node);
      default:
        return node;
    }
  };
  return visit(expr);
}

/** Is the new coordinate within the old axis? Null where always. */
export function within(map: AxisMap): Expr | null {
  const [lo, hi] = preimage(map, 0, map.old);
  if (lo === 0 && hi === map.size) return null;
  return build.inRange(build.index(map.axis), build.constant(lo, 'int32'), build.constant(hi, 'int32'));
}

/** All of them, or null where there is nothing to ask. */
export const both = (a: Expr | null, b: Expr | null): Expr | null => (a && b ? build.apply('and', [a, b]) : (a ?? b));
