/**
 * Random expressions over all functions. Steps and comparisons see exact values only, so that rounding cannot flip them: a float knows
 * how many bits it has behind the point (`fraction`), Infinity once a result was rounded. Everything else knows its range, and
 * is clamped into what the next function bears.
 */
import { type Compute, type Expr, type ExprOp, expr as e } from '@tessera/tensor/backend';
import { flag, type Generator, int, isExact, type Term } from './generator';

/** The terms over one domain: grows by what is made, so that expressions share nodes. */
export class Pool {
  readonly terms: Term[] = [];
  readonly g: Generator;
  readonly shape: readonly number[];
  /** How many more inputs may be made. */
  private inputsLeft: number;

  constructor(g: Generator, shape: readonly number[], inputs: number, given: readonly Term[] = []) {
    this.g = g;
    this.shape = shape;
    this.inputsLeft = inputs;
    this.terms.push(...given);
  }

  /** Any term of that type: one there is, or a new leaf. */
  of(type: Compute): Term {
    const found = this.terms.filter(({ expr }) => expr.dtype === type);
    // The newest half of the time, so that expressions nest.
    if (found.length > 0 && this.g.chance(0.8)) return this.g.chance(0.5) ? (found.at(-1) as Term) : this.g.pick(found);
    return this.keep(this.leaf(type));
  }

  exact(): Term {
    const found = this.terms.filter((term) => term.expr.dtype === 'float32' && isExact(term));
    if (found.length > 0 && this.g.chance(0.75)) return this.g.pick(found);
    if (this.inputsLeft > 0) {
      this.inputsLeft--;
      return this.keep(this.g.load(this.shape, 'float32', true));
    }
    return this.keep(this.g.uniform('float32'));
  }

  private leaf(type: Compute): Term {
    const { g } = this;
    if (this.inputsLeft > 0 && g.chance(0.75)) {
      this.inputsLeft--;
      return g.load(this.shape, type);
    }
    if (g.chance(0.3)) return g.uniform(type);
    if (type === 'int32' && this.shape.length > 0) {
      const axis = g.below(this.shape.length);
      return { expr: e.index(axis), low: 0, high: this.shape[axis] as number, fraction: 0 };
    }
    const value = type === 'float32' ? g.between(-16, 16) / 4 : type === 'int32' ? g.between(-9, 9) : g.below(2);
    return { expr: e.constant(value, type), low: value, high: value, fraction: 2 };
  }

  private keep(term: Term): Term {
    this.terms.push(term);
    return term;
  }

  /** Grows by `count` functions of what there is, and gives the last of them. */
  grow(count: number): Term {
    let last = this.of(this.g.pick(['float32', 'float32', 'int32']));
    for (let i = 0; i < count; i++) {
      const made = this.make();
      if (made) last = this.keep(made);
    }
    return last;
  }

  clamp(x: Term, low: number, high: number): Term {
    if (x.low >= low && x.high <= high) return x;
    const expr = e.apply('min', [
      e.apply('max', [x.expr, e.constant(Math.fround(low))]),
      e.constant(Math.fround(high)),
    ]);
    const exact = Number.isInteger(low) && Number.isInteger(high);
    return { expr, low: Math.max(low, x.low), high: Math.min(high, x.high), fraction: exact ? x.fraction : Infinity };
  }

  private make(): Term | null {
    const fn = this.g.pick(names);
    const made = makers[fn](this, this.g);
    if (made && made.expr.dtype === 'float32' && Math.max(-made.low, made.high) > 1000)
      return this.clamp(made, -100, 100);
    return made;
  }
}

export const rounded = (expr: Expr, low: number, high: number): Term => ({ expr, low, high, fraction: Infinity });

/** A float function of one argument, safe on [low, high]. */
const smooth = (pool: Pool, fn: ExprOp, [low, high]: [number, number], [from, to]: [number, number]): Term =>
  rounded(e.apply(fn, [pool.clamp(pool.of('float32'), low, high).expr]), from, to);

function step(pool: Pool, fn: ExprOp): Term {
  const x = pool.exact();
  return { expr: e.apply(fn, [x.expr]), low: Math.floor(x.low), high: Math.ceil(x.high), fraction: 0 };
}

/** A function of two int32. */
const ints = (pool: Pool, fn: ExprOp): Term => ({
  expr: e.apply(fn, [pool.of('int32').expr, pool.of('int32').expr]),
  ...int,
});

