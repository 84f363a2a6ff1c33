/** The gradient of normalising; the other norms are made of it, or of plain ops. */
import {
  add,
  div,
  expand,
  mul,
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
  defineGradient(standardize, ([g, gMean, gVariance], inputs, [, mean, variance], { dims, weight, bias }) => {
    const [x, eps, ...affine] = inputs as [Tensor, Tensor, ...Tensor[]];
    const gamma = weight ? (affine[0] as Tensor) : null;
    const beta = bias ? (affine[gamma ? 1 : 0] as Tensor) : null;
    const count = countAlong(x, dims);
    const of = [x, mean, variance, eps] as [Tensor, Tensor, Tensor, Tensor];
    let dx: Tensor | null = gMean ? expand(div(gMean, count), x.shape) : null;
    if (gVariance) dx = plus(dx, mul(gVariance, mul(sub(x, mean as Tensor), 2 / count)));
    let dGamma: Tensor | null = null;
    let dBeta: Tensor | null = null;
    if (g) {
      const rowwise = !gamma || constantAlong(gamma.shape, x.shape, dims);
      const h = rowwise ? g : mul(g, gamma);
      const [inner, total, slope] = standardizeGrad([h, ...of], rowwise ? gamma : null, dims) as Triple;
      dx = plus(dx, inner);
      if (gamma) dGamma = sumTo(rowwise ? slope : mul(g, normalized(...of)), gamma.shape);
      if (beta) dBeta = sumTo(rowwise && constantAlong(beta.shape, x.shape, dims) ? total : g, beta.shape);
    }
    return [dx, null, ...(gamma ? [dGamma] : []), ...(beta ? [dBeta] : [])];
  });
  /** That of the same written with ops. */
  defineGradient(standardizeGrad, (g, inputs, outputs, { dims }) => {
    const composed = (...[h, x, mean, variance, eps, scale]: Tensor[]): Tensor[] => {
      const of = [x, mean, variance, eps] as [Tensor, Tensor, Tensor, Tensor];
      const count = countAlong(of[0], dims);
      const normal = normalized(...of);
      const [total, slope] = [h as Tensor, mul(h as Tensor, normal)].map((t) => sum(t, dims, { keepdim: true })) as [
        Tensor,
        Tensor,
      ];
      const inner = sub(sub(h as Tensor, div(total, count)), mul(normal, div(slope, count)));
      const inverse = rsqrt(add(of[2], of[3]));
      return [mul(inner, scale ? mul(inverse, scale) : inverse), total, slope];
    };
    return vjp(composed, inputs).pullback(orZeros(g, outputs));
  });
}

type Triple = [Tensor, Tensor, Tensor];
const normalized = (x: Tensor, mean: Tensor, variance: Tensor, eps: Tensor): Tensor =>
  mul(sub(x, mean), rsqrt(add(variance, eps)));

/** How many elements a row along these axes has. */
const countAlong = ({ shape }: Tensor, dims: readonly number[]): number =>
  dims.reduce((all, axis) => all * (shape[axis] as number), 1);

const plus = (a: Tensor | null, b: Tensor): Tensor => (a ? add(a, b) : b);

/** Has a vector that broadcasts to x's shape one value along these axes? */
const constantAlong = (vector: Shape, x: Shape, dims: readonly number[]): boolean =>
  dims.every((axis) => (vector[axis - x.length + vector.length] ?? 1) === 1);
