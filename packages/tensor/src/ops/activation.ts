/**
 * Activations, element by element. Those with a formula longer than one function are defined rather than composed for memory:
 * their gradients (autograd's file of this name) read x or y alone, so no step in between is kept for the way back.
 */
import { ArgumentError } from '../errors';
import { add, apply, constant, div, mul, select, sub } from '../expr';
import type { OpExpr } from '../op';
import { type Tensor, type TensorLike, toTensor } from '../tensor';
import { abs, div as over, add as plus, mul as times } from './arithmetic';
import { gt, where } from './comparison';
import { elementwise, floating, fn, numeric, unary } from './elementwise';
import { reshape } from './shape';
import { wantWord } from './words';

const zero = (x: OpExpr) => constant(0, x.dtype);
const positive = (x: OpExpr) => apply('gt', [x, zero(x)]);
/** An activation with settings, which are constants of its kernel. */
const activation = <Settings extends Readonly<Record<string, number | string>>, Rest extends readonly unknown[]>(
  name: string,
  settings: (...rest: Rest) => Settings,
  expr: (x: OpExpr, settings: Settings) => OpExpr,
) =>
  elementwise({
    name,
    args: (x: TensorLike, ...rest: Rest) => [[x], settings(...rest)],
    result: floating,
    expr: ([x], attributes: Settings) => expr(x as OpExpr, attributes),
  });

/** y = max(x, 0); integers stay integers. torch.relu; the derivative at 0 is 0. */
export const relu = /* @__PURE__ */ unary('relu', (x) => apply('max', [x, zero(x)]), /* @__PURE__ */ numeric('relu'));

/** y = x for x > 0, else negativeSlope·x. F.leaky_relu */
export const leakyRelu = /* @__PURE__ */ activation(
  'leakyRelu',
  (negativeSlope: number = 0.01) => ({ negativeSlope }),
  (x, { negativeSlope }) => select(positive(x), x, mul(x, constant(negativeSlope))),
);

/** y = min(max(x, min), max). F.hardtanh; the derivative at both bounds is 0 (clamp's is 1). */
export const hardtanh = /* @__PURE__ */ activation(
  'hardtanh',
  (min: number = -1, max: number = 1) => {
    if (!(min < max)) throw new ArgumentError(`hardtanh: min ${min} is not below max ${max}; exchange them`);
    return { min, max };
  },
  (x, { min, max }) => apply('min', [apply('max', [x, constant(min)]), constant(max)]),
);
/** y = min(max(x, 0), 6). F.relu6. Composed. */
export const relu6 = (x: TensorLike): Tensor => hardtanh(x, 0, 6);

/** y = x for x > 0, else alpha·(eˣ − 1). F.elu */
export const elu = /* @__PURE__ */ activation(
  'elu',
  (alpha: number = 1) => ({ alpha }),
  (x, { alpha }) => select(positive(x), x, mul(constant(alpha), apply('expm1', [x]))),
);
/** y = x for x > 0, else alpha·(e^(x/alpha) − 1). F.celu. @throws ArgumentError for alpha 0. */
export const celu = /* @__PURE__ */ activation(
  'celu',
  (alpha: number = 1) => {
    if (alpha === 0) throw new ArgumentError('celu: alpha is 0, wants another number; the limit is relu');
    return { alpha };
  },
  (x, { alpha }) => select(positive(x), x, mul(constant(alpha), apply('expm1', [div(x, constant(alpha))]))),
);
/** y = 1.0507·elu(x, 1.6733), the numbers that keep mean 0 and variance 1. F.selu (Klambauer 2017). Composed. */
export const selu = (x: TensorLike): Tensor => times(elu(x, 1.6732632423543772), 1.0507009873554805);

