/**
 * Random kernels of every kind. Steps and comparisons see exact values only, so that rounding cannot flip them: a float knows
 * how many bits it has behind the point (`fraction`), Infinity once a result was rounded. Everything else knows its range, and
 * is clamped into what the next function bears.
 */
import {
  type Accumulate,
  type Combine,
  type Compute,
  type ConvSizes,
  contiguous,
  type DType,
  type Expr,
  type ExprOp,
  expr as e,
  type Kernel,
  type Load,
  type MapPart,
  type Operand,
  type PoolSizes,
  type RowStore,
  rowMajor,
  type Store,
  sizeOf,
  type TypedArray,
  type View,
} from '@tessera/tensor/backend';
import type { KernelCase } from './kernels';

/** mulberry32: a small generator with a good spread, so that a seed names a kernel for good. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 0x9e3779b9) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let z = Math.imul(state ^ (state >>> 15), 1 | state);
    z = (z + Math.imul(z ^ (z >>> 7), 61 | z)) ^ z;
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An expression with what is known of its values. */
interface Term {
  readonly expr: Expr;
  readonly low: number;
  readonly high: number;
  /** Bits behind the binary point of an exact value; Infinity after rounding. */
  readonly fraction: number;
}

const int = { low: -0x80000000, high: 0x7fffffff, fraction: 0 };
const flag = { low: 0, high: 1, fraction: 0 };
const isExact = ({ low, high, fraction }: Term) => Math.max(-low, high) * 2 ** fraction < 2 ** 22;

/** What fills a float input: multiples of 1/4, any numbers, or multiples of 1/4 among NaN, ±∞ and −0. */
type Filling = 'grid' | 'any' | 'special';

const sizes = [1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31];
const most = 1500;

