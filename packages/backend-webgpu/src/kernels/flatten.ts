/** Several axes as one, where every view says the same of both: index arithmetic then finds more that lies together. */
import { type Expr, type Store, sizeOf, type View } from '@tessera/tensor/backend';

/** The view with all axes from `from` on as one; null where they do not lie together. */
function flatView(view: View, from: number): View | null {
  const { shape, strides, offset, valid } = view;
  const axes = shape.slice(from);
  if (valid?.slice(from).some(([low, high], i) => low > 0 || high < (axes[i] as number))) return null;
  let stride: number | null = null;
  for (let axis = shape.length - 1, inner = 1; axis >= from; axis--) {
    const size = shape[axis] as number;
    if (size === 1) continue;
    stride ??= strides[axis] as number;
    if (strides[axis] !== stride * inner) return null;
    inner *= size;
  }
  const size = sizeOf(axes);
  return {
    shape: [...shape.slice(0, from), size],
    strides: [...strides.slice(0, from), stride ?? 0],
    offset,
    valid: valid && [...valid.slice(0, from), [0, size] as const],
  };
}

type Known = Map<Expr, Expr | null>;

/** Equal parts stay the same object. */
function flatExpr(expr: Expr, from: number, known: Known): Expr | null {
  const before = known.get(expr);
  if (before !== undefined) return before;
  const flat = flatOne(expr, from, known);
  known.set(expr, flat);
  return flat;
}

function flatOne(expr: Expr, from: number, known: Known): Expr | null {
  switch (expr.op) {
    case 'index':
      return expr.axis < from ? expr : null;
    case 'load': {
      if (expr.at) return null;
      const view = flatView(expr.view, from);
      return view && { ...expr, view };
    }
    case 'apply': {
      const args = expr.args.map((arg) => flatExpr(arg, from, known));
      return args.every((arg) => arg !== null) ? { ...expr, args: args as Expr[] } : null;
    }
    default:
      return expr;
  }
}

/** Expressions and stores over the domain with all axes from `from` on as one; null where one of them tells them apart. */
export function flattened(
  exprs: readonly Expr[],
  stores: readonly Store[],
  from: number,
): { exprs: Expr[]; stores: Store[] } | null {
  const known: Known = new Map();
  const flat = exprs.map((expr) => flatExpr(expr, from, known));
  const flatStores = stores.map((store) => {
    const [view, expr] = [flatView(store.view, from), flatExpr(store.expr, from, known)];
    return view && expr && { ...store, view, expr };
  });
  if ([...flat, ...flatStores].includes(null)) return null;
  return { exprs: flat as Expr[], stores: flatStores as Store[] };
}
