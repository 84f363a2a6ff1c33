/** The slack of expressions: what each function adds to the errors of its arguments, and what it makes of them. */
import { type Acc, type Expr, type ExprOp, expr as e } from '@tessera/tensor/backend';
import type { Accuracy } from '../kernels';

export type Slack = Expr | null;
/** An expression whose accumulators are replaced by what holds them, and its slack. */
export interface Bound {
  readonly value: Expr;
  readonly slack: Slack;
}
export type Accumulators = (acc: Acc) => Bound;

export const number = (value: number): Expr => e.constant(value);
export const abs = (x: Expr): Expr => e.apply('abs', [x]);
const square = (x: Expr): Expr => e.mul(x, x);
const inverse = (x: Expr): Expr => e.div(number(1), x);
export const plus = (a: Slack, b: Slack): Slack => (a && b ? e.add(a, b) : (a ?? b));
const times = (a: Expr, b: Slack): Slack => b && e.mul(abs(a), b);
const larger = (a: Slack, b: Slack): Slack => (a && b ? e.apply('max', [a, b]) : (a ?? b));

/** Error of the function itself for arguments a, b and result y, in units of u; an ulp is at most 2u·|y|. */
const own: Record<Accuracy, Partial<Record<ExprOp, (y: Expr, a: Expr, b: Expr) => Expr>>> = {
  libm: {
    // A polynomial behind a range reduction is good to an ulp of 1, not of a result near 0.
    sin: () => number(8),
    cos: () => number(8),
    tan: (y) => e.mul(number(8), e.add(number(1), square(y))),
    acos: () => number(16),
    erfinv: (y) => e.mul(number(32), abs(y)),
    // exp(b·log a): an error in the exponent is multiplied by it.
    pow: (y, a, b) => e.mul(abs(y), e.add(number(16), e.mul(number(8), abs(e.mul(b, e.apply('log', [abs(a)])))))),
  },
  // https://www.w3.org/TR/WGSL/#concrete-float-accuracy
  shader: {
    div: (y) => e.mul(number(5), abs(y)),
    sqrt: (y) => e.mul(number(8), abs(y)),
    exp: (y, a) => e.mul(abs(y), e.add(number(6), e.mul(number(4), abs(a)))),
    log: (y) => e.add(number(8), e.mul(number(6), abs(y))),
    sin: () => number(2 ** 13),
    cos: () => number(2 ** 13),
    tan: (y) => e.mul(number(2 ** 14), e.add(number(1), square(y))),
    asin: () => number(1200),
    acos: () => number(1200),
    atan: (y) => e.mul(number(2 ** 13), abs(y)),
    atan2: (y) => e.mul(number(2 ** 13), abs(y)),
    sinh: (y, a) => e.mul(e.add(number(1), abs(y)), e.add(number(16), e.mul(number(8), abs(a)))),
    cosh: (y, a) => e.mul(e.add(number(1), abs(y)), e.add(number(16), e.mul(number(8), abs(a)))),
    tanh: () => number(64),
    asinh: () => number(64),
    acosh: () => number(64),
    atanh: () => number(64),
    expm1: (y) => e.mul(number(32), abs(y)),
    log1p: (y) => e.mul(number(32), abs(y)),
    erf: (y) => e.mul(number(32), abs(y)),
    erfinv: (y) => e.mul(number(64), abs(y)),
    pow: (y, a, b) => e.mul(abs(y), e.add(number(32), e.mul(number(16), abs(e.mul(b, e.apply('log', [abs(a)])))))),
  },
};

