/** Gradients of arithmetic. Each input's is summed over the axes along which it was broadcast. */
import {
  abs,
  add,
  addcmul,
  clamp,
  div,
  eq,
  floor,
  fmod,
  ge,
  gt,
  le,
  lerp,
  log,
  logicalAnd,
  logicalOr,
  lt,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  reciprocal,
  remainder,
  sign,
  sub,
  type Tensor,
  trunc,
  where,
} from '@tessera/tensor';
import { sumTo, varies } from './broadcast';
import { defineGradient } from './rules';

export function arithmetic(): void {
  /** A rule for two inputs: the cotangent of each, before the sum over broadcast axes; none for numbers written in place. */
  const pair =
    (ofA: (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor, ofB: typeof ofA) =>
    (g: Tensor, inputs: readonly Tensor[], y: Tensor): (Tensor | null)[] => {
      const [a, b] = inputs as [Tensor, Tensor];
      return [varies(a) ? sumTo(ofA(g, a, b, y), a.shape) : null, varies(b) ? sumTo(ofB(g, a, b, y), b.shape) : null];
    };

  defineGradient(
    add,
    pair(
      (g) => g,
      (g) => g,
    ),
  );
  defineGradient(
    sub,
    pair(
      (g) => g,
      (g) => neg(g),
    ),
  );
  /** ∂a = g·b, ∂b = g·a */
  defineGradient(
    mul,
    pair(
      (g, _, b) => mul(g, b),
      (g, a) => mul(g, a),
    ),
  );
  /** ∂a = g/b, ∂b = −g·y/b */
  defineGradient(
    div,
    pair(
      (g, _, b) => div(g, b),
      (g, _, b, y) => neg(mul(g, div(y, b))),
    ),
  );
  /** To the one that is taken, half to each of equals; NaN to both, as PyTorch does. */
  const chosen = (loses: typeof lt) => (g: Tensor, a: Tensor, b: Tensor) =>
    where(eq(a, b), mul(g, 0.5), where(loses(a, b), 0, g));
  defineGradient(
    maximum,
    pair(
      (g, a, b) => chosen(lt)(g, a, b),
      (g, a, b) => chosen(lt)(g, b, a),
    ),
  );
  defineGradient(
    minimum,
    pair(
      (g, a, b) => chosen(gt)(g, a, b),
      (g, a, b) => chosen(gt)(g, b, a),
    ),
  );
  /** ∂a = g·b·a^(b−1), 0 for b = 0;  ∂b = g·y·ln a, 0 where a = 0 ≤ b */
  defineGradient(
    pow,
    pair(
      (g, a, b) => where(eq(b, 0), 0, mul(g, mul(b, pow(a, sub(b, 1))))),
      (g, a, b, y) => {
        const flat = logicalAnd(eq(a, 0), ge(b, 0));
        return where(flat, 0, mul(g, mul(y, log(where(flat, 1, a)))));
      },
    ),
  );
  /** ∂a = g, ∂b = −g·⌊a/b⌋ */
  defineGradient(
    remainder,
    pair(
      (g) => g,
      (g, a, b) => neg(mul(g, floor(div(a, b)))),
    ),
  );
  /** ∂a = g, ∂b = −g·trunc(a/b) */
  defineGradient(
    fmod,
    pair(
      (g) => g,
      (g, a, b) => neg(mul(g, trunc(div(a, b)))),
    ),
  );

  defineGradient(neg, (g) => [neg(g)]);
  /** ∂x = g·sign(x), 0 at 0 */
  defineGradient(abs, (g, [x]) => [mul(g, sign(x as Tensor))]);
  defineGradient(sign, () => [null]); // 0 wherever there is a derivative
  /** ∂x = −g·y² */
  defineGradient(reciprocal, (g, _, y) => [neg(mul(g, mul(y, y)))]);

  /** To x within the bounds and on them; to a bound where it is what comes out (max wins over min). */
  defineGradient(clamp, (g, inputs, _, { min: hasMin }) => {
    const [x, first, second] = inputs as [Tensor, Tensor, Tensor | undefined];
    const [lo, hi] = hasMin ? [first, second] : [undefined, first];
    const inside = [...(lo ? [ge(x, lo)] : []), ...(hi ? [le(x, hi)] : [])].reduce((a, b) => logicalAnd(a, b));
    const grads: (Tensor | null)[] = [sumTo(where(inside, g, 0), x.shape)];
    if (lo) {
      const low = hi ? logicalAnd(lt(lo, hi), lt(x, lo)) : lt(x, lo);
      grads.push(varies(lo) ? sumTo(where(low, g, 0), lo.shape) : null);
    }
    if (hi) {
      const high = lo ? logicalOr(gt(x, hi), lt(hi, lo)) : gt(x, hi);
      grads.push(varies(hi) ? sumTo(where(high, g, 0), hi.shape) : null);
    }
    return grads;
  });
  /** ∂x = g, ∂a = g·b, ∂b = g·a */
  defineGradient(addcmul, (g, inputs) => {
    const [x, a, b] = inputs as [Tensor, Tensor, Tensor];
    return [x, a, b].map((of, i) => (varies(of) ? sumTo(i === 0 ? g : mul(g, i === 1 ? b : a), of.shape) : null));
  });
  /** ∂a = g·(1−w), ∂b = g·w, ∂w = g·(b−a) */
  defineGradient(lerp, (g, inputs) => {
    const [a, b, weight] = inputs as [Tensor, Tensor, Tensor];
    return [
      sumTo(mul(g, sub(1, weight)), a.shape),
      sumTo(mul(g, weight), b.shape),
      varies(weight) ? sumTo(mul(g, sub(b, a)), weight.shape) : null,
    ];
  });
}
