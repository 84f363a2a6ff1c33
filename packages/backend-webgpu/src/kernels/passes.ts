/**
 * What a pass over a row need not compute anew at each element: values of the row as a whole, which are there before the pass,
 * and values of the element that an earlier pass has left in registers. Both become accumulators of higher numbers.
 */
import type { Expr, Load } from '@tessera/tensor/backend';

export interface Pass {
  /** As they are computed at an element. */
  readonly exprs: readonly Expr[];
  /** Values of the row by their numbers, as they are computed before. */
  readonly ofRow: ReadonlyMap<number, Expr>;
  /** Values of the element that are kept for later passes, by their numbers. */
  readonly keeps: ReadonlyMap<number, Expr>;
}

/** What of an expression differs from element to element: whether it does, and whether accumulators are in it. */
interface Nature {
  readonly along: boolean;
  readonly loads: boolean;
  readonly acc: boolean;
}

/**
 * @param roots the expressions of each pass @param first number that is free for values
 * @param along does a load, or a coordinate, differ along the row? @param hold may values be kept in registers?
 */
export function passesOf(
  roots: readonly (readonly Expr[])[],
  first: number,
  along: (leaf: Load | number) => boolean,
  hold: boolean,
): Pass[] {
  const natures = new Map<Expr, Nature>();
  const natureOf = (expr: Expr): Nature => {
    const known = natures.get(expr);
    if (known) return known;
    const inner = childrenOf(expr).map(natureOf);
    const nature = {
      along:
        inner.some((one) => one.along) ||
        (expr.op === 'load' ? !expr.at && along(expr) : expr.op === 'index' && along(expr.axis)),
      loads: expr.op === 'load' || inner.some(({ loads }) => loads),
      acc: expr.op === 'acc' || inner.some(({ acc }) => acc),
    };
    natures.set(expr, nature);
    return nature;
  };
  const keeping = hold ? kept(roots, (expr) => natureOf(expr)) : new Set<Expr>();

  let next = first;
  const numbers = new Map<Expr, number>();
  const numberOf = (expr: Expr): number => {
    const number = numbers.get(expr) ?? next++;
    numbers.set(expr, number);
    return number;
  };
  const there = new Set<Expr>();
  return roots.map((exprs) => {
    const [ofRow, keeps] = [new Map<number, Expr>(), new Map<number, Expr>()];
    const memo = new Map<Expr, Expr>();
    const rewritten = (expr: Expr): Expr => {
      let made = memo.get(expr);
      if (!made) {
        made = rewrite(expr);
        memo.set(expr, made);
      }
      return made;
    };
    const stand = (expr: Expr): Expr => ({ op: 'acc', dtype: expr.dtype, index: numberOf(expr) });
    const rewrite = (expr: Expr): Expr => {
      if (expr.op !== 'load' && expr.op !== 'apply') return expr;
      if (!natureOf(expr).along && (natureOf(expr).loads || natureOf(expr).acc)) {
        ofRow.set(numberOf(expr), expr);
        return stand(expr);
      }
      if (there.has(expr)) return stand(expr);
      const inner = childrenOf(expr).map(rewritten);
      const same = expr.op === 'apply' ? { ...expr, args: inner } : expr.at ? { ...expr, at: inner } : expr;
      if (keeping.has(expr)) keeps.set(numberOf(expr), same);
      return same;
    };
    const made = exprs.map(rewritten);
    for (const expr of keeping) if (memo.has(expr)) there.add(expr);
    return { exprs: made, ofRow, keeps };
  });
}

const childrenOf = (expr: Expr): readonly Expr[] =>
  expr.op === 'apply' ? expr.args : expr.op === 'load' ? (expr.at ?? []) : [];

/** Values of elements that several passes want: what is loaded, or what the passes make of it where those are fewer. */
function kept(roots: readonly (readonly Expr[])[], natureOf: (expr: Expr) => Nature): ReadonlySet<Expr> {
  const uses = new Map<Expr, number>();
  for (const exprs of roots) {
    const seen = new Set<Expr>();
    const visit = (expr: Expr): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      uses.set(expr, (uses.get(expr) ?? 0) + 1);
      childrenOf(expr).forEach(visit);
    };
    exprs.forEach(visit);
  }
  const chosen = (fits: (expr: Expr) => boolean) => {
    const [found, seen] = [new Set<Expr>(), new Set<Expr>()];
    const visit = (expr: Expr): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      const { along, loads, acc } = natureOf(expr);
      if (!along) return;
      if (loads && !acc && (uses.get(expr) as number) > 1 && fits(expr)) found.add(expr);
      else childrenOf(expr).forEach(visit);
    };
    for (const exprs of roots) exprs.forEach(visit);
    return found;
  };
  const [loaded, made] = [chosen((expr) => expr.op === 'load'), chosen(() => true)];
  return made.size <= loaded.size ? made : loaded;
}