/** y = 1 / (1 + e⁻ˣ). torch.sigmoid */
export const sigmoid = /* @__PURE__ */ unary('sigmoid', (x) => logistic(x));
const logistic = (x: OpExpr) => div(constant(1), add(constant(1), apply('exp', [apply('neg', [x])])));
/** y = ln sigmoid(x), without overflow: min(x, 0) − ln(1 + e^−|x|). F.logsigmoid */
export const logSigmoid = /* @__PURE__ */ unary('logSigmoid', (x) => {
  const small = apply('exp', [apply('neg', [apply('abs', [x])])]);
  return sub(apply('min', [x, zero(x)]), apply('log1p', [small]));
});
/** torch.tanh */
export const tanh = /* @__PURE__ */ unary('tanh', /* @__PURE__ */ fn('tanh'));

/** y = ln(1 + e^(beta·x)) / beta, and x itself where beta·x > threshold. F.softplus */
export const softplus = /* @__PURE__ */ activation(
  'softplus',
  ({ beta = 1, threshold = 20 }: { beta?: number; threshold?: number } = {}) => ({ beta, threshold }),
  (x, { beta, threshold }) => {
    const scaled = mul(x, constant(beta));
    const soft = div(apply('log1p', [apply('exp', [scaled])]), constant(beta));
    return select(apply('gt', [scaled, constant(threshold)]), x, soft);
  },
);

/**
 * y = x·Φ(x), Φ the normal distribution's function: x/2·(1 + erf(x/√2)); approximate 'tanh':
 * x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). F.gelu
 */
export const gelu = /* @__PURE__ */ activation(
  'gelu',
  ({ approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}) => {
    wantWord('gelu', 'approximate', approximate, ['none', 'tanh']);
    return { approximate };
  },
  (x, { approximate }) => {
    const cube = mul(mul(x, x), x);
    const inner = mul(constant(Math.sqrt(2 / Math.PI)), add(x, mul(constant(0.044715), cube)));
    const side = approximate === 'tanh' ? apply('tanh', [inner]) : apply('erf', [mul(x, constant(Math.SQRT1_2))]);
    return mul(mul(constant(0.5), x), add(constant(1), side));
  },
);

/** y = x·sigmoid(x). F.silu */
export const silu = /* @__PURE__ */ unary('silu', (x) => mul(x, logistic(x)));
/** y = x·tanh(ln(1 + eˣ)). F.mish (Misra 2019) */
export const mish = /* @__PURE__ */ unary('mish', (x) => {
  const soft = select(apply('gt', [x, constant(20)]), x, apply('log1p', [apply('exp', [x])]));
  return mul(x, apply('tanh', [soft]));
});

/** min(max(x + 3, 0), 6) / 6 */
const hardGate = (x: OpExpr) => {
  const raised = apply('max', [add(x, constant(3)), constant(0)]);
  return div(apply('min', [raised, constant(6)]), constant(6));
};
/** y = min(max(x + 3, 0), 6) / 6. F.hardsigmoid; the derivative at ±3 is 0. */
export const hardsigmoid = /* @__PURE__ */ unary('hardsigmoid', hardGate);
/** y = x·hardsigmoid(x). F.hardswish (MobileNetV3); the derivative at −3 is 0, at 3 it is 1. */
export const hardswish = /* @__PURE__ */ unary('hardswish', (x) => mul(x, hardGate(x)));
/** y = x / (1 + |x|). F.softsign. Composed. */
export const softsign = (x: TensorLike): Tensor => over(x, plus(abs(x), 1));

/** y = x for x > 0, else weight·x. x [N,C,…], weight [C] or [1]. F.prelu. Composed. */
export function prelu(x: TensorLike, weight: TensorLike): Tensor {
  const input = toTensor(x, 'prelu');
  const slope = toTensor(weight, 'prelu');
  const channels = input.rank > 1 ? input.shape[1] : 1;
  const count = slope.rank === 0 ? 1 : slope.shape[0];
  if (slope.rank > 1 || (count !== 1 && channels !== null && count !== null && count !== channels))
    throw new ArgumentError(
      `prelu: weight has shape [${slope.shape}] for an input with ${channels} channels; wants [1] or [${channels}]`,
    );
  const shaped = input.rank > 1 ? reshape(slope, [1, count ?? null, ...input.shape.slice(2).map(() => 1)]) : slope;
  return where(gt(input, 0), input, times(input, shaped));
}
