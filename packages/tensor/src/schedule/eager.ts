/**
 * Store or compute again, where arithmetic is cheap beside memory, as on a GPU. More than `recompute.ts` does: products and windows
 * compute their operands; what a reduction writes back (a norm's map, its gradient) is computed from its rows; and the last
 * steps of a kernel are left to those behind it where they have at hand what it would have to load for them.
 *
 *     conv ── x ── norm's sums ── mean, scale, shift          y = relu((x − mean)·scale + shift) is never stored: the next
 *                └─────────────┴── conv of y                   convolution, its weight gradient and the mask read x
 */
import type { Recompute } from '../backend';
import type { DType } from '../ir';
import { sizeOf } from '../view';
import { againOf, type Item, type Value } from './graph';
import type { Group } from './group';
import { type Chain, chainOf, evaluatesOnce, isLoadedByMaker, leastBytes, mostWork, overlap } from './recompute';
import { excess } from './room';
import { sourcesOf } from './sources';

/** The most work an element of products, whose tiles read it several times over, and of windows that overlap. */
const mostInProducts = 12;
const mostInWindows = 4;

export interface Costs {
  /** Of an element as the backend stores it. */
  readonly bytes: Readonly<Record<DType, number>>;
  /** Buffers that a kernel binds without a table: no kernel computes more for which it would need one. */
  readonly buffers: number;
  /** Elements of a row that a reduction keeps between its passes: what it writes back of a longer one costs a second read. */
  readonly row: number;
}

/** The policy of a backend with such costs. */
export function recomputeEagerly({ bytes, buffers: most, row }: Costs): Recompute {
  const bytesOf = ({ dtype, shape }: Value): number => bytes[dtype] * sizeOf(shape);
  return (groups, wanted, room) => {
    const known = new Set(groups.flatMap(({ reads }) => [...reads]));
    const outputs = groups.flatMap((group) => group.outputs).filter((value) => wanted.has(value));
    const beyond = (...reads: Value[]): number => Math.max(0, excess({ ...room, most }, reads, outputs));
    const candidates = [...known].filter(
      (value) => value.item.group && againOf(value.item, value.output) && bytesOf(value) >= leastBytes,
    );
    const chosen: Item[][] = [];
    for (const candidate of [...candidates, ...candidates].sort((a, b) => bytesOf(b) - bytesOf(a))) {
      if (!known.delete(candidate)) continue;
      // what is stored or not for all of its readers counts in part for each of them
      const { readers } = candidate;
      const part = (value: Value): number => bytesOf(value) / readers.size;
      const storing = (value: Value): number => (wanted.has(value) ? 0 : part(value));
      const limit = Math.min(...Array.from(readers, mostWorkOf));
      const maker = candidate.item.group as Group;
      const long = maker.kind === 'reduce' && sizeOf(maker.domain) > row * maker.rows && !wanted.has(candidate);
      const gainOf = ({ items, ends, work }: Chain): number => {
        if (work > limit || beyond(...known, ...ends) > beyond(...known, candidate)) return 0;
        let gain = bytesOf(candidate) + storing(candidate);
        for (const end of ends)
          if (!known.has(end))
            gain -= bytesOf(end) + (end.item.leaf || isLoadedByMaker(end, candidate) ? 0 : storing(end));
        // what their makers load for them alone, and read once more to write the candidate back
        for (const item of items) {
          const { group, outputs } = item;
          if (!group || outputs.some((value) => wanted.has(value))) continue;
          const others = group.members.flatMap((member) => (member.item === item ? [] : sourcesOf(member.item)));
          for (const value of sourcesOf(item))
            if (value.item.group && value.item.group !== group && !others.includes(value) && !ends.has(value))
              gain += part(value);
        }
        for (const value of sourcesOf(candidate.item))
          if (long && sizeOf(value.shape) === sizeOf(candidate.shape)) gain += part(value);
        return gain;
      };
      const chains = [wanted, null].map((stops) =>
        chainOf(
          candidate,
          (value) =>
            known.has(value) ||
            (!isWidened(value) && (isStored(value) || (stops?.has(value) ?? isLoadedByMaker(value, candidate)))),
          true,
        ),
      );
      const [best] = chains.sort((a, b) => gainOf(b) - gainOf(a)) as [Chain];
      if (gainOf(best) > 0) {
        chosen.push([...best.items]);
        for (const end of best.ends) known.add(end);
      } else known.add(candidate);
    }
    return chosen;
  };
}

/** Is it what a product or pool makes for several kernels? Before its last steps nothing is stored. */
const isStored = ({ item: { group }, readers }: Value): boolean =>
  readers.size > 1 && group !== null && !evaluatesOnce(group);

/** Does it hold what takes fewer bytes where it is read? */
const isWidened = ({ item: { lowering, inputs }, dtype }: Value): boolean =>
  dtype === 'float32' && lowering?.kind === 'map' && lowering.outs[0]?.op === 'read' && inputs[0]?.dtype === 'float16';

/** The work that a reader may do to have a value: less the more often it does so. */
function mostWorkOf(group: Group): number {
  const { lowering } = group.anchor;
  if (evaluatesOnce(group)) return mostWork;
  const byWindows = lowering?.kind === 'pool' || (lowering?.kind === 'conv' && lowering.direction !== 'weightGrad');
  return byWindows && overlap(lowering.sizes) ? mostInWindows : mostInProducts;
}
