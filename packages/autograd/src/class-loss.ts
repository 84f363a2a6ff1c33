/** Gradients of losses over classes: softmax − onehot, without either in memory. */
import {
  add,
  arange,
  classLosses,
  div,
  eq,
  exp,
  mul,
  ne,
  neg,
  pickedLosses,
  reshape,
  sub,
  sum,
  type Tensor,
  weightedMean,
  where,
} from '@tessera/tensor';
import { overRows, unreduced } from './broadcast';
import { defineGradient } from './rules';

export function classLoss(): void {
  const axisOf = (x: Tensor) => (x.rank === 1 ? 0 : 1);
  /** A tensor over the classes [C], beside x [N,C,…]. */
  const perClass = (x: Tensor, w: Tensor) =>
    reshape(
      w,
      x.shape.map((size, i) => (i === axisOf(x) ? size : 1)),
    );
  /** Where the class is the target's. */
  const isTarget = (x: Tensor, target: Tensor) => {
    const classes = perClass(x, arange(x.shape[axisOf(x)] as number));
    return eq(classes, unreduced(target, x.shape, [axisOf(x)]));
  };

  /**
   * Of the loss, with p = exp(x − lse) and r the target's weight: (1−ε)·r·(p − onehot) + ε/C·(p·Σw − w), 0 for an ignored
   * target. Of lse: p.
   */
  defineGradient(classLosses, ([ofLoss, ofLse], inputs, [, lse, r], { ignoreIndex, smoothing }) => {
    const [x, target, weight] = inputs as [Tensor, Tensor, Tensor | undefined];
    const axis = axisOf(x);
    const over = (row: Tensor) => unreduced(row, x.shape, [axis]);
    const p = exp(sub(x, over(lse as Tensor)));
    let grad: Tensor | null = ofLse ? mul(over(ofLse), p) : null;
    if (ofLoss) {
      const classes = x.shape[axis] as number;
      const onehot = where(isTarget(x, target), 1, 0);
      let slope = mul(over(r as Tensor), sub(p, onehot));
      if (smoothing > 0) {
        const spread = weight ? sub(mul(p, sum(weight)), perClass(x, weight)) : sub(mul(p, classes), 1);
        slope = add(mul(slope, 1 - smoothing), mul(spread, smoothing / classes));
      }
      // chosen, not multiplied: a row of infinite logits that is ignored must not give NaN
      const counted = where(ne(over(target), ignoreIndex), mul(over(ofLoss), slope), 0);
      grad = grad ? add(grad, counted) : counted;
    }
    return weight ? [grad, null, null] : [grad, null];
  });

  /** −w at the target */
  defineGradient(pickedLosses, (g, inputs) => {
    const [x, target, weights] = inputs as [Tensor, Tensor, Tensor];
    const atTarget = unreduced(neg(mul(g, weights)), x.shape, [axisOf(x)]);
    return [where(isTarget(x, target), atTarget, 0), null, null];
  });

  /** Of losses: g/Σw. The weights are no variables. */
  defineGradient(weightedMean, ([g], [losses], [, total]) => {
    const { shape } = losses as Tensor;
    return [
      g
        ? overRows(
            div(g, total as Tensor),
            shape,
            shape.map((_, axis) => axis),
          )
        : null,
      null,
    ];
  });
}
