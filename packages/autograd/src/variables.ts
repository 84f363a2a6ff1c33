/** The same values under another name: variables of a derivative, and what is constant to it. */
import { defineOp, type Tensor } from '@tessera/tensor';
import { defineGradient } from './rules';

/** y = x as a node of its own: another variable with the same values. */
export const identity = /* @__PURE__ */ defineGradient(
  /* @__PURE__ */ defineOp({
    name: 'variable',
    args: (x: Tensor) => [[x], {}],
    shape: ([x]) => x as Tensor,
    lower: () => ({ kind: 'view', moves: [] }),
  }),
  (g) => [g],
);

/** y = x, computed after `others`: what is made of y is not made before them. */
export const after = /* @__PURE__ */ defineGradient(
  /* @__PURE__ */ defineOp({
    name: 'after',
    args: (x: Tensor, others: readonly Tensor[]) => [[x, ...others], {}],
    shape: ([x]) => x as Tensor,
    lower: () => ({ kind: 'view', moves: [] }),
  }),
  (g, [, ...others]) => [g, ...others.map(() => null)],
);

/** y = x, constant to derivatives: nothing flows back through it. torch.Tensor.detach */
export const stopGradient = /* @__PURE__ */ defineGradient(
  /* @__PURE__ */ defineOp({
    name: 'stopGradient',
    args: (x: Tensor) => [[x], {}],
    shape: ([x]) => x as Tensor,
    lower: () => ({ kind: 'view', moves: [] }),
  }),
  () => [null],
);
