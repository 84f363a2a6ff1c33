/**
 * The reference backend: the whole kernel IR in plain JavaScript, one function a kernel kind. It is the oracle of the property
 * tests, the path where a content security policy forbids WebAssembly (nothing here makes code from strings), and the worked
 * example of the contract.
 *
 * How it computes: an expression becomes a list of closures, one a node, each filling the node's slot in an array of values.
 * A shared node is one slot, so it is computed once an element. Operands of matmul, conv, pool, scatter, sort and scan are
 * first tabulated over their domain; then come plain loops over arrays; then the stores, with the result as `acc`.
 *
 * How it rounds: `float64` not at all. `float32` rounds the result of every function, and sums and products are carried in
 * float64 and rounded once at their end, which is never worse than adding up in float32.
 */
import type {
  Backend,
  DeviceBuffer,
  Executable,
  KernelTiming,
  Limits,
  MemoryUse,
  Plan,
  PlanStep,
  TypedArray,
} from './backend';
import { BackendError } from './errors';
import type {
  Apply,
  Combine,
  Compute,
  ConvKernel,
  DType,
  Expr,
  ExprOp,
  Kernel,
  Load,
  MapKernel,
  MatmulKernel,
  PoolKernel,
  ReduceKernel,
  ScanKernel,
  ScatterKernel,
  SortKernel,
  Store,
  View,
} from './ir';
import { philox4x32 } from './philox';
import { rowMajor, sizeOf } from './view';

// ---------------------------------------------------------------------------------------------------- functions of numbers

type Fn = (a: number, b: number, c: number, d: number) => number;

const word = new Int32Array(1);
const wordAsFloat = new Float32Array(word.buffer);
const words = new Int32Array(4);

/** Each function on floats, or on whatever it takes; bool is 0 or 1. */
const functions: Record<ExprOp, Fn> = {
  neg: (a) => -a,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  erfinv,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundEven,
  trunc: Math.trunc,
  isNan: (a) => +Number.isNaN(a),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: (a, b) => (a % b !== 0 && a % b < 0 !== b < 0 ? (a % b) + b : a % b),
  // JavaScript alone gives NaN where IEEE 754 says 1: 1 to the NaN, ±1 to the ±∞.
  pow: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  atan2: (a, b) => Math.atan2(a, b),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr: (a, b) => a >> b,
  shru: (a, b) => (a >>> b) | 0,
  eq: (a, b) => +(a === b),
  ne: (a, b) => +(a !== b),
  lt: (a, b) => +(a < b),
  le: (a, b) => +(a <= b),
  gt: (a, b) => +(a > b),
  ge: (a, b) => +(a >= b),
  select: (a, b, c) => (a ? b : c),
  cast: (a) => a, // to float32; `casts` has the others
  bits: (a) => ((word[0] = a), wordAsFloat[0]!), // from int32; `integers` has no row for a float
  philox: (key0, key1, stream, index) => (philox4x32(key0, key1, index >>> 2, 0, stream, 0, words), words[index & 3]!),
};

/** The functions that differ on int32: they wrap at 32 bits. */
const integers: Partial<Record<ExprOp, Fn>> = {
  neg: (a) => -a | 0,
  abs: (a) => Math.abs(a) | 0,
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? 0 : (a / b) | 0),
  mod: (a, b) => (b === 0 ? 0 : (((a % b) + b) % b) | 0),
};

const casts: Record<Compute, Fn> = {
  float32: (a) => a,
  int32: (a) => Math.min(Math.max(a, -0x80000000), 0x7fffffff) | 0, // NaN | 0 is 0
  bool: (a) => +(a !== 0),
};

function functionOf({ fn, args, dtype }: Apply): Fn {
  const operand = args[args.length - 1]!.dtype;
  if (fn === 'cast') return casts[dtype];
  if (fn === 'bits' && operand === 'float32')
    return dtype === 'int32' ? (a) => ((wordAsFloat[0] = a), word[0]!) : (a) => a;
  if (fn === 'bits' && dtype === 'int32') return (a) => a;
  return (operand === 'int32' && integers[fn]) || functions[fn];
}

