/**
 * How far a float32 kernel may stray from the float64 one: a running error analysis, itself written as kernels and run by the
 * reference. Every expression has a slack: the error of its float32 value, to first order, in units of u = 2⁻²⁴. A sum of K
 * terms adds 3·√K·Σ|term| to the terms' own slack; functions add what `own` says. null is a slack of nothing (exact).
 */
import {
  type Acc,
  type Backend,
  contiguous,
  type Expr,
  type ExprOp,
  expr as e,
  type Kernel,
  type Load,
  type MapPart,
  type Operand,
  type Plan,
  type ReduceKernel,
  type Store,
  sizeOf,
  type TypedArray,
} from '@tessera/tensor/backend';
import type { Accuracy, KernelCase } from './kernels';

type Slack = Expr | null;
/** An expression whose accumulators are replaced by what holds them, and its slack. */
interface Bound {
  readonly value: Expr;
  readonly slack: Slack;
}
type Accumulators = (acc: Acc) => Bound;

const number = (value: number): Expr => e.constant(value);
const abs = (x: Expr): Expr => e.apply('abs', [x]);
const square = (x: Expr): Expr => e.mul(x, x);
const inverse = (x: Expr): Expr => e.div(number(1), x);
const plus = (a: Slack, b: Slack): Slack => (a && b ? e.add(a, b) : (a ?? b));
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