/** |∂f/∂a| or a bound of it, for functions of one argument; null where the argument must be exact (steps, tests). */
const derivative: Partial<Record<ExprOp, (y: Expr, a: Expr) => Expr>> = {
  neg: () => number(1),
  abs: () => number(1),
  exp: (y) => y,
  expm1: (y) => e.add(y, number(1)),
  log: (_, a) => inverse(a),
  log1p: (_, a) => inverse(e.add(number(1), a)),
  sqrt: (y) => e.div(number(0.5), y),
  sin: () => number(1),
  cos: () => number(1),
  tan: (y) => e.add(number(1), square(y)),
  asin: (_, a) => inverse(e.apply('sqrt', [e.sub(number(1), square(a))])),
  acos: (_, a) => inverse(e.apply('sqrt', [e.sub(number(1), square(a))])),
  atan: () => number(1),
  sinh: (_, a) => e.apply('cosh', [a]),
  cosh: (_, a) => e.apply('sinh', [a]),
  tanh: () => number(1),
  asinh: () => number(1),
  acosh: (_, a) => inverse(e.apply('sqrt', [e.sub(square(a), number(1))])),
  atanh: (_, a) => inverse(e.sub(number(1), square(a))),
  erf: () => number(1.13),
  erfinv: (y) => e.apply('exp', [square(y)]),
};

/** Functions that are exact on exact arguments. */
const exact = new Set<ExprOp>([
  'neg',
  'abs',
  'sign',
  'floor',
  'ceil',
  'round',
  'trunc',
  'min',
  'max',
  'select',
  'bits',
]);

export function bound(
  expr: Expr,
  accuracy: Accuracy,
  accumulators: Accumulators,
  memo = new Map<Expr, Bound>(),
): Bound {
  const known = memo.get(expr);
  if (known) return known;
  const visit = (child: Expr) => bound(child, accuracy, accumulators, memo);
  const result = ((): Bound => {
    if (expr.op === 'acc') return accumulators(expr);
    if (expr.op === 'load' && expr.at) {
      return { value: { ...expr, at: expr.at.map((at) => visit(at).value) }, slack: null };
    }
    if (expr.op !== 'apply') return { value: expr, slack: null };
    const args = expr.args.map(visit);
    const value: Expr = { ...expr, args: args.map((arg) => arg.value) };
    if (expr.dtype !== 'float32') return { value, slack: null };
    const [first, second, third] = args;
    const a = first?.value ?? value;
    const b = second?.value ?? value;
    const [sa, sb, sc] = [first?.slack ?? null, second?.slack ?? null, third?.slack ?? null];
    return { value, slack: plus(carried(), added()) };

    function added(): Slack {
      if (exact.has((expr as { fn: ExprOp }).fn)) return null;
      const { fn } = expr as { fn: ExprOp };
      if (fn === 'cast' && a.dtype === 'bool') return null;
      const special = own[accuracy][fn];
      if (special) return special(value, a, b);
      const rounded = fn === 'add' || fn === 'sub' || fn === 'mul' || fn === 'div' || fn === 'sqrt' || fn === 'cast';
      return rounded ? abs(value) : e.mul(number(8), abs(value));
    }
    function carried(): Slack {
      const { fn } = expr as { fn: ExprOp };
      switch (fn) {
        case 'add':
        case 'sub':
          return plus(sa, sb);
        case 'mul':
          return plus(times(b, sa), times(a, sb));
        case 'div':
          return plus(times(inverse(b), sa), times(e.div(value, b), sb));
        case 'mod': // exact arguments, or the step could fall elsewhere
          return sa;
        case 'pow':
          return plus(times(e.div(e.mul(b, value), a), sa), times(e.mul(value, e.apply('log', [abs(a)])), sb));
        case 'atan2':
          return plus(
            times(e.div(b, e.add(square(a), square(b))), sa),
            times(e.div(a, e.add(square(a), square(b))), sb),
          );
        case 'min':
        case 'max':
          return larger(sa, sb);
        case 'select':
          return sb || sc ? e.select(a, sb ?? number(0), sc ?? number(0)) : null;
        default:
          return sa && times(derivative[fn]?.(value, a) ?? number(0), sa);
      }
    }
  })();
  memo.set(expr, result);
  return result;
}
