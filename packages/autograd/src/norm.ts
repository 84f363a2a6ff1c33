/** The gradient of normalising; the other norms are made of it, or of plain ops. */
import {
  ArgumentError,
  add,
  div,
  expand,
  mul,
  reshape,
  rsqrt,
  type Shape,
  standardize,
  standardizeGrad,
  sub,
  sum,
  type Tensor,
} from '@tessera/tensor';
import { sumTo } from './broadcast';
import { orZeros } from './path';
import { defineGradient } from './rules';
import { vjp } from './transforms';

export function norm(): void {
  /**
   * With x̂ = (x − μ)/σ, σ = √(variance + eps), means over a row of m elements, and h = g·γ:
   * ∂x = (h − mean(h) − x̂·mean(h·x̂))/σ, ∂γ = Σ g·x̂, ∂β = Σ g. Where γ is one number a row (batch norm), Σg and Σg·x̂ over
   * the row are also what γ and β receive: two sums in one pass are then all that is reduced.
   */
  defineGradient(standardize, ([g, gMean, gVariance, ...others], inputs, [, mean, variance, scale], attributes) => {
    const { dims, weight, bias, channels } = attributes;
    if (others.some(Boolean))
      throw new ArgumentError(
        'standardize: a derivative is wanted of its scale or shift, which are for kernels alone; compute them from the variance, weight and bias',
      );
    const [x, eps, ...affine] = inputs as [Tensor, Tensor, ...Tensor[]];
    const gamma = weight ? (affine[0] as Tensor) : null;
    const beta = bias ? (affine[gamma ? 1 : 0] as Tensor) : null;
    const [mu, sigma2] = [mean, variance] as [Tensor, Tensor];
    const count = countAlong(x, dims);
    const rows = beside(x, dims, channels);
    let dx: Tensor | null = gMean ? expand(div(rows(gMean), count), x.shape) : null;
    if (gVariance) dx = plus(dx, mul(rows(gVariance), mul(sub(x, rows(mu)), 2 / count)));
    let dGamma: Tensor | null = null;
    let dBeta: Tensor | null = null;
    if (g) {
      const isRow = ({ shape }: Tensor): boolean => channels || constantAlong(shape, x.shape, dims);
      const rowwise = !gamma || isRow(gamma);
      const h = rowwise ? g : mul(g, gamma);
      const [inner, total, slope] = standardizeGrad(
        [h, x, mu, sigma2, eps],
        [rowwise ? gamma : null, channels ? (scale as Tensor) : null],
        dims,
        channels,
      ) as [Tensor, Tensor, Tensor];
      dx = plus(dx, inner);
      if (gamma) dGamma = sumTo(rowwise ? slope : mul(g, mul(sub(x, mu), rsqrt(add(sigma2, eps)))), gamma.shape);
      if (beta) dBeta = sumTo(rowwise && isRow(beta) ? total : g, beta.shape);
    }
    return [dx, null, ...(gamma ? [dGamma] : []), ...(beta ? [dBeta] : [])];
  });
  /** That of the same written with ops; what is for kernels alone has none. */
  defineGradient(standardizeGrad, (g, inputs, outputs, { dims, channels, scaled }) => {
    const from = inputs.slice(0, scaled ? 6 : 5);
    const composed = (...made: Tensor[]): Tensor[] => {
      const [h, x, mean, variance, eps, scale] = made as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?];
      const sums = (t: Tensor) => sum(t, dims, { keepdim: !channels });
      const rows = beside(x, dims, channels);
      const count = countAlong(x, dims);
      const inverse = rsqrt(add(rows(variance), eps));
      const normal = mul(sub(x, rows(mean)), inverse);
      const [total, slope] = [sums(h), sums(mul(h, normal))];
      const inner = sub(sub(h, rows(div(total, count))), mul(normal, rows(div(slope, count))));
      return [mul(inner, scale ? mul(inverse, rows(scale)) : inverse), total, slope];
    };
    const given = vjp(composed, from).pullback(orZeros(g.slice(0, 3), outputs.slice(0, 3)));
    return [...given, ...inputs.slice(from.length).map(() => null)];
  });
}

/** How many elements a row along these axes has. */
const countAlong = ({ shape }: Tensor, dims: readonly number[]): number =>
  dims.reduce((all, axis) => all * (shape[axis] as number), 1);

/** Puts what is one number a row beside x: a vector [C] where `channels`. */
const beside =
  ({ shape }: Tensor, dims: readonly number[], channels: boolean) =>
  (t: Tensor) =>
    channels
      ? reshape(
          t,
          shape.map((size, axis) => (dims.includes(axis) ? 1 : size)),
        )
      : t;

const plus = (a: Tensor | null, b: Tensor): Tensor => (a ? add(a, b) : b);

/** Has a vector that broadcasts to x's shape one value along these axes? */
const constantAlong = (vector: Shape, x: Shape, dims: readonly number[]): boolean =>
  dims.every((axis) => (vector[axis - x.length + vector.length] ?? 1) === 1);
