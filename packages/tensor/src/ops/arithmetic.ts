/**
 * Arithmetic of elements: tensors (or a tensor and numbers) broadcast together and promoted as in PyTorch. Integers wrap
 * around; int32 division by zero gives 0 where PyTorch throws, for a device cannot.
 */
import { ArgumentError, DTypeError } from '../errors';
import { add as addExpr, apply, constant, div as divExpr, mul as mulExpr, select, sub as subExpr } from '../expr';
import type { ExprOp } from '../ir';
import type { OpExpr } from '../op';
import type { Tensor, TensorLike } from '../tensor';
import { binary, elementwise, floating, fn, numeric, same, unary } from './elementwise';
import { isFloat, typed } from './types';

/** `ofNumbers` of both; bools have their own function, the logical one PyTorch takes. */
const orLogical =
  (ofNumbers: ExprOp, ofBools: ExprOp) =>
  (a: OpExpr, b: OpExpr): OpExpr =>
    apply(a.dtype === 'bool' ? ofBools : ofNumbers, [a, b]);

/** y = a + b; of bools: or. torch.add */
export const add = /* @__PURE__ */ binary('add', /* @__PURE__ */ orLogical('add', 'or'));
/** y = a − b. torch.sub. @throws DTypeError for bools. */
export const sub = /* @__PURE__ */ binary('sub', /* @__PURE__ */ fn('sub'), /* @__PURE__ */ numeric('sub'));
/** y = a · b; of bools: and. torch.mul */
export const mul = /* @__PURE__ */ binary('mul', /* @__PURE__ */ orLogical('mul', 'and'));
/** y = a / b, floating also for integers. torch.div */
export const div = /* @__PURE__ */ binary('div', /* @__PURE__ */ fn('div'), floating);
/** The larger of a and b; NaN if either is. torch.maximum */
export const maximum = /* @__PURE__ */ binary('maximum', /* @__PURE__ */ orLogical('max', 'or'));
/** The smaller of a and b; NaN if either is. torch.minimum */
export const minimum = /* @__PURE__ */ binary('minimum', /* @__PURE__ */ orLogical('min', 'and'));

/** y = a^b. Integers stay integers. torch.pow. @throws ArgumentError for integers to a negative number, which are fractions. */
export const pow = /* @__PURE__ */ elementwise({
  name: 'pow',
  args: (a: TensorLike, b: TensorLike) => {
    const [base] = typed('pow', [a, b]) as [Tensor, Tensor];
    if (typeof b === 'number' && b < 0 && !isFloat(base.dtype))
      throw new ArgumentError(`pow: ${base.dtype} to the power ${b} is a fraction; convert it with cast(x, 'float32')`);
    return [[a, b], {}];
  },
  result: (common) => numeric('pow')(common),
  expr: (inputs) => {
    const [a, b] = inputs as [OpExpr, OpExpr];
    return a.dtype === 'int32' ? integerPower(a, b) : apply('pow', [a, b]);
  },
});

/**
 * By squaring, over the five bits of the exponent that matter: past 31 only the powers of −1, 0 and 1 fit in int32, and
 * those depend on the exponent's lowest bit. Negative exponents keep 1 and −1 and send the rest to 0, as PyTorch does.
 */
function integerPower(a: OpExpr, b: OpExpr): OpExpr {
  const [zero, one] = [constant(0, 'int32'), constant(1, 'int32')];
  const size = apply('abs', [b]);
  const bit = (i: number, of: OpExpr) => apply('and', [apply('shr', [of, constant(i, 'int32')]), one]);
  const large = addExpr(constant(30, 'int32'), bit(0, size));
  const exponent = select(apply('gt', [size, constant(31, 'int32')]), large, size);
  let square = a;
  let power: OpExpr = one;
  for (let i = 0; i < 5; i++) {
    power = mulExpr(power, select(apply('eq', [bit(i, exponent), one]), square, one));
    square = mulExpr(square, square);
  }
  const unit = apply('eq', [apply('abs', [a]), one]);
  return select(apply('or', [apply('ge', [b, zero]), unit]), power, zero);
}

/** y = −x. torch.neg. @throws DTypeError for bools. */
export const neg = /* @__PURE__ */ unary('neg', /* @__PURE__ */ fn('neg'), /* @__PURE__ */ numeric('neg'));
/** y = |x|. torch.abs */
export const abs = /* @__PURE__ */ unary('abs', /* @__PURE__ */ fn('abs'), /* @__PURE__ */ numeric('abs'));
/** y = −1, 0 or 1; NaN stays (PyTorch makes it 0). torch.sign */
export const sign = /* @__PURE__ */ unary('sign', /* @__PURE__ */ fn('sign'), /* @__PURE__ */ numeric('sign'));
/** y = 1 / x, floating. torch.reciprocal */
export const reciprocal = /* @__PURE__ */ unary('reciprocal', (x) => divExpr(constant(1), x));
/** y = x². torch.square. Composed. */
export const square = (x: TensorLike) => mul(x, x);

