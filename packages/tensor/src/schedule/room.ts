/** How many buffers a kernel may bind, and what to take out of one that would bind more. */
import type { Recompute } from '../backend';
import { BackendError } from '../errors';
import { elementBytes } from '../ir';
import { nameOf } from '../node';
import { sizeOf } from '../view';
import { baseOf, type Item, type Value } from './graph';
import type { Group } from './group';
import { sourcesOf } from './sources';

export const bytesOf = ({ dtype, shape }: Value): number => elementBytes[dtype] * sizeOf(shape);

export interface Room {
  /** Buffers that a kernel of the backend binds. */
  readonly most: number;
  /** Values that are stored whoever reads them. */
  readonly targets: ReadonlySet<Value>;
  /** Values that are to be written over a leaf: where the kernel reads the leaf too, one buffer serves both. */
  readonly over: ReadonlyMap<Value, Value>;
  readonly recompute: Recompute | undefined;
}

/** Buffers beyond those that a kernel can bind, for one that reads and stores these; at most 0 where there are none. */
export function excess({ most, over }: Room, inputs: readonly Value[], outputs: readonly Value[]): number {
  if (inputs.length + outputs.length <= most) return 0;
  const reads = new Set(inputs);
  return reads.size + outputs.filter((value) => !reads.has(over.get(value) as Value)).length - most;
}

/**
 * What gets a kernel of its own where a group binds so many buffers too many: members that none of the others reads, the least
 * bytes first; where there is only the anchor, what is computed within it. @throws BackendError where there is nothing
 */
export function outOf({ members, anchor }: Group, more: number, { most }: Room): Item[] {
  const kept = new Set(members.map(({ item }) => item));
  const out: Item[] = [];
  while (out.length < more && kept.size > 1) {
    const read = new Set([...kept].flatMap((item) => sourcesOf(item).map((value) => value.item)).concat(anchor));
    const bytes = ({ outputs: [first] }: Item): number => bytesOf(first as Value);
    const [least] = [...kept].filter((item) => !read.has(item)).sort((a, b) => bytes(a) - bytes(b)) as [Item];
    kept.delete(least);
    out.push(least);
  }
  for (const input of out.length ? [] : anchor.inputs) {
    const { item } = baseOf(input);
    if (!item.group && item.lowering) out.push(item);
  }
  if (out.length) return out;
  throw new BackendError(
    `${nameOf(anchor.node)}: its kernel binds ${most + more} buffers, the backend has ${most}; give it fewer inputs`,
  );
}
