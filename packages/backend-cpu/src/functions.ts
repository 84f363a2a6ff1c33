/**
 * The functions of expressions as WebAssembly, four lanes at a time and only so: a single number is a vector whose other lanes nobody
 * looks at. So an element has the same bits wherever in a tensor it lies. float32 is f32x4, int32 is i32x4, bool is i32x4 of
 * all ones or none.
 */
import type { Compute, ExprOp, Kernel } from '@tessera/tensor/backend';
import { type Arg, type Code, type Func, f32x4, get, i32, i32x4, Local, type Module, set, v128 } from './assembler';
import type { ApplyNode, Node } from './domain';
import * as math from './math';
import { power } from './power';
import { philox } from './random';
import { laneType, subroutines } from './scalar';

/** The function that code is made for: its module (shared subroutines go there), itself, its `args` parameter. */
export interface Scope {
  readonly module: Module;
  readonly f: Func;
  readonly args: Local;
  readonly kernel: Kernel;
}

/** Word numbers in `args`: i32.load(args, 4 * word). */
export function argWords({ inputs, outputs }: Pick<Kernel, 'inputs' | 'outputs'>) {
  const scratch = inputs.length + outputs.length;
  return {
    input: (i: number) => i,
    output: (i: number) => inputs.length + i,
    sharedScratch: scratch,
    threadScratch: scratch + 1,
    uniform: (i: number) => scratch + 2 + i,
  };
}

/** Writes vector code into a function, statement by statement. */
export class Printer implements math.Writer {
  readonly scope: Scope;
  /** Statements so far. */
  code: Code[] = [];

  constructor(scope: Scope) {
    this.scope = scope;
  }

  write(code: Code): void {
    this.code.push(code);
  }
  bind(code: Arg): Local {
    if (code instanceof Local) return code;
    const local = this.scope.f.local('v128');
    this.write(set(local, code));
    return local;
  }
  perLane(name: string, ...args: Arg[]): Code {
    const locals = args.map((arg) => this.bind(arg));
    const lanes = laneType(name) === 'f32' ? f32x4 : i32x4;
    const f = subroutines(this.scope.module).get(name);
    const lane = (i: number) => f.call(...locals.map((local) => lanes.extract_lane(local, i)));
    return [1, 2, 3].reduce<Code>((v, i) => lanes.replace_lane(v, i, lane(i)), lanes.splat(lane(0)));
  }
  /** The value of a function whose arguments are there. */
  apply(node: ApplyNode, args: readonly Arg[]): Code {
    const type = (node.args[node.args.length - 1] as Node).dtype;
    const row = table[node.fn];
    const make = typeof row === 'function' ? row : row[type];
    if (!make) throw new TypeError(`${node.fn} takes no ${type}`);
    return make(this, args as Args, node);
  }
}

type Args = [Arg, Arg, Arg, Arg];
type Make = (w: Printer, args: Args, node: ApplyNode) => Code;
type Row = Make | { readonly [type in Compute]?: Make };

const one = () => i32x4.const(1);
const same: Make = (_, [a]) => pass(a);
const pass = (a: Arg): Code => (a instanceof Local ? get(a) : (a as Code));
const binary =
  (f: (a: Arg, b: Arg) => Code): Make =>
  (_, [a, b]) =>
    f(a, b);
const unary =
  (f: (a: Arg) => Code): Make =>
  (_, [a]) =>
    f(a);
/** Of floats; by a vector function of math.ts, or lane by lane. */
const float = (make: Make): Row => ({ float32: make });
const vector = (f: (w: math.Writer, x: Arg) => Code): Row => float((w, [a]) => f(w, a));
const lanewise =
  (name: string): Make =>
  (w, [a, b], { args }) =>
    w.perLane(name, ...[a, b].slice(0, args.length));

const isFixed = (node: Node | undefined): node is Extract<Node, { op: 'const' }> => node?.op === 'const';

/** Shifts by a constant are one instruction, by a vector four. */
const shift =
  (op: (a: Arg, b: Arg) => Code, name: string): Make =>
  (w, [a, b], { args }) =>
    isFixed(args[1]) ? op(a, i32.const(args[1].value)) : w.perLane(name, a, b);

/** By a constant: the engine makes a multiplication of it. */
const divide: Make = (w, [a, b], { args }) => {
  const by = isFixed(args[1]) ? args[1].value : 0;
  if (by === 0 || by === -1) return w.perLane('divide', a, b);
  const x = w.bind(a);
  const lane = (i: number) => i32.div_s(i32x4.extract_lane(x, i), by);
  return [1, 2, 3].reduce<Code>((v, i) => i32x4.replace_lane(v, i, lane(i)), i32x4.splat(lane(0)));
};
const modulo: Make = (w, [a, b], node) => {
  const by = isFixed(node.args[1]) ? node.args[1].value : 0;
  if (by <= 0) return w.perLane('modulo', a, b);
  if ((by & (by - 1)) === 0) return v128.and(a, i32x4.const(by - 1)); // two's complement has the divisor's sign
  const x = w.bind(a);
  const r = w.bind(i32x4.sub(x, i32x4.mul(divide(w, [x, b, b, b], node), i32x4.const(by))));
  return i32x4.add(r, v128.and(i32x4.shr_s(r, 31), i32x4.const(by)));
};

