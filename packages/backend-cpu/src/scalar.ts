/**
 * Functions of one element, as subroutines of the module that calls them: the rarer functions of floats, computed in
 * float64 and rounded once, and division of integers. Each is made on first use.
 */
import {
  block,
  br,
  brIf,
  type Code,
  type Func,
  f32,
  f64,
  get,
  i32,
  i64,
  type Local,
  type Module,
  repeat,
  select,
  set,
  when,
} from './assembler';
import { lowPage } from './protocol';

const add = f64.add;
const sub = f64.sub;
const mul = f64.mul;
const div = f64.div;
const abs = f64.abs;
const lt = f64.lt;
const gt = f64.gt;
const eq = f64.eq;
const back: Code = [0x0f]; // return
const ret = (value: Code): Code => [value, back];
const bitsOf = (x: Local): Code => [get(x), 0xbd]; // i64.reinterpret_f64
const fromBits = (bits: Code): Code => [bits, 0xbf]; // f64.reinterpret_i64
const number = f64.const;
/** condition ? a : b of floats. */
const choose = (a: Code, b: Code, condition: Code): Code => select(a, b, condition);
const poly = (x: Local, coefficients: readonly number[]): Code =>
  coefficients.slice(1).reduce<Code>((sum, c) => add(mul(sum, x), c), number(coefficients[0] as number));

/** All subroutines of one module. */
export class Subroutines {
  readonly #module: Module;
  readonly #made = new Map<string, Func>();

  constructor(module: Module) {
    this.#module = module;
  }

  get(name: string): Func {
    const known = this.#made.get(name);
    if (known) return known;
    const make = doubles[name] ?? singles[name] ?? integers[name];
    if (!make) throw new Error(`no subroutine ${name}`);
    const type = name in doubles ? 'f64' : name in singles ? 'f32' : 'i32';
    const arity = binary.has(name) ? 2 : 1;
    const f = this.#module.func(new Array(arity).fill(type), [type]);
    this.#made.set(name, f);
    make(f, this);
    return f;
  }
}

const binary = /* @__PURE__ */ new Set(['pow', 'atan2', 'fmod', 'divide', 'modulo', 'shl', 'shr', 'shru']);
const all = /* @__PURE__ */ new WeakMap<Module, Subroutines>();
/** The subroutines of a module; one set, whoever asks. */
export function subroutines(module: Module): Subroutines {
  const known = all.get(module);
  if (known) return known;
  const made = new Subroutines(module);
  all.set(module, made);
  return made;
}

type Make = (f: Func, of: Subroutines) => void;
const param = (f: Func, i = 0): Local => f.params[i] as Local;

// ---- float64 building blocks, good to about 1e-15 ----

const doubles: Record<string, Make> = {
  exp64(f) {
    const x = param(f);
    const [k, r, n, half] = [f.local('f64'), f.local('f64'), f.local('i32'), f.local('i32')];
    const powerOfTwo = (e: Code): Code => fromBits(i64.shl(i64.extend_i32_s(i32.add(e, 1023)), 52));
    f.emit(
      when(f64.ne(x, x), ret(get(x))),
      set(x, f64.max(f64.min(x, 1400), -1400)),
      set(k, f64.nearest(mul(x, Math.LOG2E))),
      set(r, sub(sub(x, mul(k, 0.6931471803691238)), mul(k, 1.9082149292705877e-10))),
      set(n, [get(k), 0xfc, 2]), // i32.trunc_sat_f64_s
      set(half, i32.shr_s(n, 1)),
      mul(mul(poly(r, expSeries()), powerOfTwo(get(half))), powerOfTwo(i32.sub(n, half))),
    );
  },
  log64(f) {
    const x = param(f);
    const [bits, e, t, s, z] = [f.local('i64'), f.local('f64'), f.local('f64'), f.local('f64'), f.local('f64')];
    f.emit(
      when(eq(x, 0), ret(number(-Infinity))),
      when(lt(x, 0), ret(number(Number.NaN))),
      when(i32.eqz(lt(x, Infinity)), ret(get(x))),
      // x = m·2^e with m in [√½, √2); floats widened are never denormal
      set(bits, i64.sub(bitsOf(x), i64.const(0x3fe6a09e667f3bcdn))),
      set(e, f64.convert_i32_s(i32.wrap_i64(i64.shr_s(bits, 52)))),
      set(t, fromBits(i64.add(i64.and(bits, i64.const(0xfffffffffffffn)), i64.const(0x3fe6a09e667f3bcdn)))),
      set(s, div(sub(t, 1), add(t, 1))),
      set(z, mul(s, s)),
      add(add(mul(s, poly(z, logSeries())), mul(e, 1.9082149292705877e-10)), mul(e, 0.6931471803691238)),
    );
  },
  atan64(f) {
    const x = param(f);
    const [t, base, z] = [f.local('f64'), f.local('f64'), f.local('f64')];
    const series = Array.from({ length: 20 }, (_, i) => (i % 2 === 1 ? 1 : -1) / (2 * (19 - i) + 1));
    f.emit(
      set(t, abs(x)),
      when(
        gt(t, 2.414213562373095),
        [set(base, Math.PI / 2), set(t, div(-1, t))],
        [when(gt(t, 0.41421356237309503), [set(base, Math.PI / 4), set(t, div(sub(t, 1), add(t, 1)))])],
      ),
      set(z, mul(t, t)),
      f64.copysign(add(base, mul(t, poly(z, series))), x),
    );
  },
};
/** Coefficients of eˣ near 0, and of ln((1 + s) / (1 − s)) / s in s². */
export const expSeries = (): number[] => Array.from({ length: 14 }, (_, i) => 1 / factorial(13 - i));
export const logSeries = (): number[] => Array.from({ length: 11 }, (_, i) => 2 / (2 * (10 - i) + 1));
const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));

