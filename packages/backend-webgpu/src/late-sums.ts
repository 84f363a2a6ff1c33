/**
 * A last stage of sums that are linear in what its elements are made of, by factors that are known of the row only after the stages
 * before: those parts are summed in the stage before, and the pass over the row is saved. Decided by bytes.
 *
 *     stage Σh, Σh·c                stage Σh, Σh·c, Σc
 *     stage Σ((h − p)·q − c·r)      (Σh − length·p)·q − Σc·r
 *
 * It is so with the gradient of a bias before a norm, the sum of the norm's gradient.
 */
import {
  type Accumulate,
  type Expr,
  expr as e,
  type Job,
  type Load,
  type ReduceKernel,
  type RowStore,
} from '@tessera/tensor/backend';
import { bytesRead } from './kernels/bytes-read';
import { alongRow, type Rows, rowsOf } from './kernels/rows';
import type { Target } from './shader';

/** The plan's kernels without such stages. */
export const withoutLateSums = (jobs: readonly Job[], target: Target): readonly Job[] =>
  jobs.map((job) => {
    const made = job.kernel.kind === 'reduce' ? early(job.kernel) : null;
    return made && bytesRead(made, target) < bytesRead(job.kernel as ReduceKernel, target)
      ? { ...job, kernel: made }
      : job;
  });

/** Of each part of an element, null where that is 1, its factor, which is one of the row. */
type Terms = ReadonlyMap<Expr | null, Expr>;

/** The kernel with the last stage's sums made of those of the stage before; null where one of them is not linear, or stands behind others than sums. */
function early(kernel: ReduceKernel): ReduceKernel | null {
  const before = kernel.stages.slice(0, -1);
  const last = kernel.stages.at(-1) ?? [];
  // behind a largest element x − max is exact, and Σx − length·max cancels
  if (before.length === 0 || !kernel.stages.flat().every(isSum)) return null;
  const rows = rowsOf(kernel);
  const termsOf = linear(natures(rows));
  const found = last.map(({ expr }) => termsOf(expr));
  if (found.includes(null)) return null;

  const sums = before.flat().map(({ expr }) => expr);
  const first = sums.length;
  const sumOf = ([part, factor]: readonly [Expr | null, Expr]): Expr => {
    if (!part) return e.mul(factor, e.constant(rows.length));
    const known = sums.indexOf(part);
    return e.mul<Load>(e.acc(known < 0 ? sums.push(part) - 1 : known), factor);
  };
  const made = (found as Terms[]).map((terms) => [...terms].map(sumOf).reduce((a, b) => e.add(a, b)));
  const memo = new Map<Expr, Expr>();
  const stores = kernel.stores.map(
    (store): RowStore => ({
      ...store,
      expr: e.rewrite(
        store.expr,
        (leaf) => (leaf.op === 'acc' && leaf.index >= first ? (made[leaf.index - first] as Expr) : leaf),
        memo,
      ),
    }),
  );
  const more = sums.slice(first).map((expr): Accumulate => ({ combine: 'sum', dtype: 'float32', expr }));
  return {
    ...kernel,
    stages: [...before.slice(0, -1), [...(before.at(-1) as readonly Accumulate[]), ...more]],
    stores,
  };
}

const isSum = ({ combine, dtype, expr }: Accumulate): boolean =>
  combine === 'sum' && dtype === 'float32' && expr.dtype === 'float32';

/** Does an expression differ along a row? Is anything in it known only after a stage? */
interface Nature {
  readonly along: boolean;
  readonly late: boolean;
}
function natures(rows: Rows): (expr: Expr) => Nature {
  const known = new Map<Expr, Nature>();
  const natureOf = (expr: Expr): Nature => {
    let found = known.get(expr);
    if (!found) {
      const inner = (expr.op === 'apply' ? expr.args : expr.op === 'load' ? (expr.at ?? []) : []).map(natureOf);
      const along =
        (expr.op === 'load' && !expr.at && alongRow(rows, expr)) ||
        (expr.op === 'index' && rows.axes.includes(expr.axis)) ||
        inner.some((one) => one.along);
      found = { along, late: expr.op === 'acc' || inner.some((one) => one.late) };
      known.set(expr, found);
    }
    return found;
  };
  return natureOf;
}

/** The terms whose sum an expression is. Products of two parts stay one part, or are none: (x − mean)·w cancels as it is alone. */
function linear(natureOf: (expr: Expr) => Nature): (expr: Expr) => Terms | null {
  const known = new Map<Expr, Terms | null>();
  const termsOf = (expr: Expr): Terms | null => {
    let found = known.get(expr);
    if (found === undefined) {
      found = find(expr);
      known.set(expr, found);
    }
    return found;
  };
  const scaled = (inner: Expr, by: (factor: Expr) => Expr): Terms | null => {
    const terms = termsOf(inner);
    return terms && new Map([...terms].map(([part, factor]) => [part, by(factor)]));
  };
  const negated = (inner: Expr) => scaled(inner, (factor) => e.apply('neg', [factor]));
  const both = (one: Terms | null, other: Terms | null): Terms | null => {
    if (!one || !other) return null;
    const sum = new Map(one);
    for (const [part, factor] of other) {
      const before = one.get(part);
      sum.set(part, before ? e.add(before, factor) : factor);
    }
    return sum;
  };
  const find = (expr: Expr): Terms | null => {
    const { along, late } = natureOf(expr);
    if (!along) return new Map([[null, expr]]);
    if (!late) return new Map([[expr, e.constant(1)]]);
    if (expr.op !== 'apply') return null;
    const [a, b] = expr.args as [Expr, Expr];
    switch (expr.fn) {
      case 'add':
        return both(termsOf(a), termsOf(b));
      case 'sub':
        return both(termsOf(a), negated(b));
      case 'neg':
        return negated(a);
      case 'mul':
        if (!natureOf(b).along) return scaled(a, (factor) => e.mul(factor, b));
        return natureOf(a).along ? null : scaled(b, (factor) => e.mul(factor, a));
      case 'div':
        return natureOf(b).along ? null : scaled(a, (factor) => e.div(factor, b));
      default:
        return null;
    }
  };
  return termsOf;
}