/** Of two floats or, a third of the time, two int32. */
function either(pool: Pool, fn: ExprOp, floats: (a: Term, b: Term) => Omit<Term, 'expr'>): Term {
  if (pool.g.chance(0.33)) return ints(pool, fn);
  const [a, b] = [pool.of('float32'), pool.of('float32')];
  return { expr: e.apply(fn, [a.expr, b.expr]), ...floats(a, b) };
}

function shift(pool: Pool, fn: ExprOp): Term {
  const places = e.apply('and', [pool.of('int32').expr, e.constant(31, 'int32')]);
  return { expr: e.apply(fn, [pool.of('int32').expr, places]), ...int };
}

function compare(pool: Pool, fn: ExprOp): Term {
  const [a, b] = pool.g.chance(0.5) ? [pool.exact(), pool.exact()] : [pool.of('int32'), pool.of('int32')];
  return { expr: e.apply(fn, [a.expr, b.expr]), ...flag };
}

function logic(pool: Pool, fn: ExprOp): Term {
  if (pool.g.chance(0.5)) return ints(pool, fn);
  return { expr: e.apply(fn, [pool.of('bool').expr, pool.of('bool').expr]), ...flag };
}

export const product = (a: Term, b: Term): Omit<Term, 'expr'> => {
  const corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
  return { low: Math.min(...corners), high: Math.max(...corners), fraction: a.fraction + b.fraction };
};
const widest = (a: Term, b: Term): Omit<Term, 'expr'> => ({
  low: Math.min(a.low, b.low),
  high: Math.max(a.high, b.high),
  fraction: Math.max(a.fraction, b.fraction),
});
/** |x| + c of a float, to divide by. */
const away = (x: Term, c: number): Expr => e.add(e.apply('abs', [x.expr]), e.constant(c));

