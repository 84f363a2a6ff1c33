/** Gradients of running results. */
import {
  arange,
  cummax,
  cummin,
  cumprod,
  cumsum,
  div,
  eq,
  exp,
  ge,
  logcumsumexp,
  logicalAnd,
  mul,
  reshape,
  scatterAdd,
  sub,
  sum,
  type Tensor,
  unsqueeze,
  where,
  zerosLike,
} from '@tessera/tensor';
import { defineGradient } from './rules';

export function scan(): void {
  /** Σ g_k, k ≥ i: the other way round. */
  defineGradient(cumsum, (g, _, __, { axis, reverse }) => [g.rank === 0 ? g : cumsum(g, axis, { reverse: !reverse })]);

  /**
   * Σ_k g_k·y_k / x_i, k ≥ i, is right where x_i is not 0. At the first 0 of a row it is the same sum with that element
   * taken for 1, and behind it everything is 0; at the second too, but the second derivative between these two is not.
   */
  defineGradient(cumprod, (g, inputs, _, { axis, reverse, exclusive }) => {
    const [x] = inputs as [Tensor];
    if (x.rank === 0) return [exclusive ? null : g];
    const zero = eq(x, 0);
    const count = cumsum(zero, axis, { reverse });
    const back = (row: Tensor): Tensor => {
      const parts = mul(g, cumprod(row, axis, { reverse, exclusive }));
      const total = cumsum(parts, axis, { reverse: !reverse });
      return exclusive ? sub(total, parts) : total;
    };
    const at = (nth: number, otherwise: Tensor): Tensor => {
      const here = logicalAnd(zero, eq(count, nth));
      return where(here, back(where(here, 1, x)), otherwise);
    };
    return [at(1, at(2, div(back(x), where(zero, 1, x))))];
  });

  /** To where each value came from. */
  const running = (op: typeof cummax) =>
    defineGradient(op, ([g], inputs, [, indices], { axis }) => {
      const [x] = inputs as [Tensor];
      if (!g) return [null];
      return [x.rank === 0 ? g : scatterAdd(zerosLike(x), axis, indices as Tensor, g)];
    });
  running(cummax);
  running(cummin);

  /** Σ_k g_k·exp(x_i − y_k), k ≥ i */
  defineGradient(logcumsumexp, (g, inputs, y, { axis }) => {
    const [x] = inputs as [Tensor];
    if (x.rank === 0) return [g];
    // i along `axis`, k along the next one
    const [xi, yk, gk] = [unsqueeze(x, axis + 1), unsqueeze(y, axis), unsqueeze(g, axis)] as const;
    const n = x.shape[axis] as number;
    const behind = reshape(ge(reshape(arange(n), [1, n]), reshape(arange(n), [n, 1])), [
      ...x.shape.slice(0, axis).map(() => 1),
      n,
      n,
      ...x.shape.slice(axis + 1).map(() => 1),
    ]);
    const counts = logicalAnd(behind, ge(xi, -Number.MAX_VALUE));
    const shift = where(counts, sub(xi, yk), 0); // so that exp stays finite where it does not count
    return [sum(where(counts, mul(gk, exp(shift)), 0), axis + 1)];
  });
}
