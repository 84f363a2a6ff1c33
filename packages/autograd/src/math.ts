/** Gradients of the functions of one element: y′ beside each. */
import {
  acos,
  acosh,
  add,
  asin,
  asinh,
  atan,
  atan2,
  atanh,
  cast,
  ceil,
  cos,
  cosh,
  div,
  erf,
  erfc,
  erfinv,
  exp,
  exp2,
  expm1,
  floor,
  frac,
  log,
  log1p,
  mul,
  neg,
  reciprocal,
  round,
  rsqrt,
  sin,
  sinh,
  sqrt,
  square,
  sub,
  type Tensor,
  tan,
  trunc,
} from '@tessera/tensor';
import { sumTo, varies } from './broadcast';
import { defineGradient } from './rules';

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'float16';
/** 2/√π */
const twoOverSqrtPi = 1.1283791670955126;

export function math(): void {
  type Derivative = (x: Tensor, y: Tensor) => Tensor;
  const derivative = (op: typeof exp, of: Derivative) =>
    defineGradient(op, (g, [x], y) => [mul(g, of(x as Tensor, y))]);

  defineGradient(cast, (g, [x]) => [isFloat(g) ? cast(g, (x as Tensor).dtype) : null]);

  derivative(exp, (_, y) => y);
  derivative(expm1, (_, y) => add(y, 1));
  derivative(exp2, (_, y) => mul(y, Math.LN2));
  defineGradient(log, (g, [x]) => [div(g, x as Tensor)]); // 1/x
  defineGradient(log1p, (g, [x]) => [div(g, add(x as Tensor, 1))]); // 1/(1+x)
  defineGradient(sqrt, (g, _, y) => [div(g, mul(y, 2))]); // 1/(2y)
  derivative(rsqrt, (_, y) => mul(mul(y, square(y)), -0.5)); // −y³/2

  derivative(sin, (x) => cos(x));
  derivative(cos, (x) => neg(sin(x)));
  derivative(tan, (_, y) => add(square(y), 1));
  derivative(asin, (x) => rsqrt(sub(1, square(x))));
  derivative(acos, (x) => neg(rsqrt(sub(1, square(x)))));
  defineGradient(atan, (g, [x]) => [div(g, add(square(x as Tensor), 1))]);
  derivative(sinh, (x) => cosh(x));
  derivative(cosh, (x) => sinh(x));
  derivative(asinh, (x) => rsqrt(add(square(x), 1)));
  derivative(acosh, (x) => rsqrt(sub(square(x), 1)));
  derivative(atanh, (x) => reciprocal(sub(1, square(x))));
  /** ∂a = g·b/(a²+b²), ∂b = −g·a/(a²+b²) */
  defineGradient(atan2, (g, inputs) => {
    const [a, b] = inputs as [Tensor, Tensor];
    const share = div(g, add(square(a), square(b)));
    return [varies(a) ? sumTo(mul(share, b), a.shape) : null, varies(b) ? sumTo(neg(mul(share, a)), b.shape) : null];
  });

  derivative(erf, (x) => mul(exp(neg(square(x))), twoOverSqrtPi));
  derivative(erfc, (x) => mul(exp(neg(square(x))), -twoOverSqrtPi));
  derivative(erfinv, (_, y) => mul(exp(square(y)), 1 / twoOverSqrtPi));

  for (const op of [floor, ceil, round, trunc]) defineGradient(op, () => [null]); // 0 wherever there is one
  defineGradient(frac, (g) => [g]);
}
