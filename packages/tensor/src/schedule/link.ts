/** Values get places in a plan's table of buffers: leaves, slots that are used over and over, results. */
import type { Limits } from '../backend';
import { BackendError, DTypeError } from '../errors';
import { type DType, elementBytes, type Kernel } from '../ir';
import { nameOf } from '../node';
import { sizeOf } from '../view';
import type { Job } from './emit';
import { baseOf, type Graph, type Value } from './graph';

/** Positions in a plan's table of buffers: first the leaves, then the slots, then the results. */
export interface Step {
  readonly kernel: Kernel;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Positions in the plan's table of scalars. */
  readonly uniforms: readonly number[];
  readonly ops: readonly string[];
}
export interface Program {
  readonly steps: readonly Step[];
  readonly leaves: number;
  /**
   * The buffers that live only while the plan runs; of each kind the largest first. Kinds tell large from small, too, for a backend may
   * bind or lay out those otherwise.
   */
  readonly slots: readonly { readonly dtype: DType; readonly size: number; readonly kind: string }[];
  /** What the plan makes, without repetition. `leaf`: written into that leaf's own buffer. */
  readonly results: readonly {
    readonly dtype: DType;
    readonly size: number;
    readonly leaf: number | null;
  }[];
  /** Which result each target is. */
  readonly targets: readonly number[];
}

/** A value that the plan makes. */
export interface Result {
  readonly dtype: DType;
  readonly size: number;
  readonly value: Value;
  /** The leaf it is written over. */
  leaf: number | null;
}
export interface Arrange {
  /** Values that may be written over a leaf, and that leaf. */
  over(graph: Graph): Map<Value, Value>;
  /** Does a kernel bind more than so many buffers, for values that are not written over their leaf after all? Then `over` knows. */
  fails(program: Program, most: number): boolean;
  /** Reorders jobs and sets `leaf` of results that may be written over leaves. `targets`: which result each target is. */
  order(jobs: readonly Job[], results: readonly Result[], targets: readonly number[], graph: Graph): readonly Job[];
}

export function link(graph: Graph, found: readonly Job[], limits: Limits, arrange?: Arrange): Program {
  const made = [...new Set(graph.targets.map(baseOf))];
  const results = made.map((value): Result => ({ dtype: value.dtype, size: sizeOf(value.shape), leaf: null, value }));
  const resultOf = new Map(made.map((value, place) => [value, place]));
  const targets = graph.targets.map((target) => resultOf.get(baseOf(target)) as number);
  for (const value of new Set(found.flatMap(valuesOf))) checkSize(value, limits);
  const leafPlace = new Map(graph.leaves.map((leaf, place) => [leaf, place]));
  const jobs = arrange?.order(found, results, targets, graph) ?? found;

  const lastUse = new Map<Value, number>();
  jobs.forEach((job, time) => {
    for (const value of valuesOf(job)) lastUse.set(value, time);
  });
  interface Slot {
    readonly dtype: DType;
    size: number;
    readonly kind: string;
    free: boolean;
  }
  const slotOf = new Map<Value, Slot>();
  const slots: Slot[] = [];
  /** The smallest free slot that is large enough, else the largest, which grows; small values have theirs. */
  const take = (dtype: DType, size: number): Slot => {
    const kind = dtype + (size > 2 ** 18);
    let slot = slots.reduce<Slot | null>((best, each) => {
      const most = best?.size ?? -1;
      const better = most < size ? each.size >= most : each.size >= size && each.size < most;
      return each.free && each.kind === kind && better ? each : best;
    }, null);
    if (!slot) slots.push((slot = { dtype, size, kind, free: false }));
    slot.size = Math.max(slot.size, size);
    slot.free = false;
    return slot;
  };
  jobs.forEach((job, time) => {
    // inputs too: a value of no elements has a place, though no job makes it
    for (const value of valuesOf(job))
      if (!resultOf.has(value) && !leafPlace.has(value) && !slotOf.has(value))
        slotOf.set(value, take(value.dtype, sizeOf(value.shape)));
    for (const value of valuesOf(job)) {
      const slot = slotOf.get(value);
      if (slot && lastUse.get(value) === time) slot.free = true;
    }
  });
  slots.sort((a, b) => b.size - a.size);

  const first = graph.leaves.length;
  const place = (value: Value): number => {
    const slot = slotOf.get(value);
    if (slot) return first + slots.indexOf(slot);
    const result = resultOf.get(value) as number;
    return leafPlace.get(value) ?? results[result]?.leaf ?? first + slots.length + result;
  };
  const steps = jobs.map(({ kernel, inputs, outputs, scalars, ops }): Step => {
    const ins = inputs.map(place);
    const outs = outputs.map(place);
    const aliases = outs.map((out) => ins.indexOf(out));
    return {
      kernel: aliases.some((alias) => alias >= 0) ? { ...kernel, aliases } : kernel,
      inputs: ins,
      outputs: outs,
      uniforms: scalars.map((scalar) => graph.scalars.indexOf(scalar)),
      ops,
    };
  });
  return {
    steps,
    leaves: graph.leaves.length,
    slots,
    results: results.map(({ dtype, size, leaf }) => ({ dtype, size, leaf })),
    targets,
  };
}

const valuesOf = ({ inputs, outputs }: Job): Value[] => [...inputs, ...outputs];

/** @throws DTypeError, BackendError where the backend cannot hold a value */
function checkSize({ item, dtype, shape }: Value, limits: Limits): void {
  const what = `${nameOf(item.node)}: a ${dtype} value of shape [${shape}]`;
  if (!limits.dtypes.includes(dtype))
    throw new DTypeError(`${what} is wanted, the backend stores ${limits.dtypes.join(', ')}; cast it first`);
  const size = sizeOf(shape);
  const bytes = size * elementBytes[dtype];
  if (size >= 2 ** 31 || bytes > limits.maxBufferBytes)
    throw new BackendError(
      `${what} needs ${bytes} bytes, the backend holds at most ${Math.min(limits.maxBufferBytes, 2 ** 31 * 4)} in one buffer; use a smaller batch or layer, or stride and pooling before it`,
    );
}
