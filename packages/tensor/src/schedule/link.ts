/** Values get places in a plan's table of buffers: leaves, slots that are used over and over, results. */
import type { Limits } from '../backend';
import { BackendError, DTypeError } from '../errors';
import { type DType, elementBytes, type Kernel } from '../ir';
import { nameOf } from '../node';
import { sizeOf } from '../view';
import type { Job } from './emit';
import { type Graph, type Input, type Item, keyOf, seeThrough } from './graph';

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
  /** The buffers that live only while the plan runs; of each dtype the largest first. */
  readonly slots: readonly { readonly dtype: DType; readonly size: number }[];
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
  readonly value: Input;
  /** The leaf it is written over. */
  leaf: number | null;
}
/** Reorders jobs and sets `leaf` of results that may be written over leaves. `targets`: which result each target is. */
export type Arrange = (
  jobs: readonly Job[],
  results: readonly Result[],
  targets: readonly number[],
  graph: Graph,
) => readonly Job[];

export function link(graph: Graph, found: readonly Job[], limits: Limits, arrange?: Arrange): Program {
  const bases = graph.targets.map((target) => seeThrough(target));
  const results: Result[] = [];
  const resultOf = new Map<string, number>();
  const targets = bases.map((base) => {
    const key = keyOf(base);
    let result = resultOf.get(key);
    if (result === undefined) {
      const { dtype, shape } = base.item.outputs[base.output] as Item['outputs'][number];
      result = results.push({ dtype, size: sizeOf(shape), leaf: null, value: base }) - 1;
      resultOf.set(key, result);
    }
    return result;
  });
  for (const job of found) for (const value of [...job.inputs, ...job.outputs]) checkSize(value, limits);
  const leafPlace = new Map(graph.leaves.map((leaf, place) => [keyOf(leaf), place]));
  const jobs = limits.inPlace && arrange ? arrange(found, results, targets, graph) : found;

  const lastUse = new Map<string, number>();
  jobs.forEach((job, time) => {
    for (const value of [...job.inputs, ...job.outputs]) lastUse.set(keyOf(value), time);
  });
  const slotOf = new Map<string, number>();
  const slots: { dtype: DType; size: number; free: boolean }[] = [];
  /** The smallest free slot that is large enough, else the largest, which grows. */
  const take = (dtype: DType, size: number): number => {
    const free = slots.map((_, i) => i).filter((i) => slots[i]?.free && slots[i]?.dtype === dtype);
    const sizeOfSlot = (i: number): number => slots[i]?.size ?? 0;
    const best =
      free.sort((a, b) => sizeOfSlot(a) - sizeOfSlot(b)).find((i) => sizeOfSlot(i) >= size) ?? free[free.length - 1];
    const slot = slots[best ?? -1];
    if (best === undefined || !slot) return slots.push({ dtype, size, free: false }) - 1;
    slot.size = Math.max(slot.size, size);
    slot.free = false;
    return best;
  };
  jobs.forEach((job, time) => {
    // inputs too: a value of no elements has a place, though no job makes it
    for (const value of [...job.outputs, ...job.inputs]) {
      const key = keyOf(value);
      const { dtype, shape } = value.item.outputs[value.output] as Item['outputs'][number];
      if (!resultOf.has(key) && !leafPlace.has(key) && !slotOf.has(key)) slotOf.set(key, take(dtype, sizeOf(shape)));
    }
    for (const value of [...job.inputs, ...job.outputs]) {
      const slot = slots[slotOf.get(keyOf(value)) ?? -1];
      if (slot && lastUse.get(keyOf(value)) === time) slot.free = true;
    }
  });
  const bySize = slots.map((_, i) => i).sort((a, b) => (slots[b]?.size ?? 0) - (slots[a]?.size ?? 0) || a - b);
  const rank = new Map(bySize.map((slot, place) => [slot, place]));

  const place = (value: Input): number => {
    const key = keyOf(value);
    const leaf = leafPlace.get(key);
    if (leaf !== undefined) return leaf;
    const result = resultOf.get(key);
    if (result === undefined) return graph.leaves.length + (rank.get(slotOf.get(key) as number) as number);
    return results[result]?.leaf ?? graph.leaves.length + slots.length + result;
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
    slots: bySize.map((slot) => ({ dtype: slots[slot]?.dtype ?? 'float32', size: slots[slot]?.size ?? 0 })),
    results: results.map(({ dtype, size, leaf }) => ({ dtype, size, leaf })),
    targets,
  };
}

/** @throws DTypeError, BackendError where the backend cannot hold a value */
function checkSize({ item, output }: Input, limits: Limits): void {
  const { dtype, shape } = item.outputs[output] as Item['outputs'][number];
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