// ---- functions of floats ----

/** A function of one float by a formula in float64. */
const through =
  (formula: (x: Local, call: (name: string, ...args: Code[]) => Code, f: Func) => Code): Make =>
  (f, of) => {
    const x = f.local('f64');
    f.emit(set(x, f64.promote_f32(get(param(f)))));
    f.emit(f32.demote_f64(formula(x, (name, ...args) => of.get(name).call(...args), f)));
  };
const small = (x: Local, bound: number): Code => lt(abs(x), bound);

/** sin or cos of large arguments: x·2/π from a window of the bits of 4/π (as in ARM's optimized routines), in int64. */
const largeWave =
  (turns: number): Make =>
  (f) => {
    const x = param(f);
    const [bits, at, n] = f.locals('i32', 3) as [Local, Local, Local];
    const [m, low, res] = f.locals('i64', 3) as [Local, Local, Local];
    const [r, z] = f.locals('f64', 2) as [Local, Local];
    const word = (offset: number) => i64.extend_i32_u(i32.load(at, lowPage.pio4 + offset));
    const sine = [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800].reverse();
    const cosine = [1, -1 / 2, 1 / 24, -1 / 720, 1 / 40320, -1 / 3628800, 1 / 479001600].reverse();
    f.emit(
      when(i32.eqz(f32.lt(f32.abs(x), Infinity)), ret(f32.const(Number.NaN))),
      set(bits, i32.reinterpret_f32(x)),
      when(
        f32.lt(f32.abs(x), 100),
        [
          set(r, f64.promote_f32(x)),
          set(z, f64.nearest(mul(r, 2 / Math.PI))),
          set(n, [get(z), 0xfc, 2]),
          set(r, sub(sub(r, mul(z, 1.5707963267341256)), mul(z, 6.077100506506192e-11))),
        ],
        [
          set(at, i32.shl(i32.and(i32.shr_u(bits, 26), 15), 2)),
          set(m, i64.extend_i32_u(i32.shl(i32.or(i32.and(bits, 0xffffff), 0x800000), i32.and(i32.shr_u(bits, 23), 7)))),
          set(low, i64.shr_u(i64.mul(m, word(32)), 32)),
          set(res, i64.add(i64.or(low, i64.shl(i64.mul(m, word(0)), 32)), i64.mul(m, word(16)))),
          set(n, i32.wrap_i64(i64.shr_u(i64.add(res, i64.const(1n << 61n)), 62))),
          set(res, i64.sub(res, i64.shl(i64.extend_i32_u(n), 62))),
          set(r, mul([get(res), 0xb9], Math.PI / 2 ** 63)), // f64.convert_i64_s; π/2^63
          // the window is of the magnitude: sin(−x) = −sin(x)
          when(i32.lt_s(bits, 0), [set(r, f64.neg(r)), set(n, i32.sub(0, n))]),
        ],
      ),
      set(n, i32.add(n, turns)),
      set(z, mul(r, r)),
      set(r, choose(poly(z, cosine), mul(r, poly(z, sine)), i32.and(n, 1))),
      f32.demote_f64(choose(f64.neg(r), get(r), i32.and(n, 2))),
    );
  };

