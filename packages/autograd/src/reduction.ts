/** Gradients of reductions: g goes back over the rows it was reduced from. */
import {
  abs,
  amax,
  amin,
  arange,
  cumprod,
  div,
  eq,
  exp,
  logsumexp,
  maxWithIndices,
  mean,
  minWithIndices,
  mul,
  permute,
  pow,
  powerNorm,
  prod,
  reshape,
  type Shape,
  sign,
  std,
  sub,
  sum,
  type Tensor,
  variance,
  where,
} from '@tessera/tensor';
import { overRows, unreduced } from './broadcast';
import { defineGradient } from './rules';

/** Elements of a row. */
const countOf = (shape: Shape, axes: readonly number[]) =>
  axes.reduce((product, axis) => product * (shape[axis] ?? Number.NaN), 1);

export function reduction(): void {
  defineGradient(sum, (g, [x], _, { axes }) => [overRows(g, (x as Tensor).shape, axes)]);
  /** g/n */
  defineGradient(mean, (g, inputs, _, { axes }) => {
    const [x] = inputs as [Tensor];
    return [overRows(div(g, countOf(x.shape, axes)), x.shape, axes)];
  });
  /** g·2(x − mean)/(n − correction) */
  defineGradient(variance, (g, inputs, _, { axes, correction }) => {
    const [x] = inputs as [Tensor];
    const scaled = mul(g, 2 / Math.max(0, countOf(x.shape, axes) - correction));
    return [mul(unreduced(scaled, x.shape, axes), sub(x, mean(x, axes, { keepdim: true })))];
  });
  /** Of the variance, over 2·y; 0 where y is. */
  defineGradient(std, (g, inputs, y, { axes, correction }) => {
    const [x] = inputs as [Tensor];
    const flat = eq(y, 0);
    const scaled = where(flat, 0, div(g, mul(where(flat, 1, y), Math.max(0, countOf(x.shape, axes) - correction))));
    return [mul(unreduced(scaled, x.shape, axes), sub(x, mean(x, axes, { keepdim: true })))];
  });
  /** g·exp(x − y); 0 in a row of nothing but −∞ */
  defineGradient(logsumexp, (g, inputs, y, { axes }) => {
    const [x] = inputs as [Tensor];
    const held = where(eq(y, Number.NEGATIVE_INFINITY), 0, y);
    return [mul(unreduced(g, x.shape, axes), exp(sub(x, unreduced(held, x.shape, axes))))];
  });

  /** Shared evenly among the elements that are the extreme. */
  const extreme = (op: typeof amax) =>
    defineGradient(op, (g, inputs, y, { axes }) => {
      const [x] = inputs as [Tensor];
      const mask = where(eq(x, unreduced(y, x.shape, axes)), 1, 0);
      const share = div(mask, sum(mask, axes, { keepdim: true }));
      return [mul(unreduced(g, x.shape, axes), share)];
    });
  extreme(amax);
  extreme(amin);

  /** To the one place that was taken. */
  const taken = (op: typeof maxWithIndices) =>
    defineGradient(op, ([g], inputs, [, indices], { axes }) => {
      const [x] = inputs as [Tensor];
      if (!g) return [null];
      if (x.rank === 0) return [g];
      const [axis] = axes as [number];
      const places = reshape(
        arange(x.shape[axis] as number),
        x.shape.map((size, i) => (i === axis ? size : 1)),
      );
      return [where(eq(places, unreduced(indices as Tensor, x.shape, axes)), unreduced(g, x.shape, axes), 0)];
    });
  taken(maxWithIndices);
  taken(minWithIndices);

  /** g·x·|x|^(p−2)/y^(p−1); 0 where y is */
  defineGradient(powerNorm, (g, inputs, y, { axes, p }) => {
    const [x] = inputs as [Tensor];
    const flat = eq(y, 0);
    const size = where(flat, 1, y);
    const over = (t: Tensor) => unreduced(t, x.shape, axes);
    if (p === 1) return [mul(over(g), sign(x))];
    const scaled = over(where(flat, 0, div(g, p === 2 ? size : pow(size, p - 1))));
    if (p === 2) return [mul(scaled, x)];
    const zero = eq(x, 0); // |x|^(p−1) of 0 has no derivative for p < 2, and is ∞ for p < 1: PyTorch takes 0
    const power = where(zero, 0, pow(abs(where(zero, 1, x)), p - 1));
    return [mul(scaled, mul(sign(x), power))];
  });

  /**
   * The product of the others: what comes before in the row, times what comes after. Not y/x, which fails at 0.
   * The row is brought into one axis, the last.
   */
  defineGradient(prod, (g, inputs, _, { axes }) => {
    const [x] = inputs as [Tensor];
    if (x.rank === 0) return [g];
    const kept = x.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
    const order = [...kept, ...axes];
    const moved = permute(x, order);
    const keptSizes = moved.shape.slice(0, kept.length);
    const row = reshape(moved, [...keptSizes, countOf(x.shape, axes)]);
    const before = cumprod(row, -1, { exclusive: true });
    const after = cumprod(row, -1, { exclusive: true, reverse: true });
    const others = permute(
      reshape(mul(before, after), moved.shape),
      x.shape.map((_, axis) => order.indexOf(axis)),
    );
    return [mul(unreduced(g, x.shape, axes), others)];
  });
}