/** Nearest integer, ties to even. */
function roundEven(x: number): number {
  const up = Math.round(x); // ties upward
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** The nearest float16 of a float32. Up to 65,520 rounds to the greatest, 65,504. */
function roundHalf(x: number): number {
  wordAsFloat[0] = x;
  const exponent = Math.max(((word[0]! >>> 23) & 255) - 127, -14);
  const rounded = Number.isFinite(x) ? roundEven(x * 2 ** (10 - exponent)) * 2 ** (exponent - 10) : x;
  return Math.abs(rounded) > 65504 ? Math.sign(x) * Infinity : rounded;
}

// W. J. Cody, Rational Chebyshev approximations for the error function (Math. Comp. 23, 1969), highest power first: erf on
// |x| ≤ 0.46875 in x², eˣ²·erfc on (0.46875, 4] in x, and beyond in 1/x².
const erfNear = {
  above: [
    1.85777706184603153e-1, 3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3,
  ],
  below: [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
};
const erfcMiddle = {
  above: [
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2,
    8.8195222124176909e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3,
  ],
  below: [
    1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
  ],
};
const erfcFar = {
  above: [
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
    1.60837851487422766e-2, 6.58749161529837803e-4,
  ],
  below: [
    1, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3,
  ],
};

const polynomial = (coefficients: readonly number[], x: number) => coefficients.reduce((sum, c) => sum * x + c, 0);
const ratio = (f: { above: number[]; below: number[] }, x: number) => polynomial(f.above, x) / polynomial(f.below, x);

function erf(x: number): number {
  if (Math.abs(x) <= 0.46875) return x * ratio(erfNear, x * x);
  return x > 0 ? 1 - erfc(x) : erfc(-x) - 1;
}

/** 1 − erf(x) without cancellation, for x > 0.46875 (NaN gives NaN). */
function erfc(x: number): number {
  if (x > 27) return 0;
  // e^(−x²) with x² in two parts, the first of them exact: the rounding of x² would be multiplied by x².
  const head = Math.trunc(x * 16) / 16;
  const gauss = Math.exp(-head * head) * Math.exp(-(x - head) * (x + head));
  if (x <= 4) return gauss * ratio(erfcMiddle, x);
  const square = 1 / (x * x);
  return (gauss / x) * (1 / Math.sqrt(Math.PI) - square * ratio(erfcFar, square));
}

/** Winitzki's closed form (2 · 10⁻³) and Halley's steps, which triple the digits; in the tail on erfc, where erf has none. */
function erfinv(x: number): number {
  if (!(Math.abs(x) < 1)) return Math.abs(x) === 1 ? x * Infinity : NaN;
  if (x < 0) return -erfinv(-x);
  const log = Math.log1p(-x * x);
  const a = 2 / (Math.PI * 0.147) + log / 2;
  let y = Math.sqrt(Math.sqrt(a * a - log / 0.147) - a);
  for (let step = 0; step < 3; step++) {
    const miss = (y > 0.46875 ? 1 - x - erfc(y) : erf(y) - x) * (Math.sqrt(Math.PI) / 2) * Math.exp(y * y);
    y -= miss / (1 + y * miss);
  }
  return y;
}

// ---------------------------------------------------------------------------------------------------- expressions to closures

type Data = Float64Array | Float32Array | Int32Array | Uint8Array;
type Action = () => void;
type Precision = 'float64' | 'float32';

/** Most axes of a domain. */
const maxRank = 32;

/** Expressions made ready: `run` evaluates all of them at the current coordinates, `values[slots[i]]` is the i-th. */
interface Program {
  readonly run: Action;
  readonly values: Float64Array;
  readonly slots: readonly number[];
}

/** Where one kernel is while it runs, and what turns its expressions and stores into closures. */
class Machine {
  /** The place in the domain. */
  readonly coords = new Int32Array(maxRank);
  readonly accs: Float64Array;
  inputs: readonly Data[] = [];
  outputs: readonly Data[] = [];
  uniforms: readonly number[] = [];
  /** What to do when a run starts: fill the slots of what only constants and uniforms decide. */
  private readonly fixed: Action[] = [];
  readonly round: (x: number) => number;
  readonly kernel: Kernel;
  readonly precision: Precision;

  constructor(kernel: Kernel, precision: Precision) {
    this.kernel = kernel;
    this.precision = precision;
    this.round = precision === 'float32' ? Math.fround : (x) => x;
    this.accs = new Float64Array(kernel.kind === 'reduce' ? kernel.stages.flat().length : 2);
  }

  start(inputs: readonly Data[], outputs: readonly Data[], uniforms: readonly number[]): void {
    [this.inputs, this.outputs, this.uniforms] = [inputs, outputs, uniforms];
    for (const action of this.fixed) action();
  }

  /** Closures that evaluate `exprs`, each node of them once. */
  program(exprs: readonly Expr[]): Program {
    const slotOf = new Map<Expr, number>();
    const order: Expr[] = [];
    const visit = (expr: Expr): void => {
      if (slotOf.has(expr)) return;
      if (expr.op === 'apply') expr.args.forEach(visit);
      if (expr.op === 'load') expr.at?.forEach(visit);
      slotOf.set(expr, order.push(expr) - 1);
    };
    exprs.forEach(visit);
    const values = new Float64Array(order.length);
    const steps: Action[] = [];
    const isFixed: boolean[] = [];
    order.forEach((expr, slot) => {
      const args = expr.op === 'apply' ? expr.args.map((arg) => slotOf.get(arg)!) : [];
      isFixed[slot] =
        expr.op === 'const' || expr.op === 'uniform' || (expr.op === 'apply' && args.every((arg) => isFixed[arg]));
      const step = this.step(expr, slot, values, args, slotOf);
      (isFixed[slot] ? this.fixed : steps).push(step);
    });
    const run = () => {
      for (let i = 0; i < steps.length; i++) steps[i]!();
    };
    return { run, values, slots: exprs.map((expr) => slotOf.get(expr)!) };
  }

  private step(expr: Expr, slot: number, values: Float64Array, args: number[], slotOf: Map<Expr, number>): Action {
    const { coords, accs, round } = this;
    switch (expr.op) {
      case 'const': {
        const value = expr.dtype === 'float32' ? round(expr.value) : casts[expr.dtype](expr.value, 0, 0, 0);
        return () => {
          values[slot] = value;
        };
      }
      case 'uniform': {
        const narrow = expr.dtype === 'float32' ? round : casts[expr.dtype];
        return () => {
          values[slot] = narrow(this.uniforms[expr.index]!, 0, 0, 0);
        };
      }
      case 'index':
        return () => {
          values[slot] = coords[expr.axis]!;
        };
      case 'acc':
        return () => {
          values[slot] = accs[expr.index]!;
        };
      case 'load':
        return this.load(expr, slot, values, expr.at && expr.at.map((at) => slotOf.get(at)!));
      case 'apply': {
        const fn = functionOf(expr);
        const [a = 0, b = 0, c = 0, d = 0] = args;
        if (expr.dtype === 'float32') {
          return () => {
            values[slot] = round(fn(values[a]!, values[b]!, values[c]!, values[d]!));
          };
        }
        return () => {
          values[slot] = fn(values[a]!, values[b]!, values[c]!, values[d]!);
        };
      }
      default:
        return expr satisfies never;
    }
  }

  private load({ input, view, at }: Load, slot: number, values: Float64Array, atSlots: number[] | null): Action {
    const { shape, strides, offset, valid } = view;
    const axes = shape.map((_, axis) => axis);
    this.checkExtent('load', input, view);
    if (!at && !valid) {
      const { coords } = this;
      const moving = axes.filter((axis) => strides[axis] !== 0 && shape[axis] !== 1);
      return () => {
        let place = offset;
        for (let i = 0; i < moving.length; i++) place += coords[moving[i]!]! * strides[moving[i]!]!;
        values[slot] = this.inputs[input]![place]!;
      };
    }
    // Coordinates come from the domain or from slots, and are checked one by one.
    const source = atSlots ? values : this.coords;
    const places = atSlots ?? axes;
    const low = axes.map((axis) => Math.max(0, valid?.[axis]?.[0] ?? 0));
    const high = axes.map((axis) => Math.min(shape[axis]!, valid?.[axis]?.[1] ?? Infinity));
    return () => {
      let place = offset;
      for (let axis = 0; axis < places.length; axis++) {
        const at = source[places[axis]!]!;
        if (at < low[axis]! || at >= high[axis]!) {
          values[slot] = 0;
          return;
        }
        place += at * strides[axis]!;
      }
      values[slot] = this.inputs[input]![place]!;
    };
  }

  /** Evaluates the expressions of all stores, then writes them: a store never changes what another one reads. */
  writer(stores: readonly Store[]): Action {
    const { run, values, slots } = this.program(stores.map(({ expr }) => expr));
    const writes = stores.map(({ output, view }, i) => {
      this.checkExtent('store', output, view);
      const { coords } = this;
      const { strides, offset } = view;
      const slot = slots[i]!;
      const narrow =
        this.kernel.outputs[output]!.dtype === 'float16' && this.precision === 'float32' ? roundHalf : null;
      return () => {
        let place = offset;
        for (let axis = 0; axis < strides.length; axis++) place += coords[axis]! * strides[axis]!;
        this.outputs[output]![place] = narrow ? narrow(values[slot]!) : values[slot]!; // a typed array wraps and rounds
      };
    });
    return () => {
      run();
      for (let i = 0; i < writes.length; i++) writes[i]!();
    };
  }

  /** An expression over a domain, as a row-major table. */
  table(expr: Expr, shape: readonly number[]): () => Float64Array {
    const { run, values, slots } = this.program([expr]);
    return () => {
      const result = new Float64Array(sizeOf(shape));
      let i = 0;
      this.walk(shape, allAxes(shape), () => {
        run();
        result[i++] = values[slots[0]!]!;
      });
      return result;
    };
  }

  /** The stores of a kernel whose accumulators are row-major tables over `shape`. */
  epilogue(shape: readonly number[], stores: readonly Store[], dtype: Compute): (...tables: Float64Array[]) => void {
    const write = this.writer(stores);
    const { accs } = this;
    const round = dtype === 'float32' ? this.round : (x: number) => x;
    return (first, second) => {
      let i = 0;
      this.walk(shape, allAxes(shape), () => {
        accs[0] = round(first![i]!);
        if (second) accs[1] = second[i]!;
        i++;
        write();
      });
    };
  }

  /** Calls `visit` at every coordinate of the given axes, row-major, and leaves these axes at 0. */
  walk(shape: readonly number[], axes: readonly number[], visit: Action): void {
    const { coords } = this;
    if (axes.some((axis) => shape[axis] === 0)) return;
    for (let i = axes.length; i >= 0; ) {
      visit();
      for (i = axes.length - 1; i >= 0; i--) {
        if (++coords[axes[i]!]! < shape[axes[i]!]!) break;
        coords[axes[i]!] = 0;
      }
    }
  }

  /** A view that leaves its buffer is a fault of whoever made the kernel; JavaScript would read undefined and go on. */
  private checkExtent(what: 'load' | 'store', operand: number, { shape, strides, offset, valid }: View): void {
    let [least, most] = [offset, offset];
    for (const [axis, size] of shape.entries()) {
      const [low, high] = [Math.max(0, valid?.[axis]?.[0] ?? 0), Math.min(size, valid?.[axis]?.[1] ?? size)];
      if (low >= high) return;
      const ends = [low * strides[axis]!, (high - 1) * strides[axis]!];
      least += Math.min(...ends);
      most += Math.max(...ends);
    }
    const size = (what === 'load' ? this.kernel.inputs : this.kernel.outputs)[operand]?.size ?? 0;
    if (least >= 0 && most < size) return;
    throw new BackendError(
      `reference: a ${what} of ${this.kernel.kind} reaches elements ${least} to ${most} of operand ${operand}, which has ${size}; the view [${shape}] is wrong`,
    );
  }
}

const allAxes = (shape: readonly number[]): number[] => shape.map((_, axis) => axis);

// ---------------------------------------------------------------------------------------------------- the eight kinds

function compileKernel(machine: Machine): Action {
  const { kernel } = machine;
  switch (kernel.kind) {
    case 'map':
      return map(kernel, machine);
    case 'reduce':
      return reduce(kernel, machine);
    case 'matmul':
      return matmul(kernel, machine);
    case 'conv':
      return conv(kernel, machine);
    case 'pool':
      return pool(kernel, machine);
    case 'scatter':
      return scatter(kernel, machine);
    case 'sort':
      return sort(kernel, machine);
    case 'scan':
      return scan(kernel, machine);
    default:
      return kernel satisfies never;
  }
}

function map(kernel: MapKernel, machine: Machine): Action {
  const parts = kernel.parts.map(({ shape, stores }) => ({ shape, write: machine.writer(stores) }));
  return () => {
    for (const { shape, write } of parts) machine.walk(shape, allAxes(shape), write);
  };
}

/** What combining starts from, and one step of it. Positions of arg… are kept beside, see `reduce`. */
const combines: Record<Combine, { start(dtype: Compute): number; take: Fn }> = {
  sum: { start: () => 0, take: (a, b) => a + b },
  prod: { start: () => 1, take: (a, b) => a * b },
  max: { start: (dtype) => least(dtype), take: (a, b) => Math.max(a, b) },
  min: { start: (dtype) => greatest(dtype), take: (a, b) => Math.min(a, b) },
  argmax: { start: () => 0, take: (best, b) => +(b > best || (Number.isNaN(b) && !Number.isNaN(best))) },
  argmin: { start: () => 0, take: (best, b) => +(b < best || (Number.isNaN(b) && !Number.isNaN(best))) },
};
const least = (dtype: Compute): number => ({ float32: -Infinity, int32: -0x80000000, bool: 0 })[dtype];
const greatest = (dtype: Compute): number => ({ float32: Infinity, int32: 0x7fffffff, bool: 1 })[dtype];
const stepOf = (combine: Combine, dtype: Compute): Fn =>
  (dtype === 'int32' && integers[combine === 'sum' ? 'add' : combine === 'prod' ? 'mul' : 'exp']) ||
  combines[combine].take;

function reduce({ shape, axes, stages, stores }: ReduceKernel, machine: Machine): Action {
  const rowAxes = [...axes].sort((a, b) => a - b);
  const outerAxes = allAxes(shape).filter((axis) => !axes.includes(axis));
  const { accs, round } = machine;
  let position = 0;
  let number = 0;
  const passes = stages.map((stage) => {
    const { run, values, slots } = machine.program(stage.map(({ expr }) => expr));
    const accumulators = stage.map(({ combine, dtype, expr }, i) => {
      const [slot, index, step] = [slots[i]!, number++, stepOf(combine, dtype)];
      const start = combines[combine].start(dtype);
      let best = Number.NaN;
      const positional = combine === 'argmax' || combine === 'argmin';
      return {
        begin: () => {
          accs[index] = start;
        },
        take: positional
          ? () => {
              if (position > 0 && !step(best, values[slot]!, 0, 0)) return;
              best = values[slot]!;
              accs[index] = position;
            }
          : () => {
              accs[index] = step(accs[index]!, values[slot]!, 0, 0);
            },
        end: () => {
          if (expr.dtype === 'float32') accs[index] = round(accs[index]!);
        },
      };
    });
    return () => {
      for (const { begin } of accumulators) begin();
      position = 0;
      machine.walk(shape, rowAxes, () => {
        run();
        for (let i = 0; i < accumulators.length; i++) accumulators[i]!.take();
        position++;
      });
      for (const { end } of accumulators) end();
    };
  });
  const perElement = machine.writer(stores.filter(({ per }) => per === 'element'));
  const perRow = machine.writer(stores.filter(({ per }) => per === 'row'));
  return () =>
    machine.walk(shape, outerAxes, () => {
      for (const pass of passes) pass();
      machine.walk(shape, rowAxes, perElement);
      perRow();
    });
}

function matmul({ batch, m, n, k, a, b, stores }: MatmulKernel, machine: Machine): Action {
  const [tableA, tableB] = [machine.table(a, [...batch, m, k]), machine.table(b, [...batch, k, n])];
  const store = machine.epilogue([...batch, m, n], stores, a.dtype);
  const integer = a.dtype === 'int32';
  return () => {
    const [x, y] = [tableA(), tableB()];
    const result = new Float64Array(sizeOf(batch) * m * n);
    for (let row = 0; row < sizeOf(batch) * m; row++) {
      const inBatch = Math.floor(row / m) * k;
      for (let inner = 0; inner < k; inner++) {
        const left = x[row * k + inner]!;
        const from = (inBatch + inner) * n;
        for (let to = row * n, j = 0; j < n; j++, to++) {
          result[to] = integer ? (result[to]! + Math.imul(left, y[from + j]!)) | 0 : result[to]! + left * y[from + j]!;
        }
      }
    }
    store(result);
  };
}

/** Spatial sizes as three axes, those in front of size 1. */
const threeAxes = (sizes: readonly number[], fill: number): [number, number, number] =>
  [fill, fill, ...sizes].slice(-3) as [number, number, number];

/** The outputs p of one axis that meet the input at kernel place r: 0 ≤ p·stride + r·dilation − padding < input. */
function meeting(r: number, axis: Readonly<Record<'input' | 'output' | 'stride' | 'dilation' | 'padding', number>>) {
  const shift = r * axis.dilation - axis.padding;
  const from = Math.max(0, Math.ceil(-shift / axis.stride));
  const to = Math.min(axis.output, Math.ceil((axis.input - shift) / axis.stride));
  return { shift, from, to };
}

/** All three directions go through the same triples (element of x, of w, of y) that meet; one of the three is the result. */
function conv({ direction, sizes, a, b, stores }: ConvKernel, machine: Machine): Action {
  const { n, c, o, groups } = sizes;
  const x = [n, c, ...sizes.input];
  const w = [o, c / groups, ...sizes.kernel];
  const y = [n, o, ...sizes.output];
  const [shapeA, shapeB, shape] = { forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] }[direction];
  const [tableA, tableB] = [machine.table(a, shapeA!), machine.table(b, shapeB!)];
  const store = machine.epilogue(shape!, stores, a.dtype);
  const input = threeAxes(sizes.input, 1);
  const output = threeAxes(sizes.output, 1);
  const kernel = threeAxes(sizes.kernel, 1);
  const stride = threeAxes(sizes.stride, 1);
  const dilation = threeAxes(sizes.dilation, 1);
  const padding = threeAxes(sizes.padding, 0);
  const met = [0, 1, 2].map((i) => {
    const axis = {
      input: input[i]!,
      output: output[i]!,
      stride: stride[i]!,
      dilation: dilation[i]!,
      padding: padding[i]!,
    };
    return Array.from({ length: kernel[i]! }, (_, r) => meeting(r, axis));
  }) as [ReturnType<typeof meeting>[], ReturnType<typeof meeting>[], ReturnType<typeof meeting>[]];
  return () => {
    const result = new Float64Array(sizeOf(shape!));
    const tables = { forward: [0, 1, 2], inputGrad: [2, 1, 0], weightGrad: [0, 2, 1] }[direction];
    const [inX, inW, inY] = tables.map((i) => [tableA, tableB, () => result][i]!()) as [Data, Data, Data];
    let place = 0; // of w, row-major
    for (let out = 0; out < o; out++) {
      const firstIn = Math.floor(out / (o / groups)) * (c / groups);
      for (let channel = firstIn; channel < firstIn + c / groups; channel++) {
        for (const d of met[0]) {
          for (const h of met[1]) {
            for (const v of met[2]) {
              for (let image = 0; image < n; image++) {
                for (let p = d.from; p < d.to; p++) {
                  for (let q = h.from; q < h.to; q++) {
                    const rowX = ((image * c + channel) * input[0] + p * stride[0] + d.shift) * input[1];
                    const rowY = ((image * o + out) * output[0] + p) * output[1] + q;
                    let fromX = (rowX + q * stride[1] + h.shift) * input[2] + v.from * stride[2] + v.shift;
                    for (let y = rowY * output[2] + v.from; y < rowY * output[2] + v.to; y++, fromX += stride[2]) {
                      if (direction === 'forward') inY[y] = inY[y]! + inX[fromX]! * inW[place]!;
                      else if (direction === 'inputGrad') inX[fromX] = inX[fromX]! + inY[y]! * inW[place]!;
                      else inW[place] = inW[place]! + inX[fromX]! * inY[y]!;
                    }
                  }
                }
              }
              place++;
            }
          }
        }
      }
    }
    store(result);
  };
}

function pool({ direction, combine, sizes, a, b, stores }: PoolKernel, machine: Machine): Action {
  const { batch } = sizes;
  const forward = direction === 'forward';
  const [inputShape, outputShape] = [
    [batch, ...sizes.input],
    [batch, ...sizes.output],
  ];
  const tableA = machine.table(a, forward ? inputShape : outputShape);
  const tableB = b && machine.table(b, outputShape);
  const store = machine.epilogue(forward ? outputShape : inputShape, stores, a.dtype);
  const input = threeAxes(sizes.input, 1);
  const output = threeAxes(sizes.output, 1);
  const kernel = threeAxes(sizes.kernel, 1);
  const stride = threeAxes(sizes.stride, 1);
  const dilation = threeAxes(sizes.dilation, 1);
  const padding = threeAxes(sizes.padding, 0);
  /** Calls `visit` with every window and, in its order, each place of the input that lies in it. */
  const windows = (visit: (window: number, image: number, place: number) => void) => {
    const at = (axis: number, p: number, r: number) => p * stride[axis]! + r * dilation[axis]! - padding[axis]!;
    let window = 0;
    for (let image = 0; image < batch; image++) {
      for (let p = 0; p < output[0]; p++) {
        for (let q = 0; q < output[1]; q++) {
          for (let s = 0; s < output[2]; s++, window++) {
            for (let r = 0; r < kernel[0]; r++) {
              const d = at(0, p, r);
              if (d < 0 || d >= input[0]) continue;
              for (let t = 0; t < kernel[1]; t++) {
                const h = at(1, q, t);
                if (h < 0 || h >= input[1]) continue;
                for (let u = 0; u < kernel[2]; u++) {
                  const v = at(2, s, u);
                  if (v >= 0 && v < input[2]) visit(window, image, (d * input[1] + h) * input[2] + v);
                }
              }
            }
          }
        }
      }
    }
  };
  const plane = sizeOf(sizes.input);
  return () => {
    const from = tableA();
    if (!forward) {
      const saved = tableB?.();
      const result = new Float64Array(sizeOf(inputShape));
      windows((window, image, place) => {
        if (combine === 'sum' || saved?.[window] === place) result[image * plane + place]! += from[window]!;
      });
      store(result);
      return;
    }
    const result = new Float64Array(sizeOf(outputShape));
    const places = new Float64Array(sizeOf(outputShape)).fill(-1);
    if (combine === 'max') result.fill(least(a.dtype));
    const { take } = combines.argmax;
    windows((window, image, place) => {
      const value = from[image * plane + place]!;
      if (combine === 'sum') result[window]! += value;
      else if (places[window] === -1 || take(result[window]!, value, 0, 0)) {
        result[window] = value;
        places[window] = place;
      }
    });
    store(result, places);
  };
}

function scatter(kernel: ScatterKernel, machine: Machine): Action {
  const { shape, updates, combine, init, at, value, stores } = kernel;
  const table = machine.table(init, shape);
  const update = machine.program([value, ...at]);
  const store = machine.epilogue(shape, stores, init.dtype);
  const strides = rowMajor(shape);
  const integer = init.dtype === 'int32';
  const takes: Record<ScatterKernel['combine'], Fn> = {
    assign: (_, b) => b,
    add: (integer && integers.add) || functions.add,
    mul: (integer && integers.mul) || functions.mul,
    max: functions.max,
    min: functions.min,
  };
  const take = takes[combine];
  return () => {
    const result = table();
    machine.walk(updates, allAxes(updates), () => {
      update.run();
      let place = 0;
      for (let axis = 0; axis < shape.length; axis++) {
        const coordinate = update.values[update.slots[axis + 1]!]!;
        if (coordinate < 0 || coordinate >= shape[axis]!) return;
        place += coordinate * strides[axis]!;
      }
      result[place] = take(result[place]!, update.values[update.slots[0]!]!, 0, 0);
    });
    store(result);
  };
}

/** Calls `visit` with the first place of every row along `axis` of a row-major table, and the step within a row. */
function rowsAlong(shape: readonly number[], axis: number, visit: (first: number, step: number, row: number) => void) {
  const step = sizeOf(shape.slice(axis + 1));
  const rows = sizeOf(shape.slice(0, axis)) * step;
  for (let row = 0; row < rows; row++) visit(Math.floor(row / step) * step * shape[axis]! + (row % step), step, row);
}

function sort({ shape, axis, descending, k, a, stores }: SortKernel, machine: Machine): Action {
  const table = machine.table(a, shape);
  const kept = shape.map((size, i) => (i === axis ? k : size));
  const store = machine.epilogue(kept, stores, a.dtype);
  const size = shape[axis]!;
  return () => {
    const from = table();
    const [values, places] = [new Float64Array(sizeOf(kept)), new Float64Array(sizeOf(kept))];
    const order = new Int32Array(size);
    rowsAlong(shape, axis, (first, step, row) => {
      const at = (i: number) => from[first + i * step]!;
      const compare = (i: number, j: number) => {
        const [x, y] = descending ? [at(j), at(i)] : [at(i), at(j)];
        return +Number.isNaN(x) - +Number.isNaN(y) || (x < y ? -1 : x > y ? 1 : i - j);
      };
      for (let i = 0; i < size; i++) order[i] = i;
      order.sort(compare);
      const firstKept = Math.floor(row / step) * step * k + (row % step);
      for (let i = 0; i < k; i++) {
        values[firstKept + i * step] = at(order[i]!);
        places[firstKept + i * step] = order[i]!;
      }
    });
    store(values, places);
  };
}

function scan({ shape, axis, combine, reverse, a, stores }: ScanKernel, machine: Machine): Action {
  const table = machine.table(a, shape);
  const store = machine.epilogue(shape, stores, a.dtype);
  const take = stepOf(combine, a.dtype);
  const extreme = combine === 'max' || combine === 'min';
  const size = shape[axis]!;
  return () => {
    const values = table();
    const places = new Float64Array(values.length);
    rowsAlong(shape, axis, (first, step) => {
      let running = combines[combine].start(a.dtype);
      let cameFrom = 0;
      for (let i = 0; i < size; i++) {
        const position = reverse ? size - 1 - i : i;
        const value = values[first + position * step]!;
        const before = running;
        running = i === 0 ? value : take(before, value, 0, 0);
        // The last of equals: a NaN that follows a NaN takes its place, any other value does not.
        if (extreme && (i === 0 || value === running || Number.isNaN(value))) cameFrom = position;
        values[first + position * step] = running;
        places[first + position * step] = cameFrom;
      }
    });
    store(values, places);
  };
}

// ---------------------------------------------------------------------------------------------------- the backend

class ReferenceBuffer implements DeviceBuffer {
  /** null once freed. */
  data: Data | null;
  readonly bytes: number;
  readonly owner: Backend;
  readonly dtype: DType;
  constructor(owner: Backend, dtype: DType, data: Data) {
    this.owner = owner;
    this.dtype = dtype;
    this.data = data;
    this.bytes = data.byteLength;
  }
}

class ReferenceExecutable implements Executable {
  private readonly action: Action;
  private readonly machine: Machine;
  readonly kernel: Kernel;
  constructor(kernel: Kernel, precision: Precision) {
    this.kernel = kernel;
    this.machine = new Machine(kernel, precision);
    this.action = compileKernel(this.machine);
  }

  run(inputs: readonly Data[], outputs: readonly Data[], uniforms: readonly number[]): void {
    this.machine.start(inputs, outputs, uniforms);
    this.action();
    this.machine.start([], [], []); // hold no memory between runs
  }
}

class ReferenceBackend implements Backend {
  readonly name = 'reference';
  readonly limits: Limits = {
    maxBuffers: Number.MAX_SAFE_INTEGER,
    maxBufferBytes: 2 ** 33,
    inPlace: true,
    operandExpressions: true,
    dtypes: ['float32', 'float16', 'int32', 'uint8', 'bool'],
  };
  private readonly live = new Set<ReferenceBuffer>();
  private bytes = 0;
  private peak = 0;
  private disposed = false;
  private listener: ((timing: KernelTiming) => void) | null = null;

  private readonly precision: Precision;

  constructor(precision: Precision) {
    this.precision = precision;
  }

  allocate(dtype: DType, size: number): DeviceBuffer {
    this.checkAlive();
    const buffer = new ReferenceBuffer(this, dtype, this.array(dtype, size));
    this.live.add(buffer);
    this.bytes += buffer.bytes;
    this.peak = Math.max(this.peak, this.bytes);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    const own: ReferenceBuffer = this.own(buffer);
    own.data = null;
    this.live.delete(own);
    this.bytes -= own.bytes;
  }

  upload(buffer: DeviceBuffer, dtype: DType, data: TypedArray): void {
    const target = this.dataOf(buffer, dtype, data.length);
    target.set(data);
    if (dtype === 'bool') for (let i = 0; i < data.length; i++) target[i] = +(data[i] !== 0);
    if (dtype === 'float16' && this.precision === 'float32') {
      for (let i = 0; i < data.length; i++) target[i] = roundHalf(target[i]!);
    }
  }

  async download(buffer: DeviceBuffer, dtype: DType, size: number): Promise<TypedArray> {
    return this.dataOf(buffer, dtype, size).slice(0, size);
  }

  compile(kernel: Kernel): Executable {
    this.checkAlive();
    return new ReferenceExecutable(kernel, this.precision);
  }

  submit(plan: Plan, buffers: readonly DeviceBuffer[], uniforms: readonly number[]): void {
    for (const step of plan.steps) {
      const before = this.listener ? performance.now() : 0;
      this.runStep(step, buffers, uniforms);
      this.listener?.({ kernel: step.executable.kernel, milliseconds: performance.now() - before });
    }
  }

  private runStep(
    { executable, inputs, outputs, uniforms }: PlanStep,
    buffers: readonly DeviceBuffer[],
    numbers: readonly number[],
  ): void {
    if (!(executable instanceof ReferenceExecutable)) {
      throw new BackendError('reference: the plan has an executable of another backend; compile it here');
    }
    const { kernel } = executable;
    const bind = (operands: Kernel['inputs'], positions: readonly number[]) =>
      operands.map(({ dtype, size }, i) => this.dataOf(buffers[positions[i]!], dtype, size));
    const [from, to] = [bind(kernel.inputs, inputs), bind(kernel.outputs, outputs)];
    to.forEach((data, output) => {
      const shared = from.findIndex((other, input) => other === data && kernel.aliases[output] !== input);
      if (shared < 0 && to.indexOf(data) === output) return;
      throw new BackendError(
        `reference: output ${output} of ${kernel.kind} is also another operand; declare it in aliases`,
      );
    });
    executable.run(
      from,
      to,
      uniforms.map((position) => numbers[position]!),
    );
  }

  async sync(): Promise<void> {}

  memory(): MemoryUse {
    return { bytes: this.bytes, buffers: this.live.size, reserved: this.bytes, peak: this.peak };
  }

  onKernel(listener: ((timing: KernelTiming) => void) | null): void {
    this.listener = listener;
  }

  dispose(): void {
    for (const buffer of [...this.live]) this.free(buffer);
    this.disposed = true;
  }

  private array(dtype: DType, size: number): Data {
    try {
      if (dtype === 'int32') return new Int32Array(size);
      if (dtype === 'uint8' || dtype === 'bool') return new Uint8Array(size);
      return this.precision === 'float64' ? new Float64Array(size) : new Float32Array(size);
    } catch (cause) {
      throw new BackendError(`reference: no memory for ${size} elements of ${dtype}`, { cause });
    }
  }

  private dataOf(buffer: DeviceBuffer | undefined, dtype: DType, size: number): Data {
    const { data, dtype: stored } = this.own(buffer);
    if (stored !== dtype) throw new BackendError(`reference: a buffer of ${stored} is used as ${dtype}`);
    if (size > data.length) throw new BackendError(`reference: ${size} elements do not fit a buffer of ${data.length}`);
    return data;
  }

  private own(buffer: DeviceBuffer | undefined): ReferenceBuffer & { data: Data } {
    this.checkAlive();
    if (!(buffer instanceof ReferenceBuffer) || buffer.owner !== this) {
      throw new BackendError('reference: the buffer belongs to another backend; copy its data over');
    }
    if (!buffer.data) throw new BackendError('reference: the buffer was freed');
    return buffer as ReferenceBuffer & { data: Data };
  }

  private checkAlive(): void {
    if (this.disposed) throw new BackendError('reference: the backend was disposed');
  }
}

/**
 * A backend that interprets kernels in plain JavaScript. `float32` (default) rounds as a device would; `float64` keeps
 * float32 and float16 buffers in Float64Array, rounds nothing, and downloads Float64Array.
 */
export function reference(options: { dtype?: Precision } = {}): Backend {
  return new ReferenceBackend(options.dtype ?? 'float32');
}