const singles: Record<string, Make> = {
  sin: /* @__PURE__ */ largeWave(0),
  cos: /* @__PURE__ */ largeWave(1),
  tan(f, of) {
    // One rounding of each and one of the quotient.
    const x = param(f);
    f.emit(f32.div(of.get('sin').call(x), of.get('cos').call(x)));
  },
  expm1: /* @__PURE__ */ through((x, call) =>
    choose(mul(x, add(1, mul(x, 0.5))), sub(call('exp64', get(x)), 1), small(x, 1e-5)),
  ),
  log1p: /* @__PURE__ */ through((x, call) =>
    choose(mul(x, sub(1, mul(x, sub(0.5, div(x, 3))))), call('log64', add(x, 1)), small(x, 1e-5)),
  ),
  sinh: /* @__PURE__ */ through((x, call, f) => {
    const e = f.local('f64');
    return [
      set(e, call('exp64', get(x))),
      choose(mul(x, add(1, mul(mul(x, x), 1 / 6))), mul(sub(e, div(1, e)), 0.5), small(x, 1e-3)),
    ];
  }),
  cosh: /* @__PURE__ */ through((x, call, f) => {
    const e = f.local('f64');
    return [set(e, call('exp64', get(x))), mul(add(e, div(1, e)), 0.5)];
  }),
  asinh: /* @__PURE__ */ through((x, call, f) => {
    const t = f.local('f64');
    return [
      set(t, abs(x)),
      choose(
        mul(x, sub(1, mul(mul(x, x), 1 / 6))),
        f64.copysign(call('log64', add(t, f64.sqrt(add(mul(t, t), 1)))), x),
        small(x, 1e-3),
      ),
    ];
  }),
  acosh: /* @__PURE__ */ through((x, call) => call('log64', add(x, f64.sqrt(mul(sub(x, 1), add(x, 1)))))),
  atanh: /* @__PURE__ */ through((x, call) =>
    choose(mul(x, add(1, mul(mul(x, x), 1 / 3))), mul(call('log64', div(add(1, x), sub(1, x))), 0.5), small(x, 1e-3)),
  ),
  atan: /* @__PURE__ */ through((x, call) => call('atan64', get(x))),
  asin: /* @__PURE__ */ through((x, call) => call('atan64', div(x, f64.sqrt(mul(sub(1, x), add(1, x)))))),
  acos: /* @__PURE__ */ through((x, call) => mul(call('atan64', f64.sqrt(div(sub(1, x), add(1, x)))), 2)),
  /** Giles, Approximating the erfinv function (GPU Computing Gems, 2012). */
  erfinv: /* @__PURE__ */ through((x, call, f) => {
    const w = f.local('f64');
    return [
      set(w, f64.neg(call('log64', mul(sub(1, x), add(1, x))))),
      when(i32.eqz(lt(w, Infinity)), ret(f32.demote_f64(mul(x, w)))), // ±1; NaN outside
      when(
        lt(w, 5),
        [
          set(w, sub(w, 2.5)),
          set(
            w,
            poly(
              w,
              [
                2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3,
                -4.17768164e-3, 2.46640727e-1, 1.50140941,
              ],
            ),
          ),
        ],
        [
          set(w, sub(f64.sqrt(w), 3)),
          set(
            w,
            poly(
              w,
              [
                -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3,
                9.43887047e-3, 1.00167406, 2.83297682,
              ],
            ),
          ),
        ],
      ),
      mul(x, w),
    ];
  }),
  pow(f, of) {
    const [a, b] = [param(f, 0), param(f, 1)];
    const [x, y, r] = f.locals('f64', 3) as [Local, Local, Local];
    const odd = f.local('i32');
    f.emit(
      when(i32.or(f32.eq(a, 1), f32.eq(b, 0)), ret(f32.const(1))),
      set(x, f64.promote_f32(f32.abs(a))),
      set(y, f64.promote_f32(b)),
      // the sign of an odd power, and NaN for a fractional power of a negative number
      when(i32.lt_s(i32.reinterpret_f32(a), 0), [
        set(odd, i32.and(eq(f64.trunc(y), y), f64.ne(f64.trunc(mul(y, 0.5)), mul(y, 0.5)))),
        when(i32.and(i32.and(f32.lt(a, 0), f32.gt(a, -Infinity)), f64.ne(f64.trunc(y), y)), ret(f32.const(Number.NaN))),
      ]),
      when(i32.and(eq(x, 1), eq(abs(y), Infinity)), ret(f32.const(1))),
      set(r, of.get('exp64').call(mul(y, of.get('log64').call(x)))),
      f32.demote_f64(choose(f64.neg(r), get(r), get(odd))),
    );
  },
  atan2(f, of) {
    const [b, a] = [param(f, 0), param(f, 1)];
    const [y, x, r] = f.locals('f64', 3) as [Local, Local, Local];
    f.emit(
      set(y, f64.promote_f32(f32.abs(b))),
      set(x, f64.promote_f32(f32.abs(a))),
      // 0/0 and ∞/∞ as the corners they are
      set(r, div(y, x)),
      when(eq(y, x), set(r, choose(number(0), number(1), eq(y, 0)))),
      set(r, of.get('atan64').call(r)),
      when(i32.lt_s(i32.reinterpret_f32(a), 0), set(r, sub(Math.PI, r))),
      f32.copysign(f32.demote_f64(r), b),
    );
  },
  /** The remainder with the divisor's sign, exact: multiples of b·2^28k are taken away from the top. */
  fmod(f) {
    const [a, b] = [param(f, 0), param(f, 1)];
    const [r, y, t] = f.locals('f64', 3) as [Local, Local, Local];
    const invalid = i32.or(i32.eqz(f32.lt(f32.abs(a), Infinity)), i32.eqz(f32.gt(f32.abs(b), 0)));
    f.emit(
      when(invalid, ret(f32.const(Number.NaN))),
      set(r, f64.promote_f32(f32.abs(a))),
      set(y, f64.promote_f32(f32.abs(b))),
      when(lt(y, Infinity), [
        block(
          repeat(
            brIf(1, i32.eqz(f64.ge(r, y))),
            set(t, y),
            block(repeat(brIf(1, lt(div(r, t), 2 ** 28)), set(t, mul(t, 2 ** 28)), br(0))),
            set(r, sub(r, mul(f64.trunc(div(r, t)), t))),
            when(lt(r, 0), set(r, add(r, t))),
            br(0),
          ),
        ),
      ]),
      // r has the sign of a; where that is not b's, one b more
      set(r, f64.copysign(r, f64.promote_f32(a))),
      when(
        i32.and(f64.ne(r, 0), f64.ne(f64.copysign(1, r), f64.copysign(1, f64.promote_f32(b)))),
        set(r, add(r, f64.promote_f32(b))),
      ),
      f32.demote_f64(r),
    );
  },
};

// ---- functions of integers ----

const integers: Record<string, Make> = {
  /** Toward zero; by 0 gives 0, and the least number by −1 itself. */
  divide(f) {
    const [a, b] = [param(f, 0), param(f, 1)];
    f.emit(when(i32.eqz(b), ret(i32.const(0))), when(i32.eq(b, -1), ret(i32.sub(0, a))), i32.div_s(a, b));
  },
  modulo(f) {
    const [a, b] = [param(f, 0), param(f, 1)];
    const r = f.local('i32');
    f.emit(
      when(i32.eqz(b), ret(i32.const(0))),
      set(r, i32.rem_s(a, b)),
      when(i32.and(i32.ne(r, 0), i32.lt_s(i32.xor(r, b), 0)), set(r, i32.add(r, b))),
      get(r),
    );
  },
  shl: (f) => f.emit(i32.shl(param(f, 0), param(f, 1))),
  shr: (f) => f.emit(i32.shr_s(param(f, 0), param(f, 1))),
  shru: (f) => f.emit(i32.shr_u(param(f, 0), param(f, 1))),
};

/** What the lanes of a subroutine's arguments are. */
export const laneType = (name: string): 'f32' | 'i32' => (name in singles ? 'f32' : 'i32');