class Generator {
  readonly inputs: Operand[] = [];
  readonly data: TypedArray[] = [];
  readonly outputs: Operand[] = [];
  readonly aliases: number[] = [];
  readonly uniformTypes: Compute[] = [];
  readonly uniforms: number[] = [];
  /** Inputs that are read in one way only, and so may be written in place. */
  private readonly lone = new Map<number, Load>();
  /** Do float inputs hold NaN, ±∞ and −0? */
  special: boolean;
  private readonly half: boolean;
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomNumbers(seed);
    this.special = this.chance(0.15);
    this.half = this.chance(0.15);
  }

  chance(p: number): boolean {
    return this.random() < p;
  }
  below(n: number): number {
    return Math.floor(this.random() * n);
  }
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  shape(leastRank = 0, mostRank = 4, allowEmpty = true): number[] {
    const shape = Array.from({ length: this.between(leastRank, mostRank) }, () => this.pick(sizes));
    while (sizeOf(shape) > most) shape[this.below(shape.length)] = this.pick([1, 2, 3]);
    if (allowEmpty && shape.length > 0 && this.chance(0.05)) shape[this.below(shape.length)] = 0;
    return shape;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(this.below(left.length), 1)[0] as T);
  }

  /** A view of a shape onto a buffer of the size it tells. Stores must not repeat or skip elements. */
  view(shape: readonly number[], forStore: boolean): { view: View; size: number } {
    if (this.chance(0.5)) return { view: contiguous(shape), size: sizeOf(shape) };
    const order = this.chance(0.5) ? this.shuffle(shape.map((_, axis) => axis)) : shape.map((_, axis) => axis);
    const steps = shape.map(() => (this.chance(0.15) ? 2 : 1) * (this.chance(0.2) ? -1 : 1));
    const repeated = shape.map(() => !forStore && this.chance(0.15));
    const padded = !forStore && this.chance(0.3);
    const valid = shape.map((size): [number, number] => {
      if (!padded || this.chance(0.4)) return [0, size];
      const low = this.below(Math.min(size, 2) + 1);
      return [low, Math.max(low, size - this.below(3))];
    });
    const count = (axis: number) => (valid[axis] as [number, number])[1] - (valid[axis] as [number, number])[0];
    const extents = shape.map((_, axis) =>
      repeated[axis] || count(axis) === 0 ? 1 : (count(axis) - 1) * Math.abs(steps[axis] as number) + 1,
    );
    const inMemory = rowMajor(order.map((axis) => extents[axis] as number));
    const base = this.chance(0.3) ? this.below(4) : 0;
    let offset = base;
    const strides = shape.map((_, axis) => {
      if (repeated[axis]) return 0;
      const step = (steps[axis] as number) * (inMemory[order.indexOf(axis)] as number);
      const [low, high] = valid[axis] as [number, number];
      offset -= step > 0 ? step * low : step * Math.max(high - 1, low);
      return step;
    });
    const view = { shape, strides, offset, valid: padded ? valid : null };
    return { view, size: base + sizeOf(extents) + (this.chance(0.3) ? this.below(5) : 0) };
  }

  /** A new input, filled; what is known of its elements. */
  input(dtype: DType, size: number, filling: Filling): number {
    this.inputs.push({ dtype, size });
    const array =
      dtype === 'int32'
        ? new Int32Array(size)
        : dtype.startsWith('float')
          ? new Float32Array(size)
          : new Uint8Array(size);
    for (let i = 0; i < size; i++) array[i] = this.element(dtype, filling);
    return this.data.push(array) - 1;
  }

  private element(dtype: DType, filling: Filling): number {
    if (dtype === 'bool') return this.below(2);
    if (dtype === 'uint8') return this.below(256);
    if (dtype === 'int32') return this.chance(0.9) ? this.between(-20, 20) : (this.random() * 2 ** 32) | 0;
    if (filling === 'special' && this.chance(0.2)) return this.pick([Number.NaN, Infinity, -Infinity, -0]);
    if (filling === 'any') return Math.fround(this.random() * 6 - 3);
    return this.between(-16, 16) / 4;
  }

  /** A load from a new input at the domain's coordinates. */
  load(shape: readonly number[], type: Compute, exact = false): Term {
    const { view, size } = this.view(shape, false);
    const dtype: DType =
      type === 'int32'
        ? this.pick(['int32', 'uint8'])
        : type === 'bool'
          ? 'bool'
          : this.half && this.chance(0.5)
            ? 'float16'
            : 'float32';
    const filling = this.special ? 'special' : exact || dtype === 'float16' || this.chance(0.5) ? 'grid' : 'any';
    const load: Load = { op: 'load', dtype: type, input: this.input(dtype, size, filling), view, at: null };
    this.lone.set(load.input, load);
    if (type === 'bool') return { expr: load, ...flag };
    if (dtype === 'uint8') return { expr: load, low: 0, high: 255, fraction: 0 };
    if (type === 'int32') return { expr: load, ...int };
    // An unrounded number is exact, but has too many bits for anything exact to be made of it.
    return { expr: load, low: -4, high: 4, fraction: filling === 'any' ? Infinity : 2 };
  }

  /** A load at computed places, some of them outside. */
  gather(pool: Pool): Term {
    const shape = Array.from({ length: this.between(1, 2) }, () => this.between(1, 6));
    const at = shape.map((size) => {
      const wide = e.apply('mod', [pool.of('int32').expr, e.constant(size + 2, 'int32')]);
      return e.sub(wide, e.constant(1, 'int32'));
    });
    const filling = this.special ? 'special' : 'grid';
    const { view, size } = this.view(shape, false);
    const load: Load = { op: 'load', dtype: 'float32', input: this.input('float32', size, filling), view, at };
    return { expr: load, low: -4, high: 4, fraction: 2 };
  }

  uniform(type: Compute): Term {
    const value =
      type === 'float32' ? this.between(-16, 16) / 4 : type === 'int32' ? this.between(-9, 9) : this.below(2);
    const index = this.uniformTypes.push(type) - 1;
    this.uniforms.push(value);
    return { expr: { op: 'uniform', dtype: type, index }, low: value, high: value, fraction: 2 };
  }

  /** A store of the expression into a new output; now and then in place of an input. */
  store(shape: readonly number[], expr: Expr, used: ReadonlySet<Expr>): Store {
    const home = [...this.lone].find(([input, load]) => this.fitsInPlace(input, load, shape, expr, used));
    if (home && this.chance(0.5)) {
      const [input, load] = home;
      this.outputs.push(this.inputs[input] as Operand);
      this.aliases.push(input);
      return { output: this.outputs.length - 1, view: load.view, expr };
    }
    const { view, size } = this.view(shape, true);
    const dtype: DType =
      expr.dtype === 'int32' && this.chance(0.2)
        ? 'uint8'
        : expr.dtype === 'float32' && this.half && this.chance(0.5)
          ? 'float16'
          : expr.dtype;
    this.outputs.push({ dtype, size });
    this.aliases.push(-1);
    return { output: this.outputs.length - 1, view, expr };
  }

  private fitsInPlace(
    input: number,
    { view }: Load,
    shape: readonly number[],
    expr: Expr,
    used: ReadonlySet<Expr>,
  ): boolean {
    const { dtype } = this.inputs[input] as Operand;
    const oneToOne = !view.valid && view.strides.every((stride, axis) => stride !== 0 || view.shape[axis] === 1);
    const sameShape = view.shape.length === shape.length && view.shape.every((size, axis) => size === shape[axis]);
    const read = [...used].some((node) => node.op === 'load' && node.input === input);
    return dtype === expr.dtype && oneToOne && sameShape && read && !this.aliases.includes(input);
  }

  /** The parts that every kernel has. */
  base() {
    return { inputs: this.inputs, outputs: this.outputs, aliases: this.aliases, uniforms: this.uniformTypes };
  }
}