/**
 * The greater (lesser) of floats, NaN if either is. f32x4.max takes eight instructions on x64, pmax one. pmax hands a NaN on
 * when it comes first; one that comes second is put in as the mask of all ones that ne(b, b) gives. Of −0 and 0 either may
 * come out.
 */
const extreme = (f: 'max' | 'min'): Make => {
  const quick = f === 'max' ? f32x4.pmax : f32x4.pmin;
  return (w, [a, b], { args }) => {
    if (isFixed(args[1]) && !Number.isNaN(args[1].value)) return quick(a, b);
    if (isFixed(args[0]) && !Number.isNaN(args[0].value)) return quick(b, a);
    const second = w.bind(b);
    return v128.or(quick(a, second), f32x4.ne(second, second));
  };
};

const compare = (name: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', bool: (a: Arg, b: Arg) => Code): Row => ({
  float32: binary(f32x4[name]),
  int32: binary(name === 'eq' || name === 'ne' ? i32x4[name] : i32x4[`${name}_s`]),
  bool: binary(bool),
});
const not = (a: Arg): Code => v128.not(a);

/** Every function of expressions. A row is one function, or one for each type of its last argument. */
const table = /* @__PURE__ */ ((): Record<ExprOp, Row> => ({
  neg: { float32: unary(f32x4.neg), int32: unary(i32x4.neg) },
  abs: { float32: unary(f32x4.abs), int32: unary(i32x4.abs) },
  sign: {
    float32: (w, [a]) => math.sign(w, a),
    int32: (_, [a]) => i32x4.max_s(i32x4.min_s(a, one()), i32x4.const(-1)),
  },
  exp: float((w, [a], { falls }) => math.exp(w, a, falls)),
  expm1: float(lanewise('expm1')),
  log: vector(math.log),
  log1p: float(lanewise('log1p')),
  sqrt: float(unary(f32x4.sqrt)),
  sin: vector(math.sin),
  cos: vector(math.cos),
  tan: float(lanewise('tan')),
  asin: float(lanewise('asin')),
  acos: float(lanewise('acos')),
  atan: float(lanewise('atan')),
  sinh: float(lanewise('sinh')),
  cosh: float(lanewise('cosh')),
  tanh: vector(math.tanh),
  asinh: float(lanewise('asinh')),
  acosh: float(lanewise('acosh')),
  atanh: float(lanewise('atanh')),
  erf: vector(math.erf),
  erfinv: float(lanewise('erfinv')),
  floor: { float32: unary(f32x4.floor), int32: same },
  ceil: { float32: unary(f32x4.ceil), int32: same },
  round: { float32: unary(f32x4.nearest), int32: same },
  trunc: { float32: unary(f32x4.trunc), int32: same },
  isNan: {
    float32: (w, [a]) => {
      const x = w.bind(a);
      return f32x4.ne(x, x);
    },
    int32: () => i32x4.const(0),
    bool: () => i32x4.const(0),
  },
  add: { float32: binary(f32x4.add), int32: binary(i32x4.add), bool: binary(v128.or) },
  sub: { float32: binary(f32x4.sub), int32: binary(i32x4.sub), bool: binary(v128.xor) },
  mul: { float32: binary(f32x4.mul), int32: binary(i32x4.mul), bool: binary(v128.and) },
  div: { float32: binary(f32x4.div), int32: divide },
  mod: { float32: lanewise('fmod'), int32: modulo },
  pow: float((w, [a, b]) => power(w, a, b)),
  atan2: float(lanewise('atan2')),
  min: { float32: extreme('min'), int32: binary(i32x4.min_s), bool: binary(v128.and) },
  max: { float32: extreme('max'), int32: binary(i32x4.max_s), bool: binary(v128.or) },
  and: binary(v128.and),
  or: binary(v128.or),
  xor: binary(v128.xor),
  shl: { int32: shift(i32x4.shl, 'shl') },
  shr: { int32: shift(i32x4.shr_s, 'shr') },
  shru: { int32: shift(i32x4.shr_u, 'shru') },
  eq: compare('eq', (a, b) => not(v128.xor(a, b))),
  ne: compare('ne', v128.xor),
  lt: compare('lt', (a, b) => v128.andnot(b, a)),
  le: compare('le', (a, b) => v128.or(b, not(a))),
  gt: compare('gt', v128.andnot),
  ge: compare('ge', (a, b) => v128.or(a, not(b))),
  select: (_, [condition, yes, no]) => v128.bitselect(yes, no, condition),
  cast: {
    float32: (_, [a], { dtype }) => {
      if (dtype === 'int32') return i32x4.trunc_sat_f32x4_s(a);
      return dtype === 'bool' ? f32x4.ne(a, f32x4.const(0)) : pass(a);
    },
    int32: (_, [a], { dtype }) => {
      if (dtype === 'float32') return f32x4.convert_i32x4_s(a);
      return dtype === 'bool' ? i32x4.ne(a, i32x4.const(0)) : pass(a);
    },
    bool: (_, [a], { dtype }) => {
      if (dtype === 'float32') return v128.and(a, f32x4.const(1));
      return dtype === 'int32' ? v128.and(a, one()) : pass(a);
    },
  },
  bits: same,
  philox: { int32: (w, args) => philox(w.scope.module).call(...args) },
}))();