function bound(expr: Expr, accuracy: Accuracy, accumulators: Accumulators, memo = new Map<Expr, Bound>()): Bound {
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

const noAccumulators: Accumulators = () => {
  throw new Error('testkit: an accumulator is used before the kernel has made it');
};

/** One array an output: how many u each element may miss by; null where all of it is exact. */
export async function slackOf(c: KernelCase, accuracy: Accuracy, oracle: Backend): Promise<(TypedArray | null)[]> {
  const { kernel } = c;
  // Bounds are written where the outputs would be, in float32 (which is float64 here) whatever the output's dtype.
  const outputs = kernel.outputs.map(({ size }): Operand => ({ dtype: 'float32', size }));
  const base = { inputs: kernel.inputs, outputs, uniforms: kernel.uniforms, aliases: outputs.map(() => -1) };
  const bounded = <S extends Store>(stores: readonly S[], accumulators: Accumulators): S[] => {
    const memo = new Map<Expr, Bound>();
    return stores.map((store) => ({
      ...store,
      expr: bound(store.expr, accuracy, accumulators, memo).slack ?? number(0),
    }));
  };
  const run = (kernel: Kernel, inputs: readonly TypedArray[]) => execute(oracle, kernel, inputs, c.uniforms);

  if (kernel.kind === 'map') {
    const parts = kernel.parts.map(
      ({ shape, stores }): MapPart => ({ shape, stores: bounded(stores, noAccumulators) }),
    );
    return run({ kind: 'map', parts, ...base }, c.inputs);
  }
  if (kernel.kind === 'reduce') {
    const { stages, accumulators } = reduceBounds(kernel, accuracy);
    return run({ ...kernel, ...base, stages, stores: bounded(kernel.stores, accumulators) }, c.inputs);
  }

  // The other kinds: tabulate acc0 (and acc1), and the slack of acc0; then the stores are a map that loads these tables.
  const { shape, slackKernel, relative } = tables(kernel, accuracy);
  const whole = contiguous(shape);
  const size = sizeOf(shape);
  const type = kernel.kind === 'scatter' ? kernel.init.dtype : kernel.a.dtype;
  const valueOperand: Operand = { dtype: type === 'float32' ? 'float32' : 'int32', size };
  const tableOperands: Operand[] = [valueOperand, { dtype: 'int32', size }, { dtype: 'float32', size }];
  const store = (index: number, dtype: Acc['dtype']): Store => ({
    output: index,
    view: whole,
    expr: e.acc(index, dtype),
  });
  const hasPlaces = kernel.kind === 'sort' || kernel.kind === 'scan' || kernel.kind === 'pool';
  const stores = hasPlaces
    ? [store(0, valueOperand.dtype as Acc['dtype']), store(1, 'int32')]
    : [store(0, valueOperand.dtype as Acc['dtype'])];
  const tabulated = { outputs: tableOperands.slice(0, stores.length), aliases: stores.map(() => -1), stores };
  const [values, places] = await run({ ...kernel, ...tabulated } as Kernel, c.inputs);
  const slackTable = { outputs: [tableOperands[2] as Operand], aliases: [-1], stores: [store(0, 'float32')] };
  const [slack] = slackKernel ? await run({ ...slackKernel, ...slackTable } as Kernel, c.inputs) : [];

  const first = kernel.inputs.length;
  const load = (table: number, dtype: Acc['dtype']): Load => ({
    op: 'load',
    dtype,
    input: first + table,
    view: whole,
    at: null,
  });
  const accumulators: Accumulators = (acc) => {
    if (acc.index === 1) return { value: load(1, 'int32'), slack: null };
    const value = load(0, acc.dtype);
    if (relative) return { value, slack: e.mul(number(relative), abs(value)) };
    return { value, slack: slack ? load(2, 'float32') : null };
  };
  return run(
    {
      kind: 'map',
      ...base,
      inputs: [...kernel.inputs, ...tableOperands],
      parts: [{ shape, stores: bounded(kernel.stores, accumulators) }],
    },
    [...c.inputs, values as TypedArray, places ?? new Int32Array(size), slack ?? new Float64Array(size)],
  );
}

/** 3·√K: what a sum of K terms may miss by, as a multiple of u·Σ|term|. */
const spread = (terms: number): Expr => number(3 * Math.sqrt(Math.max(1, terms)));

type TableKernel = Exclude<Kernel, { kind: 'map' | 'reduce' }>;

/** Over which shape the results of a kernel lie, and a kernel whose acc0 is their slack (or how much it is of |acc0|). */
function tables(
  kernel: TableKernel,
  accuracy: Accuracy,
): { shape: readonly number[]; slackKernel: TableKernel | null; relative?: number } {
  const memo = new Map<Expr, Bound>();
  const boundOf = (expr: Expr) => bound(expr, accuracy, noAccumulators, memo);
  /** Slack of each term of a sum, and of adding it. */
  const summed = (expr: Expr, terms: number): Expr => {
    const { value, slack } = boundOf(expr);
    return plus(slack, e.mul(spread(terms), abs(value))) as Expr;
  };
  /** Operands whose product is the slack of a·b plus a term of second order: (|a| + sₐ/s)·(s·|b| + s_b), s = 3√K. */
  const product = (a: Expr, b: Expr, terms: number) => {
    const [x, y] = [boundOf(a), boundOf(b)];
    const scale = spread(terms);
    return {
      a: plus(abs(x.value), x.slack && e.div(x.slack, scale)) as Expr,
      b: plus(e.mul(scale, abs(y.value)), y.slack) as Expr,
    };
  };
  switch (kernel.kind) {
    case 'matmul': {
      const shape = [...kernel.batch, kernel.m, kernel.n];
      return { shape, slackKernel: { ...kernel, ...product(kernel.a, kernel.b, kernel.k) } };
    }
    case 'conv': {
      const { n, c, o, groups, input, kernel: window, output } = kernel.sizes;
      const [shape, terms] = {
        forward: [[n, o, ...output], (c / groups) * sizeOf(window)] as const,
        inputGrad: [[n, c, ...input], (o / groups) * sizeOf(window)] as const,
        weightGrad: [[o, c / groups, ...window], n * sizeOf(output)] as const,
      }[kernel.direction];
      return { shape, slackKernel: { ...kernel, ...product(kernel.a, kernel.b, terms) } };
    }
    case 'pool': {
      const { batch, input, kernel: window, output } = kernel.sizes;
      const shape = kernel.direction === 'forward' ? [batch, ...output] : [batch, ...input];
      if (kernel.direction === 'backward' || kernel.combine === 'sum') {
        return { shape, slackKernel: { ...kernel, a: summed(kernel.a, sizeOf(window)) } };
      }
      const { slack } = boundOf(kernel.a);
      return { shape, slackKernel: slack && { ...kernel, a: slack } };
    }
    case 'scatter': {
      const { shape, combine, init, value, updates } = kernel;
      if (init.dtype !== 'float32') return { shape, slackKernel: null };
      if (combine === 'mul') return { shape, slackKernel: null, relative: sizeOf(updates) + 1 };
      if (combine === 'add') {
        const terms = sizeOf(updates) + 1;
        return { shape, slackKernel: { ...kernel, init: summed(init, terms), value: summed(value, terms) } };
      }
      const slackKernel: TableKernel = {
        ...kernel,
        combine: combine === 'assign' ? 'assign' : 'max',
        init: boundOf(init).slack ?? number(0),
        value: boundOf(value).slack ?? number(0),
      };
      return { shape, slackKernel };
    }
    case 'sort':
      return { shape: kernel.shape.map((size, i) => (i === kernel.axis ? kernel.k : size)), slackKernel: null };
    case 'scan': {
      const { shape, combine, axis } = kernel;
      const terms = shape[axis] as number;
      if (kernel.a.dtype !== 'float32') return { shape, slackKernel: null };
      if (combine === 'sum') return { shape, slackKernel: { ...kernel, a: summed(kernel.a, terms) } };
      // Products and their terms drift relatively; the generator keeps the terms' own slack below 64 u.
      if (combine === 'prod') return { shape, slackKernel: null, relative: 64 * terms };
      return { shape, slackKernel: null };
    }
    default:
      return kernel satisfies never;
  }
}

/** The stages of a reduction with a companion accumulator for the slack of each float one. */
function reduceBounds({ shape, axes, stages }: ReduceKernel, accuracy: Accuracy) {
  const terms = axes.reduce((product, axis) => product * (shape[axis] as number), 1);
  const known: Bound[] = [];
  let next = 0;
  const accumulators: Accumulators = (acc) => known[acc.index] as Bound;
  const made = stages.map((stage) => {
    const memo = new Map<Expr, Bound>();
    const bounds = stage.map(({ expr }) => bound(expr, accuracy, accumulators, memo));
    const result = stage.map((accumulate, i) => ({ ...accumulate, expr: (bounds[i] as Bound).value }));
    const indexes = stage.map(() => next++);
    const companion = (combine: 'sum' | 'max', expr: Expr): Expr => {
      result.push({ combine, expr, dtype: 'float32' });
      return e.acc(next++);
    };
    stage.forEach(({ combine, dtype }, i) => {
      const { value, slack } = bounds[i] as Bound;
      const acc = e.acc(indexes[i] as number, dtype);
      const slackOfAcc = (): Slack => {
        if (dtype !== 'float32') return null;
        switch (combine) {
          case 'sum':
            return companion('sum', plus(slack, e.mul(spread(terms), abs(value))) as Expr);
          case 'prod':
            return e.mul(
              abs(acc),
              e.add(number(terms), slack ? companion('sum', e.div(slack, abs(value))) : number(0)),
            );
          case 'max':
          case 'min':
            // The companion starts from −∞; a slack is never negative.
            return slack && e.apply('max', [number(0), companion('max', slack)]);
          case 'argmax':
          case 'argmin':
            return null;
        }
      };
      known.push({ value: acc, slack: slackOfAcc() });
    });
    return result;
  });
  return { stages: made, accumulators };
}

async function execute(oracle: Backend, kernel: Kernel, inputs: readonly TypedArray[], uniforms: readonly number[]) {
  const upload = ({ dtype, size }: Operand, data: TypedArray) => {
    const buffer = oracle.allocate(dtype, size);
    oracle.upload(buffer, dtype, data);
    return buffer;
  };
  const from = kernel.inputs.map((operand, i) => upload(operand, inputs[i] as TypedArray));
  const to = kernel.outputs.map(({ dtype, size }) => oracle.allocate(dtype, size));
  const plan: Plan = {
    steps: [
      {
        executable: oracle.compile(kernel),
        inputs: from.map((_, i) => i),
        outputs: to.map((_, i) => from.length + i),
        uniforms: uniforms.map((_, i) => i),
      },
    ],
  };
  oracle.submit(plan, [...from, ...to], uniforms);
  const results = await Promise.all(
    to.map((buffer, i) => {
      const { dtype, size } = kernel.outputs[i] as Operand;
      return oracle.download(buffer, dtype, size);
    }),
  );
  for (const buffer of [...from, ...to]) oracle.free(buffer);
  return results;
}