/** The terms over one domain: grows by what is made, so that expressions share nodes. */
class Pool {
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

const rounded = (expr: Expr, low: number, high: number): Term => ({ expr, low, high, fraction: Infinity });

/** A float function of one argument, safe on [low, high]. */
const smooth =
  (fn: ExprOp, low: number, high: number, from: number, to: number) =>
  (pool: Pool): Term =>
    rounded(e.apply(fn, [pool.clamp(pool.of('float32'), low, high).expr]), from, to);

const step =
  (fn: ExprOp) =>
  (pool: Pool): Term => {
    const x = pool.exact();
    return { expr: e.apply(fn, [x.expr]), low: Math.floor(x.low), high: Math.ceil(x.high), fraction: 0 };
  };

/** Functions of two int32. */
const ints =
  (fn: ExprOp) =>
  (pool: Pool): Term => ({ expr: e.apply(fn, [pool.of('int32').expr, pool.of('int32').expr]), ...int });

/** Of two floats or, a third of the time, two int32. */
const either =
  (fn: ExprOp, floats: (a: Term, b: Term) => Omit<Term, 'expr'>) =>
  (pool: Pool, g: Generator): Term => {
    if (g.chance(0.33)) return ints(fn)(pool);
    const [a, b] = [pool.of('float32'), pool.of('float32')];
    return { expr: e.apply(fn, [a.expr, b.expr]), ...floats(a, b) };
  };

const shift =
  (fn: ExprOp) =>
  (pool: Pool): Term => {
    const places = e.apply('and', [pool.of('int32').expr, e.constant(31, 'int32')]);
    return { expr: e.apply(fn, [pool.of('int32').expr, places]), ...int };
  };

const compare =
  (fn: ExprOp) =>
  (pool: Pool, g: Generator): Term => {
    const [a, b] = g.chance(0.5) ? [pool.exact(), pool.exact()] : [pool.of('int32'), pool.of('int32')];
    return { expr: e.apply(fn, [a.expr, b.expr]), ...flag };
  };

const logic =
  (fn: ExprOp) =>
  (pool: Pool, g: Generator): Term => {
    if (g.chance(0.5)) return ints(fn)(pool);
    return { expr: e.apply(fn, [pool.of('bool').expr, pool.of('bool').expr]), ...flag };
  };

const product = (a: Term, b: Term): Omit<Term, 'expr'> => {
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
  exp: smooth('exp', -10, 5, 0, 150),
  expm1: smooth('expm1', -10, 5, -1, 150),
  log: smooth('log', 0.125, 100, -3, 5),
  log1p: smooth('log1p', -0.75, 100, -2, 5),
  sqrt: smooth('sqrt', 0.0625, 100, 0, 10),
  sin: smooth('sin', -20, 20, -1, 1),
  cos: smooth('cos', -20, 20, -1, 1),
  tan: smooth('tan', -1.25, 1.25, -4, 4),
  asin: smooth('asin', -0.875, 0.875, -1.5, 1.5),
  acos: smooth('acos', -0.875, 0.875, 0, 3),
  atan: smooth('atan', -100, 100, -2, 2),
  sinh: smooth('sinh', -4, 4, -30, 30),
  cosh: smooth('cosh', -4, 4, 1, 30),
  tanh: smooth('tanh', -20, 20, -1, 1),
  asinh: smooth('asinh', -100, 100, -6, 6),
  acosh: smooth('acosh', 1.25, 100, 0, 6),
  atanh: smooth('atanh', -0.875, 0.875, -2, 2),
  erf: smooth('erf', -6, 6, -1, 1),
  erfinv: smooth('erfinv', -0.9375, 0.9375, -2, 2),
  floor: step('floor'),
  ceil: step('ceil'),
  round: step('round'),
  trunc: step('trunc'),
  isNan: (pool) => ({ expr: e.apply('isNan', [pool.of('float32').expr]), ...flag }),
  add: either('add', (a, b) => ({ ...widest(a, b), low: a.low + b.low, high: a.high + b.high })),
  sub: either('sub', (a, b) => ({ ...widest(a, b), low: a.low - b.high, high: a.high - b.low })),
  mul: either('mul', product),
  div: (pool, g) => {
    if (g.chance(0.33)) return ints('div')(pool);
    const [a, b] = [pool.of('float32'), pool.of('float32')];
    const most = Math.max(-a.low, a.high) * 2;
    return rounded(e.div(a.expr, away(b, 0.5)), -most, most);
  },
  mod: (pool, g) => {
    if (g.chance(0.5)) return ints('mod')(pool);
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
  min: either('min', widest),
  max: either('max', widest),
  and: logic('and'),
  or: logic('or'),
  xor: logic('xor'),
  shl: shift('shl'),
  shr: shift('shr'),
  shru: shift('shru'),
  eq: compare('eq'),
  ne: compare('ne'),
  lt: compare('lt'),
  le: compare('le'),
  gt: compare('gt'),
  ge: compare('ge'),
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
const names = Object.keys(makers) as ExprOp[];

/** All nodes of expressions. */
function nodes(exprs: readonly Expr[], seen = new Set<Expr>()): Set<Expr> {
  for (const expr of exprs) {
    if (seen.has(expr)) continue;
    seen.add(expr);
    if (expr.op === 'apply') nodes(expr.args, seen);
    if (expr.op === 'load' && expr.at) nodes(expr.at, seen);
  }
  return seen;
}

/** One to three stores over a shape, of terms grown from what is given. */
function epilogue(g: Generator, shape: readonly number[], given: readonly Term[], inputs = 1): Store[] {
  const pool = new Pool(g, shape, inputs, given);
  const terms = g.chance(0.25)
    ? given.slice(0, 2)
    : Array.from({ length: g.between(1, 2) }, () => pool.grow(g.below(6)));
  return stores(g, shape, [...terms, ...(g.chance(0.5) ? given.slice(0, 1) : [])]);
}

function stores(g: Generator, shape: readonly number[], terms: readonly Term[]): Store[] {
  const unique = [...new Set(terms.map(({ expr }) => expr))];
  const used = nodes(unique);
  return unique.map((expr) => g.store(shape, expr, used));
}

/** The accumulator of a sum of `terms` values like `term`. */
const sumOf = (index: number, term: Term, terms: number): Term => {
  const [low, high] = [Math.min(0, term.low * terms), Math.max(0, term.high * terms)];
  if (term.expr.dtype === 'int32') return { expr: e.acc(index, 'int32'), ...int };
  const exact = isExact({ ...term, low, high });
  return { expr: e.acc(index), low, high, fraction: exact ? term.fraction : Infinity };
};

/** An operand of a product: a plain load, or an expression. Products of special values would meet zeros that pad tiles. */
function operand(g: Generator, shape: readonly number[], plain: boolean): Term {
  if (plain) return g.load(shape, 'float32');
  const pool = new Pool(g, shape, 2);
  const grown = pool.grow(g.between(1, 4));
  const float = grown.expr.dtype === 'float32' ? grown : pool.of('float32');
  return pool.clamp(float, -8, 8);
}

const generators: Record<Kernel['kind'], (g: Generator) => Kernel> = {
  map(g) {
    const parts = Array.from({ length: g.chance(0.2) ? g.between(2, 3) : 1 }, (_, i): MapPart => {
      const shape = g.shape();
      const pool = new Pool(g, shape, i === 0 ? 3 : 1);
      if (g.chance(0.3)) pool.terms.push(g.gather(pool));
      const terms = Array.from({ length: i === 0 ? g.between(1, 3) : 1 }, () => pool.grow(g.between(0, 10)));
      return { shape, stores: stores(g, shape, terms) };
    });
    return { kind: 'map', parts, ...g.base() };
  },

  reduce(g) {
    const shape = g.shape(1, 4);
    const all = shape.map((_, axis) => axis);
    const axes = g
      .shuffle(all)
      .slice(0, g.between(1, all.length))
      .sort((a, b) => a - b);
    const terms = axes.reduce((size, axis) => size * (shape[axis] as number), 1);
    const known: Term[] = [];
    const stages = Array.from({ length: g.between(1, 3) }, (_, stage) => {
      const before = [...known];
      return Array.from({ length: g.between(1, 2) }, (): Accumulate => {
        const pool = new Pool(g, shape, stage === 0 ? 1 : 0, before);
        let term = pool.grow(g.below(5));
        while (term.expr.dtype === 'bool') term = pool.of(g.pick(['float32', 'int32']));
        const index = known.length;
        const type = term.expr.dtype;
        const combine = g.pick<Combine>(
          terms === 0 ? ['sum', 'prod', 'max'] : ['sum', 'sum', 'prod', 'max', 'min', 'argmax', 'argmin'],
        );
        if (combine === 'argmax' || combine === 'argmin') {
          const exact = type === 'int32' ? term : pool.exact();
          known.push({ expr: e.acc(index, 'int32'), low: 0, high: terms, fraction: 0 });
          return { combine, expr: exact.expr, dtype: 'int32' };
        }
        if (combine === 'sum') known.push(sumOf(index, term, terms));
        else if (type === 'int32') known.push({ expr: e.acc(index, 'int32'), ...int });
        else if (combine === 'prod') {
          // Factors near 1, so that the product stays in range.
          const near = e.mul(pool.clamp(term, -1, 1).expr, e.constant(Math.fround(0.5 / Math.max(1, terms))));
          known.push(rounded(e.acc(index), 0.5, 2));
          return { combine, expr: e.add(near, e.constant(1)), dtype: type };
        } else known.push({ ...term, expr: e.acc(index) });
        return { combine, expr: term.expr, dtype: type };
      });
    });
    // Of an empty row max is −∞, which has no range: such rows are stored as they are.
    const empty = sizeOf(shape) === 0;
    const rowShape = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const make = (per: RowStore['per']): RowStore[] => {
      const over = per === 'row' ? rowShape : shape;
      const list = empty ? stores(g, over, known.slice(-1)) : epilogue(g, over, known);
      return list.map((store) => ({ ...store, per }));
    };
    const perRow = g.chance(0.7) ? make('row') : [];
    const perElement = perRow.length === 0 || g.chance(0.4) ? make('element') : [];
    return { kind: 'reduce', shape, axes, stages, stores: [...perRow, ...perElement], ...g.base() };
  },

  matmul(g) {
    const batch = Array.from({ length: g.pick([0, 0, 1, 2]) }, () => g.between(1, 3));
    const [m, n, k] = [g.pick(sizes), g.pick(sizes), g.chance(0.05) ? 0 : g.pick([...sizes, 33, 64])];
    const [a, b] = [operand(g, [...batch, m, k], g.chance(0.6)), operand(g, [...batch, k, n], g.chance(0.6))];
    const acc = sumOf(0, { expr: a.expr, ...product(a, b) }, k);
    return {
      kind: 'matmul',
      batch,
      m,
      n,
      k,
      a: a.expr,
      b: b.expr,
      stores: epilogue(g, [...batch, m, n], [acc]),
      ...g.base(),
    };
  },

  conv(g) {
    g.special = false; // 0 · ∞: whether zero padding is multiplied or left out is the backend's affair
    const rank = g.between(1, 3);
    const axes = Array.from({ length: rank }, () => {
      const [kernel, stride, dilation, padding] = [g.between(1, 3), g.between(1, 3), g.between(1, 2), g.below(3)];
      const input = g.between(dilation * (kernel - 1) + 1, [20, 9, 5][rank - 1] as number);
      // Zeros behind: from none to two, or fewer outputs than would fit.
      const fits = Math.floor((input + padding + g.below(3) - dilation * (kernel - 1) - 1) / stride) + 1;
      return { kernel, stride, dilation, padding, input, output: g.chance(0.8) ? fits : Math.max(1, fits - 1) };
    });
    const groups = g.pick([1, 1, 1, 2, 3]);
    const sizes: ConvSizes = {
      n: g.between(1, 2),
      c: groups * g.between(1, 4),
      o: groups * g.between(1, 4),
      groups,
      input: axes.map((axis) => axis.input),
      kernel: axes.map((axis) => axis.kernel),
      output: axes.map((axis) => axis.output),
      stride: axes.map((axis) => axis.stride),
      dilation: axes.map((axis) => axis.dilation),
      padding: axes.map((axis) => axis.padding),
    };
    const direction = g.pick(['forward', 'inputGrad', 'weightGrad'] as const);
    const x = [sizes.n, sizes.c, ...sizes.input];
    const w = [sizes.o, sizes.c / groups, ...sizes.kernel];
    const y = [sizes.n, sizes.o, ...sizes.output];
    const [shapeA, shapeB, shape] = ({ forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] } as const)[
      direction
    ];
    const [a, b] = [operand(g, shapeA, g.chance(0.6)), operand(g, shapeB, g.chance(0.6))];
    const acc = sumOf(0, { expr: a.expr, ...product(a, b) }, sizeOf(shapeA));
    return { kind: 'conv', direction, sizes, a: a.expr, b: b.expr, stores: epilogue(g, shape, [acc]), ...g.base() };
  },

  pool(g) {
    const rank = g.between(1, 3);
    const axes = Array.from({ length: rank }, () => {
      for (;;) {
        const [kernel, stride, dilation] = [g.between(1, 3), g.between(1, 3), g.between(1, 2)];
        const [padding, input] = [g.below(kernel), g.between(1, [20, 9, 5][rank - 1] as number)];
        const output = Math.floor((input + padding + g.below(kernel) - dilation * (kernel - 1) - 1) / stride) + 1;
        const inside = (p: number, r: number) =>
          p * stride + r * dilation - padding >= 0 && p * stride + r * dilation - padding < input;
        const taken = (p: number) => Array.from({ length: kernel }, (_, r) => r).filter((r) => inside(p, r));
        // Every window holds an element: the largest of none has no place.
        if (output < 1 || Array.from({ length: output }, (_, p) => p).some((p) => taken(p).length === 0)) continue;
        return { kernel, stride, dilation, padding, input, output, taken };
      }
    });
    const sizes: PoolSizes = {
      batch: g.between(1, 4),
      input: axes.map((axis) => axis.input),
      kernel: axes.map((axis) => axis.kernel),
      output: axes.map((axis) => axis.output),
      stride: axes.map((axis) => axis.stride),
      dilation: axes.map((axis) => axis.dilation),
      padding: axes.map((axis) => axis.padding),
    };
    const [direction, combine] = [g.pick(['forward', 'backward'] as const), g.pick(['max', 'sum'] as const)];
    const [inputShape, outputShape] = [
      [sizes.batch, ...sizes.input],
      [sizes.batch, ...sizes.output],
    ];
    const forward = direction === 'forward';
    const domain = new Pool(g, forward ? inputShape : outputShape, 2);
    const grown = domain.grow(g.below(3));
    const a =
      combine === 'max' && forward ? domain.exact() : grown.expr.dtype === 'float32' ? grown : domain.of('float32');
    let b: Expr | null = null;
    if (!forward && combine === 'max') {
      const input = g.input('int32', sizeOf(outputShape), 'grid');
      const places = g.data[input] as TypedArray;
      const outputStrides = rowMajor(sizes.output);
      const inputStrides = rowMajor(sizes.input);
      for (let i = 0; i < places.length; i++) {
        places[i] = axes.reduce((place, { taken, stride, dilation, padding, output }, axis) => {
          const p = Math.floor(i / (outputStrides[axis] as number)) % output;
          return place + (p * stride + g.pick(taken(p)) * dilation - padding) * (inputStrides[axis] as number);
        }, 0);
      }
      b = { op: 'load', dtype: 'int32', input, view: contiguous(outputShape), at: null };
    }
    const sum = sumOf(0, a, sizeOf(sizes.kernel));
    const given: Term[] =
      forward && combine === 'max'
        ? [
            { ...a, expr: e.acc(0) },
            { expr: e.acc(1, 'int32'), low: 0, high: sizeOf(sizes.input), fraction: 0 },
          ]
        : [sum];
    const list = epilogue(g, forward ? outputShape : inputShape, given);
    return { kind: 'pool', direction, combine, sizes, a: a.expr, b, stores: list, ...g.base() };
  },

  scatter(g) {
    const [shape, updates] = [g.shape(1, 3), g.shape(0, 3)];
    const type = g.pick<Compute>(['float32', 'float32', 'int32']);
    const combine = g.pick(['assign', 'add', 'mul', 'max', 'min'] as const);
    const over = new Pool(g, updates, 2);
    const at = shape.map((size) => {
      const wide = e.apply('mod', [over.of('int32').expr, e.constant(size + 2, 'int32')]);
      return e.sub(wide, e.constant(1, 'int32'));
    });
    over.grow(g.below(3));
    const from = new Pool(g, shape, 1);
    const init = type === 'float32' && combine === 'mul' ? from.exact() : from.of(type);
    // Powers of two multiply exactly, and cancel on the way.
    const powers = e.select(
      over.of('bool').expr,
      e.constant(-2),
      e.select(over.of('bool').expr, e.constant(0.5), e.constant(1)),
    );
    const value = type === 'float32' && combine === 'mul' ? rounded(powers, -2, 1) : over.of(type);
    // How far a long product runs is not known, so only its clamp goes on.
    const acc = type === 'int32' ? { expr: e.acc(0, 'int32'), ...int } : rounded(e.acc(0), -1e4, 1e4);
    const list = combine === 'mul' ? stores(g, shape, [acc]) : epilogue(g, shape, [acc]);
    return {
      kind: 'scatter',
      shape,
      updates,
      combine,
      init: init.expr,
      at,
      value: value.expr,
      stores: list,
      ...g.base(),
    };
  },

  sort(g) {
    const shape = g.shape(1, 3);
    const axis = g.below(shape.length);
    const size = shape[axis] as number;
    const k = g.chance(0.5) ? size : g.between(Math.min(1, size), size);
    const pool = new Pool(g, shape, 2);
    pool.grow(g.below(3));
    const a = g.chance(0.6) ? pool.exact() : pool.of('int32');
    const kept = shape.map((length, i) => (i === axis ? k : length));
    const place: Term = { expr: e.acc(1, 'int32'), low: 0, high: size, fraction: 0 };
    const list = epilogue(g, kept, [{ ...a, expr: e.acc(0, a.expr.dtype) }, place]);
    return { kind: 'sort', shape, axis, descending: g.chance(0.5), k, a: a.expr, stores: list, ...g.base() };
  },

  scan(g) {
    const shape = g.shape(1, 3);
    const axis = g.below(shape.length);
    const size = shape[axis] as number;
    const pool = new Pool(g, shape, 2);
    pool.grow(g.below(3));
    const combine = g.pick(['sum', 'prod', 'max', 'min'] as const);
    const whole = g.chance(0.3);
    const place: Term = { expr: e.acc(1, 'int32'), low: 0, high: size, fraction: 0 };
    let [a, given]: [Term, Term[]] = [pool.of('int32'), [{ expr: e.acc(0, 'int32'), ...int }, place]];
    if (!whole && combine === 'sum') {
      a = pool.of('float32');
      given = [sumOf(0, a, size)];
    } else if (!whole && combine === 'prod') {
      const near = e.mul(pool.clamp(pool.exact(), -1, 1).expr, e.constant(Math.fround(0.5 / Math.max(1, size))));
      a = rounded(e.add(near, e.constant(1)), 0.5, 1.5);
      given = [rounded(e.acc(0), 0.5, 2)];
    } else if (!whole) {
      a = pool.exact();
      given = [{ ...a, expr: e.acc(0) }, place];
    }
    if (whole && (combine === 'sum' || combine === 'prod')) given = given.slice(0, 1);
    const list = epilogue(g, shape, given);
    return { kind: 'scan', shape, axis, combine, reverse: g.chance(0.5), a: a.expr, stores: list, ...g.base() };
  },
};
const kinds = Object.keys(generators) as Kernel['kind'][];

/** The kernel that a seed names, with inputs; kinds take turns. */
export function randomKernel(seed: number): KernelCase {
  const g = new Generator(seed);
  const kind = g.chance(0.25) ? 'map' : (kinds[seed % kinds.length] as Kernel['kind']);
  const kernel = generators[kind](g);
  return { title: `random ${kind} ${seed}`, kernel, inputs: g.data, uniforms: g.uniforms };
}
