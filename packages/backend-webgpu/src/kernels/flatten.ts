/** Several axes as one, where every view says the same of both: index arithmetic then finds more that lies together. */
import { type Expr, type Store, sizeOf, type View } from '@tessera/tensor/backend';

/** The axes from the first up to the second, which become one. */
type Range = readonly [from: number, to: number];

/** The view with these axes as one; null where they do not lie together. */
function flatView(view: View, [from, to]: Range): View | null {
  const { shape, strides, offset, valid } = view;
  const axes = shape.slice(from, to);
  if (valid?.slice(from, to).some(([low, high], i) => low > 0 || high < (axes[i] as number))) return null;
  let stride: number | null = null;
  for (let axis = to - 1, inner = 1; axis >= from; axis--) {
    const size = shape[axis] as number;
    if (size === 1) continue;
    stride ??= strides[axis] as number;
    if (strides[axis] !== stride * inner) return null;
    inner *= size;
  }
  const size = sizeOf(axes);
  return {
    shape: shape.toSpliced(from, to - from, size),
    strides: strides.toSpliced(from, to - from, stride ?? 0),
    offset,
    valid: valid?.toSpliced(from, to - from, [0, size]) ?? null,
  };
}

type Known = Map<Expr, Expr | null>;

/** Equal parts stay the same object. */
function flatExpr(expr: Expr, range: Range, known: Known): Expr | null {
  const before = known.get(expr);
  if (before !== undefined) return before;
  const flat = flatOne(expr, range, known);
  known.set(expr, flat);
  return flat;
}

function flatOne(expr: Expr, range: Range, known: Known): Expr | null {
  const flatAll = (exprs: readonly Expr[]) => {
    const flat = exprs.map((one) => flatExpr(one, range, known));
    return flat.includes(null) ? null : (flat as Expr[]);
  };
  const [from, to] = range;
  switch (expr.op) {
    case 'index':
      if (expr.axis < from) return expr;
      return expr.axis < to ? null : { ...expr, axis: expr.axis - (to - from - 1) };
    case 'load': {
      if (expr.at) {
        const at = flatAll(expr.at);
        return at && { ...expr, at };
      }
      const view = flatView(expr.view, range);
      return view && { ...expr, view };
    }
    case 'apply': {
      const args = flatAll(expr.args);
      return args && { ...expr, args };
    }
    default:
      return expr;
  }
}

/** Expressions and stores over the domain with these axes as one (all from `from` on); null where one of them tells them apart. */
export function flattened<S extends Store>(
  exprs: readonly Expr[],
  stores: readonly S[],
  from: number,
  to: number,
): { exprs: Expr[]; stores: S[] } | null {
  const known: Known = new Map();
  const range = [from, to] as const;
  const flat = exprs.map((expr) => flatExpr(expr, range, known));
  const flatStores = stores.map((store) => {
    const [view, expr] = [flatView(store.view, range), flatExpr(store.expr, range, known)];
    return view && expr && { ...store, view, expr };
  });
  if ([...flat, ...flatStores].includes(null)) return null;
  return { exprs: flat as Expr[], stores: flatStores as S[] };
}
