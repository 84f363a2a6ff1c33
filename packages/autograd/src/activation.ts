/** Gradients of activations, of x or y alone. At the corners they are PyTorch's: relu 0 at 0, hardtanh 0 at both bounds. */
import {
  add,
  celu,
  div,
  elu,
  erf,
  exp,
  ge,
  gelu,
  gt,
  hardsigmoid,
  hardswish,
  hardtanh,
  le,
  leakyRelu,
  logicalAnd,
  logSigmoid,
  lt,
  mish,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  softplus,
  square,
  sub,
  type Tensor,
  tanh,
  where,
} from '@tessera/tensor';
import { defineGradient } from './rules';

export function activation(): void {
  const between = (x: Tensor, lo: number, hi: number) => logicalAnd(gt(x, lo), lt(x, hi));

  defineGradient(relu, (g, _, y) => [where(gt(y, 0), g, 0)]);
  defineGradient(leakyRelu, (g, [x], _, { negativeSlope }) => [where(gt(x as Tensor, 0), g, mul(g, negativeSlope))]);
  defineGradient(hardtanh, (g, [x], _, { min, max }) => [where(between(x as Tensor, min, max), g, 0)]);
  /** Below 0, alpha·eˣ = y + alpha: by y, for eˣ overflows above and 0·∞ would reach the second derivative. */
  defineGradient(elu, (g, [x], y, { alpha }) => [where(gt(x as Tensor, 0), g, mul(g, add(y, alpha)))]);
  /** Below 0, e^(x/alpha) = y/alpha + 1. */
  defineGradient(celu, (g, [x], y, { alpha }) => [where(gt(x as Tensor, 0), g, mul(g, add(div(y, alpha), 1)))]);

  /** y·(1 − y) */
  defineGradient(sigmoid, (g, _, y) => [mul(g, mul(y, sub(1, y)))]);
  /** σ(−x) */
  defineGradient(logSigmoid, (g, [x]) => [mul(g, sigmoid(neg(x as Tensor)))]);
  /** 1 − y² */
  defineGradient(tanh, (g, _, y) => [mul(g, sub(1, square(y)))]);
  /** σ(beta·x), 1 above the threshold */
  defineGradient(softplus, (g, [x], _, { beta, threshold }) => {
    const scaled = mul(x as Tensor, beta);
    return [where(gt(scaled, threshold), g, mul(g, sigmoid(scaled)))];
  });
  /** Φ(x) + x·φ(x); of the tanh form, with t = tanh(u): (1+t)/2 + x/2·(1−t²)·u′ */
  defineGradient(gelu, (g, inputs, _, { approximate }) => {
    const [x] = inputs as [Tensor];
    if (approximate === 'none') {
      const below = mul(add(erf(mul(x, Math.SQRT1_2)), 1), 0.5);
      const density = mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
      return [mul(g, add(below, mul(x, density)))];
    }
    const scale = Math.sqrt(2 / Math.PI);
    const squared = square(x);
    const t = tanh(mul(mul(x, add(mul(squared, 0.044715), 1)), scale));
    const slope = mul(add(mul(squared, 3 * 0.044715), 1), scale);
    const bent = mul(mul(x, sub(1, square(t))), slope);
    return [mul(g, mul(add(add(t, 1), bent), 0.5))];
  });
  /** σ·(1 + x·(1−σ)) */
  defineGradient(silu, (g, inputs) => {
    const [x] = inputs as [Tensor];
    const s = sigmoid(x);
    return [mul(g, mul(s, add(mul(x, sub(1, s)), 1)))];
  });
  /** With t = tanh(softplus(x)): t + x·σ(x)·(1−t²) */
  defineGradient(mish, (g, inputs) => {
    const [x] = inputs as [Tensor];
    const t = tanh(softplus(x));
    return [mul(g, add(t, mul(mul(x, sigmoid(x)), sub(1, square(t)))))];
  });
  defineGradient(hardsigmoid, (g, [x]) => [where(between(x as Tensor, -3, 3), div(g, 6), 0)]);
  /** 0 up to −3, x/3 + 1/2, 1 from 3 on */
  defineGradient(hardswish, (g, inputs) => {
    const [x] = inputs as [Tensor];
    const ramp = mul(g, add(div(x, 3), 0.5));
    return [where(le(x, -3), 0, where(ge(x, 3), g, ramp))];
  });
}
