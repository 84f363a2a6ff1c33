/** The gradient of normalising; the other norms are made of it, or of plain ops. */
import { add, div, expand, mul, rsqrt, type Shape, standardize, sub, sum, type Tensor } from '@tessera/tensor';
import { sumTo } from './broadcast';
import { defineGradient } from './rules';

export function norm(): void {
  /**
   * With x̂ = (x − μ)/σ, σ = √(variance + eps), means over a row of m elements, and h = g·γ:
   * ∂x = (h − mean(h) − x̂·mean(h·x̂))/σ, ∂γ = Σ g·x̂, ∂β = Σ g. Where γ is one number a row (batch norm), Σg and Σg·x̂ over
   * the row are also what γ and β receive: two sums in one pass are then all that is reduced.
   */
  defineGradient(standardize, ([g, gMean, gVariance], inputs, [, mean, variance], attributes) => {
    const [x, eps, ...affine] = inputs as [Tensor, Tensor, ...Tensor[]];
    const { dims } = attributes;
    const gamma = attributes.weight ? (affine[0] as Tensor) : null;
    const beta = attributes.bias ? (affine[gamma ? 1 : 0] as Tensor) : null;
    const count = dims.reduce((all, axis) => all * (x.shape[axis] as number), 1);
    const rows = (t: Tensor) => sum(t, dims, { keepdim: true });
    const centred = sub(x, mean as Tensor);
    const perDeviation = rsqrt(add(variance as Tensor, eps));
    let dx: Tensor | null = gMean ? expand(div(gMean, count), x.shape) : null;
    if (gVariance) dx = plus(dx, mul(gVariance, mul(centred, 2 / count)));
    let dGamma: Tensor | null = null;
    let dBeta: Tensor | null = null;
    if (g) {
      const normal = mul(centred, perDeviation);
      const rowwise = !gamma || constantAlong(gamma.shape, x.shape, dims);
      const h = rowwise || !gamma ? g : mul(g, gamma);
      const [total, slope] = [rows(h), rows(mul(h, normal))];
      const inner = sub(sub(h, div(total, count)), mul(normal, div(slope, count)));
      dx = plus(dx, mul(inner, rowwise && gamma ? mul(perDeviation, gamma) : perDeviation));
      if (gamma) dGamma = sumTo(rowwise ? slope : mul(g, normal), gamma.shape);
      if (beta) dBeta = sumTo(rowwise && constantAlong(beta.shape, x.shape, dims) ? total : g, beta.shape);
    }
    return [dx, null, ...(gamma ? [dGamma] : []), ...(beta ? [dBeta] : [])];
  });
}

const plus = (a: Tensor | null, b: Tensor): Tensor => (a ? add(a, b) : b);

/** Has a vector that broadcasts to x's shape one value along these axes? */
const constantAlong = (vector: Shape, x: Shape, dims: readonly number[]): boolean =>
  dims.every((axis) => (vector[axis - x.length + vector.length] ?? 1) === 1);
