/** Functions of one element. Results are floating: integers become float32, as in PyTorch. */
import { add, apply, computeOf, constant, div, mul, cast as retype, select, sub } from '../expr';
import type { DType } from '../ir';
import { defineOp, type OpExpr, read } from '../op';
import type { TensorLike } from '../tensor';
import { mul as times } from './arithmetic';
import { binary, boolean, floating, fn, narrow, not, same, unary } from './elementwise';

/** The values in another dtype: float to integer truncates, anything but 0 is true. Tensor.to(dtype). */
export const cast = /* @__PURE__ */ defineOp({
  name: 'cast',
  args: (x: TensorLike, dtype: DType) => [[x], { dtype }],
  shape: ([x], { dtype }) => ({ shape: x?.shape ?? [], dtype }),
  lower: ([x], { dtype }) => {
    if (!x || x.dtype === dtype) return { kind: 'view', moves: [] };
    return { kind: 'map', outs: [narrow(retype(read(x) as OpExpr, computeOf(dtype)), dtype)] };
  },
});

/** y = eˣ. torch.exp */
export const exp = /* @__PURE__ */ unary('exp', /* @__PURE__ */ fn('exp'));
/** y = eˣ − 1, exact near 0. torch.expm1 */
export const expm1 = /* @__PURE__ */ unary('expm1', /* @__PURE__ */ fn('expm1'));
/** y = 2ˣ. torch.exp2 */
export const exp2 = /* @__PURE__ */ unary('exp2', (x) => apply('pow', [constant(2), x]));
/** y = ln x. torch.log */
export const log = /* @__PURE__ */ unary('log', /* @__PURE__ */ fn('log'));
/** y = ln(1 + x), exact near 0. torch.log1p */
export const log1p = /* @__PURE__ */ unary('log1p', /* @__PURE__ */ fn('log1p'));
/** y = log₂ x. torch.log2. Composed. */
export const log2 = (x: TensorLike) => times(log(x), Math.LOG2E);
/** y = log₁₀ x. torch.log10. Composed. */
export const log10 = (x: TensorLike) => times(log(x), Math.LOG10E);
/** y = √x; NaN below 0. torch.sqrt */
export const sqrt = /* @__PURE__ */ unary('sqrt', /* @__PURE__ */ fn('sqrt'));
/** y = 1/√x. torch.rsqrt */
export const rsqrt = /* @__PURE__ */ unary('rsqrt', (x) => div(constant(1), apply('sqrt', [x])));

/** torch.sin */
export const sin = /* @__PURE__ */ unary('sin', /* @__PURE__ */ fn('sin'));
/** torch.cos */
export const cos = /* @__PURE__ */ unary('cos', /* @__PURE__ */ fn('cos'));
/** torch.tan */
export const tan = /* @__PURE__ */ unary('tan', /* @__PURE__ */ fn('tan'));
/** NaN outside [−1, 1]. torch.asin */
export const asin = /* @__PURE__ */ unary('asin', /* @__PURE__ */ fn('asin'));
/** NaN outside [−1, 1]. torch.acos */
export const acos = /* @__PURE__ */ unary('acos', /* @__PURE__ */ fn('acos'));
/** torch.atan */
export const atan = /* @__PURE__ */ unary('atan', /* @__PURE__ */ fn('atan'));
/** The angle of the point (b, a), in [−π, π]. torch.atan2 */
export const atan2 = /* @__PURE__ */ binary('atan2', /* @__PURE__ */ fn('atan2'), floating);
/** torch.sinh */
export const sinh = /* @__PURE__ */ unary('sinh', /* @__PURE__ */ fn('sinh'));
/** torch.cosh */
export const cosh = /* @__PURE__ */ unary('cosh', /* @__PURE__ */ fn('cosh'));
/** torch.asinh */
export const asinh = /* @__PURE__ */ unary('asinh', /* @__PURE__ */ fn('asinh'));
/** NaN below 1. torch.acosh */
export const acosh = /* @__PURE__ */ unary('acosh', /* @__PURE__ */ fn('acosh'));
/** NaN outside [−1, 1]. torch.atanh */
export const atanh = /* @__PURE__ */ unary('atanh', /* @__PURE__ */ fn('atanh'));

/** y = 2/√π ∫₀ˣ e^(−t²) dt. torch.erf */
export const erf = /* @__PURE__ */ unary('erf', /* @__PURE__ */ fn('erf'));
/** The inverse of erf on (−1, 1); ±∞ at the ends, NaN outside. torch.erfinv */
export const erfinv = /* @__PURE__ */ unary('erfinv', /* @__PURE__ */ fn('erfinv'));

/**
 * y = 1 − erf(x). torch.erfc. Defined for accuracy: from x = 1 on, where the difference loses digits, it is
 * t·exp(−x² + P(t)) with t = 1/(1 + x/2) (Chebyshev fit, relative error below 1.2e-7; Numerical Recipes, 6.2).
 */
export const erfc = /* @__PURE__ */ unary('erfc', (x) => {
  const t = div(constant(1), add(constant(1), mul(constant(0.5), x)));
  let fit: OpExpr = constant(erfcFit[0] as number);
  for (const coefficient of erfcFit.slice(1)) fit = add(constant(coefficient), mul(t, fit));
  const tail = mul(t, apply('exp', [sub(fit, mul(x, x))]));
  return select(apply('gt', [x, constant(1)]), tail, sub(constant(1), apply('erf', [x])));
});
/** Coefficients of P, highest power first. */
const erfcFit = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
  -1.26551223,
];

/** A function whose derivative is 0 wherever it has one; whole numbers stay as they are, and stay integers. */
const rounding = (name: 'floor' | 'ceil' | 'round' | 'trunc') =>
  unary(name, (x) => (x.dtype === 'float32' ? apply(name, [x]) : x), same);
/** The largest whole number ≤ x. torch.floor */
export const floor = /* @__PURE__ */ rounding('floor');
/** The least whole number ≥ x. torch.ceil */
export const ceil = /* @__PURE__ */ rounding('ceil');
/** The nearest whole number, the even one of two. torch.round */
export const round = /* @__PURE__ */ rounding('round');
/** x without its fraction. torch.trunc */
export const trunc = /* @__PURE__ */ rounding('trunc');
/** The fraction of x, with its sign. torch.frac. Defined, so that its derivative is 1 and not 1 − 0. */
export const frac = /* @__PURE__ */ unary('frac', (x) => sub(x, apply('trunc', [x])));

/** Of integers, which are all finite, `otherwise`. */
const test = (name: string, expr: (x: OpExpr) => OpExpr, otherwise: boolean) =>
  unary(name, (x) => (x.dtype === 'float32' ? expr(x) : constant(Number(otherwise), 'bool')), boolean, {
    notDifferentiable: 'boolean result',
  });
const infinite = (x: OpExpr) => apply('eq', [apply('abs', [x]), constant(Number.POSITIVE_INFINITY)]);
/** torch.isnan */
export const isNan = /* @__PURE__ */ test('isNan', /* @__PURE__ */ fn('isNan'), false);
/** torch.isinf */
export const isInf = /* @__PURE__ */ test('isInf', infinite, false);
/** Neither NaN nor ±∞. torch.isfinite */
const finite = /* @__PURE__ */ test('isFinite', (x) => not(apply('or', [apply('isNan', [x]), infinite(x)])), true);

export { finite as isFinite };