/** y = a − ⌊a/b⌋·b: the sign is b's, as Python's %. torch.remainder */
export const remainder = /* @__PURE__ */ binary(
  'remainder',
  /* @__PURE__ */ fn('mod'),
  /* @__PURE__ */ numeric('remainder'),
);
/** y = a − trunc(a/b)·b: the sign is a's, as C's fmod. torch.fmod */
export const fmod = /* @__PURE__ */ binary('fmod', (a, b) => fmodExpr(a, b), /* @__PURE__ */ numeric('fmod'));
/** y = ⌊a/b⌋, in the inputs' dtype. torch.floor_divide */
export const floorDivide = /* @__PURE__ */ binary(
  'floorDivide',
  (a, b) => {
    if (a.dtype === 'int32') return divExpr(subExpr(a, apply('mod', [a, b])), b);
    // a − fmod(a, b) is a multiple of b, which a / b need not be: floor(a / b) may miss by one. Python and PyTorch do so too.
    const zero = constant(0);
    const rest = fmodExpr(a, b);
    const apart = apply('xor', [apply('lt', [rest, zero]), apply('lt', [b, zero])]);
    const down = apply('and', [apply('ne', [rest, zero]), apart]);
    const quotient = divExpr(subExpr(a, rest), b);
    const floor = apply('round', [select(down, subExpr(quotient, constant(1)), quotient)]);
    return select(apply('eq', [b, zero]), divExpr(a, b), floor);
  },
  /* @__PURE__ */ numeric('floorDivide'),
  { notDifferentiable: 'piecewise constant' },
);

/** Exact, as C's: through the remainder of absolute values. */
function fmodExpr(a: OpExpr, b: OpExpr): OpExpr {
  const size = apply('mod', [apply('abs', [a]), apply('abs', [b])]);
  return select(apply('lt', [a, constant(0, a.dtype)]), apply('neg', [size]), size);
}

/** y = min(max(x, min), max), with null for a bound that is not there; NaN stays. torch.clamp */
export const clamp = /* @__PURE__ */ elementwise({
  name: 'clamp',
  args: (x: TensorLike, min?: TensorLike | null, max?: TensorLike | null) => {
    const bounds = [min, max].filter((bound) => bound !== null && bound !== undefined);
    if (bounds.length === 0) throw new ArgumentError('clamp: neither min nor max is given; hand in at least one');
    return [[x, ...bounds], { min: min !== null && min !== undefined }];
  },
  result: (common) => numeric('clamp')(common),
  expr: ([x, first, second], { min }) => {
    const [lo, hi] = min ? [first, second] : [undefined, first];
    const raised = lo ? apply('max', [x as OpExpr, lo]) : (x as OpExpr);
    return hi ? apply('min', [raised, hi]) : raised;
  },
});

/**
 * y = a + weight·(b − a), counted from the nearer end, so that weight 1 gives b to the last bit. torch.lerp.
 * Defined for that: no composition of sums is exact at both ends. @throws DTypeError for integers.
 */
export const lerp = /* @__PURE__ */ elementwise({
  name: 'lerp',
  args: (a: TensorLike, b: TensorLike, weight: TensorLike) => [[a, b, weight], {}],
  result: (common) => {
    if (floating(common) === common) return same(common);
    throw new DTypeError(`lerp: inputs are ${common}, wants float32 or float16; convert them with cast(x, 'float32')`);
  },
  expr: (inputs) => {
    const [a, b, weight] = inputs as [OpExpr, OpExpr, OpExpr];
    const gap = subExpr(b, a);
    const fromB = subExpr(b, mulExpr(gap, subExpr(constant(1), weight)));
    return select(apply('lt', [weight, constant(0.5)]), addExpr(a, mulExpr(weight, gap)), fromB);
  },
});

/** y = x + value·a·b, from the left as torch.addcmul. */
export const addcmul = /* @__PURE__ */ elementwise({
  name: 'addcmul',
  args: (x: TensorLike, a: TensorLike, b: TensorLike, { value = 1 }: { value?: TensorLike } = {}) => [
    [x, value === 1 ? a : mul(value, a), b],
    {},
  ],
  result: /* @__PURE__ */ numeric('addcmul'),
  expr: ([x, a, b]) => addExpr(x as OpExpr, mulExpr(a as OpExpr, b as OpExpr)),
});
/** y = x + value·a/b. torch.addcdiv. Composed. */
export const addcdiv = (x: TensorLike, a: TensorLike, b: TensorLike, { value = 1 }: { value?: TensorLike } = {}) =>
  add(x, mul(value, div(a, b)));
