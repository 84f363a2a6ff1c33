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
import type { Accuracy, KernelCase } from '../kernels';
import { type Accumulators, abs, type Bound, bound, number, plus, type Slack } from './expression-bounds';

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

  if (kernel.kind === 'custom')
    throw new TypeError(`${kernel.name} is code of its own: nothing here says what it computes`);

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

type TableKernel = Exclude<Kernel, { kind: 'map' | 'reduce' | 'custom' }>;

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
