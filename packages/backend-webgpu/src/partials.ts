/**
 * Sums over a convolution's result, taken while it is in registers: a reduction over its channels that would read it for them joins
 * what the convolution leaves of each tile instead (`Partials` of the IR). Decided by bytes.
 *
 *     conv ── x ── reduce: Σx, Σ(x − mean)²          conv ─┬─ x
 *                                                          └─ sums of tiles ── reduce: joins them
 *
 * So it is with the statistics of a norm, and with Σg and Σg·(x − mean) of its gradient: then the convolution that makes g reads x.
 */
import {
  type ConvKernel,
  type Expr,
  expr as e,
  isContiguous,
  type Job,
  type Kernel,
  type Load,
  type ReduceKernel,
  type RowStore,
  sizeOf,
  type Uniform,
  type Value,
} from '@tessera/tensor/backend';
import { bytesRead } from './kernels/bytes-read';
import { columnsOf, convChoices } from './kernels/conv';
import { rowsOf } from './kernels/rows';
import { meanUnder } from './kernels/running';
import { operandsOf } from './pages';
import type { Target } from './shader';
import { bytesOf } from './stored';

/** Fewer bytes are not worth a thought. */
const leastGain = 4096;

/** The plan's kernels with sums brought into the convolutions before them. */
export function withPartials(jobs: readonly Job[], target: Target): readonly Job[] {
  const made = [...jobs];
  const makers = new Map(jobs.flatMap(({ outputs }, at) => outputs.map((value) => [value, at] as const)));
  jobs.forEach((reader, at) => {
    if (reader.kernel.kind !== 'reduce') return;
    for (const value of reader.inputs) {
      const from = makers.get(value) ?? -1;
      const maker = made[from];
      if (maker?.kernel.kind !== 'conv') continue;
      const isThere = (other: Value) => (makers.get(other) ?? -1) < from;
      const pair = divided(maker, maker.kernel, reader, reader.kernel, value, isThere, target);
      if (!pair) continue;
      [made[from], made[at]] = pair;
      return;
    }
  });
  return made;
}

/** A convolution that leaves sums of its result, and the reduction that joins them; null where that cannot be, or gains nothing. */
function divided(
  maker: Job,
  conv: ConvKernel,
  reader: Job,
  reduce: ReduceKernel,
  value: Value,
  isThere: (value: Value) => boolean,
  target: Target,
): readonly [Job, Job] | null {
  const { stores, partials, aliases } = conv;
  const shape = shapeOf(conv);
  const store = stores.find(({ output }) => maker.outputs[output] === value);
  const sums = sumsOf(reduce);
  if (!shape || partials || aliases.some((alias) => alias >= 0) || !sums || !store) return null;
  if (`${reduce.shape}|${reduce.axes}` !== `${shape}|${shape.flatMap((_, axis) => (axis === 1 ? [] : axis))}`)
    return null;
  if (!isContiguous(store.view)) return null;
  const [first] = convChoices(conv, target);
  const columns = first && columnsOf(first);
  if (!columns) return null;

  // what is summed, over what the convolution has and reads: of a float16 map what is stored, for that is what the norm sees
  const isHalf = value.dtype === 'float16';
  const summed: Expr = isHalf ? e.acc(1) : store.expr;
  const inputs = [...maker.inputs];
  const scalars = [...maker.scalars];
  const own = rewritten((leaf) => {
    if (leaf.op === 'uniform') return { ...leaf, index: placeIn(scalars, reader.scalars[leaf.index]) };
    const from = reader.inputs[leaf.input] as Value;
    if (leaf.at || (from === value && !isContiguous(leaf.view)) || (from !== value && !isThere(from))) return null;
    return from === value ? summed : { ...leaf, input: placeIn(inputs, from) };
  });
  const left = sums.map(own);
  if (left.includes(null)) return null;
  const parts: Value = {
    ...value,
    output: -1,
    dtype: 'float32',
    shape: [reduce.stages.flat().length, shape[1] as number, Math.ceil(rowsOf(reduce).length / columns)],
    readers: new Set(),
  };
  const leaving: ConvKernel = {
    ...conv,
    partials: {
      ...{ output: maker.outputs.length, columns, sums: left as Expr[], squares: reduce.stages.length > 1 },
      ...(isHalf && { half: stores.indexOf(store) }),
    },
    inputs: inputs.map((one, i) => conv.inputs[i] ?? operandOf(one)),
    uniforms: scalars.map(({ outputs }) => e.computeOf((outputs[0] as Value).dtype)),
    outputs: [...conv.outputs, operandOf(parts)],
    aliases: [...aliases, -1],
  };
  const { kernel: joining, kept } = joined(reduce, sums, columns, operandOf(parts));
  const bytes = (values: readonly Value[]) =>
    values.reduce((sum, one) => sum + bytesOf[one.dtype] * sizeOf(one.shape), 0);
  const gain =
    bytesRead(reduce, target) - bytesRead(joining, target) - bytes([parts, ...inputs.slice(maker.inputs.length)]);
  // none by a table
  if (gain < leastGain || operandsOf(leaving).length >= target.room.buffers) return null;
  if (convChoices(leaving, target).length === 0) return null;
  return [
    { ...maker, kernel: leaving, inputs, scalars, outputs: [...maker.outputs, parts] },
    { ...reader, kernel: joining, inputs: [...kept.map((input) => reader.inputs[input] as Value), parts] },
  ];
}

