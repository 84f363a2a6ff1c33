/** Gradients of losses of elements that are not composed. */
import { binaryLosses, clamp, div, log, log1p, mul, neg, sub, type Tensor } from '@tessera/tensor';
import { sumTo, varies } from './broadcast';
import { defineGradient } from './rules';

export function loss(): void {
  /** ∂x = g·(x − t)/(x·(1−x)), the divisor held at 1e-12; ∂t = g·(ln(1−x) − ln x), logarithms held at −100 */
  defineGradient(binaryLosses, (g, inputs) => {
    const [x, t] = inputs as [Tensor, Tensor];
    const slope = div(sub(x, t), clamp(mul(x, sub(1, x)), 1e-12));
    return [
      sumTo(mul(g, slope), x.shape),
      varies(t) ? sumTo(mul(g, sub(clamp(log1p(neg(x)), -100), clamp(log(x), -100))), t.shape) : null,
    ];
  });
}