/** One way to make a term for each function: its arguments in a range where rounding is harmless. */
const makers: Record<ExprOp, (pool: Pool, g: Generator) => Term | null> = {
  neg: (pool, g) => {
    if (g.chance(0.33)) return { expr: e.apply('neg', [pool.of('int32').expr]), ...int };
    const x = pool.of('float32');
    return { expr: e.apply('neg', [x.expr]), low: -x.high, high: -x.low, fraction: x.fraction };
  },
  abs: (pool, g) => {
    if (g.chance(0.33)) return { expr: e.apply('abs', [pool.of('int32').expr]), ...int };
    const x = pool.of('float32');
    return { expr: e.apply('abs', [x.expr]), low: 0, high: Math.max(-x.low, x.high), fraction: x.fraction };
  },
  sign: (pool, g) => {
    const x = g.chance(0.33) ? pool.of('int32') : pool.exact();
    return { expr: e.apply('sign', [x.expr]), low: -1, high: 1, fraction: 0 };
  },
  exp: (pool) => smooth(pool, 'exp', [-10, 5], [0, 150]),
  expm1: (pool) => smooth(pool, 'expm1', [-10, 5], [-1, 150]),
  log: (pool) => smooth(pool, 'log', [0.125, 100], [-3, 5]),
  log1p: (pool) => smooth(pool, 'log1p', [-0.75, 100], [-2, 5]),
  sqrt: (pool) => smooth(pool, 'sqrt', [0.0625, 100], [0, 10]),
  sin: (pool) => smooth(pool, 'sin', [-20, 20], [-1, 1]),
  cos: (pool) => smooth(pool, 'cos', [-20, 20], [-1, 1]),
  tan: (pool) => smooth(pool, 'tan', [-1.25, 1.25], [-4, 4]),
  asin: (pool) => smooth(pool, 'asin', [-0.875, 0.875], [-1.5, 1.5]),
  acos: (pool) => smooth(pool, 'acos', [-0.875, 0.875], [0, 3]),
  atan: (pool) => smooth(pool, 'atan', [-100, 100], [-2, 2]),
  sinh: (pool) => smooth(pool, 'sinh', [-4, 4], [-30, 30]),
  cosh: (pool) => smooth(pool, 'cosh', [-4, 4], [1, 30]),
  tanh: (pool) => smooth(pool, 'tanh', [-20, 20], [-1, 1]),
  asinh: (pool) => smooth(pool, 'asinh', [-100, 100], [-6, 6]),
  acosh: (pool) => smooth(pool, 'acosh', [1.25, 100], [0, 6]),
  atanh: (pool) => smooth(pool, 'atanh', [-0.875, 0.875], [-2, 2]),
  erf: (pool) => smooth(pool, 'erf', [-6, 6], [-1, 1]),
  erfinv: (pool) => smooth(pool, 'erfinv', [-0.9375, 0.9375], [-2, 2]),
  floor: (pool) => step(pool, 'floor'),
  ceil: (pool) => step(pool, 'ceil'),
  round: (pool) => step(pool, 'round'),
  trunc: (pool) => step(pool, 'trunc'),
  isNan: (pool) => ({ expr: e.apply('isNan', [pool.of('float32').expr]), ...flag }),
  add: (pool) => either(pool, 'add', (a, b) => ({ ...widest(a, b), low: a.low + b.low, high: a.high + b.high })),
  sub: (pool) => either(pool, 'sub', (a, b) => ({ ...widest(a, b), low: a.low - b.high, high: a.high - b.low })),
  mul: (pool) => either(pool, 'mul', product),
  div: (pool, g) => {
    if (g.chance(0.33)) return ints(pool, 'div');
    const [a, b] = [pool.of('float32'), pool.of('float32')];
    const most = Math.max(-a.low, a.high) * 2;
    return rounded(e.div(a.expr, away(b, 0.5)), -most, most);
  },
  mod: (pool, g) => {
    if (g.chance(0.5)) return ints(pool, 'mod');
    const x = pool.exact();
    const by = g.pick([-3, -0.75, 0.5, 1, 2.5]);
    const expr = e.apply('mod', [x.expr, e.constant(by)]);
    return { expr, low: Math.min(by, 0), high: Math.max(by, 0), fraction: Math.max(x.fraction, 2) };
  },
  pow: (pool, g) => {
    if (g.chance(0.3)) {
      // Any base to a small whole power, as x² is written.
      const expr = e.apply('pow', [pool.clamp(pool.of('float32'), -4, 4).expr, e.constant(g.pick([0, 1, 2, 3]))]);
      return rounded(expr, -64, 64);
    }
    const base = pool.clamp(pool.of('float32'), 0.25, 5);
    return rounded(e.apply('pow', [base.expr, pool.clamp(pool.of('float32'), -3, 3).expr]), 0, 125);
  },
  atan2: (pool) => rounded(e.apply('atan2', [pool.of('float32').expr, away(pool.of('float32'), 0.25)]), -2, 2),
  min: (pool) => either(pool, 'min', widest),
  max: (pool) => either(pool, 'max', widest),
  and: (pool) => logic(pool, 'and'),
  or: (pool) => logic(pool, 'or'),
  xor: (pool) => logic(pool, 'xor'),
  shl: (pool) => shift(pool, 'shl'),
  shr: (pool) => shift(pool, 'shr'),
  shru: (pool) => shift(pool, 'shru'),
  eq: (pool) => compare(pool, 'eq'),
  ne: (pool) => compare(pool, 'ne'),
  lt: (pool) => compare(pool, 'lt'),
  le: (pool) => compare(pool, 'le'),
  gt: (pool) => compare(pool, 'gt'),
  ge: (pool) => compare(pool, 'ge'),
  select: (pool, g) => {
    const type = g.pick<Compute>(['float32', 'int32', 'bool']);
    const [a, b] = [pool.of(type), pool.of(type)];
    return { expr: e.select(pool.of('bool').expr, a.expr, b.expr), ...widest(a, b) };
  },
  cast: (pool, g) => {
    const to = g.pick<Compute>(['float32', 'int32', 'bool']);
    const x =
      to === 'float32'
        ? pool.of(g.pick(['int32', 'bool']))
        : g.chance(0.5)
          ? pool.exact()
          : pool.of(to === 'int32' ? 'bool' : 'int32');
    if (to === 'bool') return { expr: e.cast(x.expr, to), ...flag };
    if (to === 'int32') return { expr: e.cast(x.expr, to), ...int };
    const small = isExact(x);
    return { expr: e.cast(x.expr, to), low: x.low, high: x.high, fraction: small ? 0 : Infinity };
  },
  bits: (pool, g) => {
    if (g.chance(0.5)) {
      // [1, 2): the exponent of 1 under any 23 bits.
      const low = e.apply('and', [pool.of('int32').expr, e.constant(0x7fffff, 'int32')]);
      return rounded(e.apply('bits', [e.apply('or', [low, e.constant(0x3f800000, 'int32')])], 'float32'), 1, 2);
    }
    if (g.special) return null; // a NaN has many patterns
    return { expr: e.apply('bits', [e.add(pool.exact().expr, e.constant(100))], 'int32'), ...int };
  },
  philox: (pool) => {
    const args = [0, 1, 2, 3].map(() => pool.of('int32').expr);
    return { expr: e.apply('philox', args), ...int };
  },
};
const names = /* @__PURE__ */ Object.keys(makers) as ExprOp[];