/** The place of one among those that are there, the last where it is new. */
function placeIn<T>(all: T[], one: T | undefined): number {
  const place = all.indexOf(one as T);
  return place < 0 ? all.push(one as T) - 1 : place;
}
const operandOf = ({ dtype, shape }: Value) => ({ dtype, size: sizeOf(shape) });

/** The map that a convolution makes; null where its tiles are not parts of a channel: of weights, of every other place. */
function shapeOf({ direction, sizes }: ConvKernel): readonly number[] | null {
  if (direction === 'forward') return [sizes.n, sizes.o, ...sizes.output];
  return direction === 'inputGrad' && sizes.stride.every((step) => step === 1)
    ? [sizes.n, sizes.c, ...sizes.input]
    : null;
}

/** What is summed of each element, where the stages are plain sums, or those and the squares about their means; else null. */
function sumsOf(kernel: ReduceKernel): Expr[] | null {
  const [sums = [], squares = [], ...more] = kernel.stages;
  const all = kernel.stages.flat();
  const { length } = rowsOf(kernel);
  const plain = all.every(
    ({ combine, dtype, expr }) => combine === 'sum' && dtype === 'float32' && expr.dtype === dtype,
  );
  const paired = kernel.stages.length < 2 || squares.length === sums.length;
  if (!plain || more.length || !paired || !squares.every((one, i) => meanUnder(one, all, length) === i)) return null;
  return sums.map(({ expr }) => expr);
}

/** The reduction with its sums joined from what its last input is, and which of its inputs it still reads. */
function joined(kernel: ReduceKernel, sums: readonly Expr[], columns: number, operand: Kernel['inputs'][number]) {
  const nothing = new Map<Expr, Expr>(sums.map((expr) => [expr, { ...e.constant(0) }]));
  const read = new Set<number>();
  const see = rewritten((leaf) => {
    if (leaf.op === 'load') read.add(leaf.input);
    return leaf;
  });
  for (const { expr } of kernel.stores) see(expr);
  const kept = [...read].sort((a, b) => a - b);
  const moved = rewritten((leaf) => (leaf.op === 'load' ? { ...leaf, input: kept.indexOf(leaf.input) } : leaf));
  const stores = kernel.stores.map((store): RowStore => ({ ...store, expr: moved(store.expr) as Expr }));
  const stages = kernel.stages.map((stage) =>
    stage.map((one) => ({ ...one, expr: e.rewrite<Load>(one.expr, (leaf) => leaf, nothing) })),
  );
  const inputs = [...kept.map((input) => kernel.inputs[input] as typeof operand), operand];
  return { kernel: { ...kernel, stages, stores, inputs, joins: { input: kept.length, columns } }, kept };
}

/** Expressions with what each load and number becomes, shared parts still shared; null where one has nothing to be. */
function rewritten(become: (leaf: Load | Uniform) => Expr | null): (expr: Expr) => Expr | null {
  const memo = new Map<Expr, Expr>();
  let whole = true;
  const visit = (expr: Expr): Expr =>
    e.rewrite<Load>(
      expr,
      (leaf) => {
        if (leaf.op !== 'load' && leaf.op !== 'uniform') return leaf;
        const made = become(leaf.op === 'load' && leaf.at ? { ...leaf, at: leaf.at.map(visit) } : leaf);
        whole &&= made !== null;
        return made ?? leaf;
      },
      memo,
    );
  return (expr) => {
    const made = visit(expr);
    return whole ? made : null;
  };
}
