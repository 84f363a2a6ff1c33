/**
 * Store or compute again? A kernel that wants an element-wise value made elsewhere may read what that value is made of
 * instead: backward passes then read a convolution's output and two numbers a channel rather than a stored normalised map
 * and a stored mask. Decided by bytes: what the kernel would load, and what would have to be stored for it. A backend hands
 * the policy over with its limits: this one, or that of `eager.ts`.
 */
import type { Recompute } from '../backend';
import { type ExprOp, exprOps, type PoolSizes } from '../ir';
import type { OpExpr } from '../op';
import { againOf, baseOf, type Item, ownOrInput, type Value } from './graph';
import type { Group } from './group';
import { bytesOf } from './room';

/** A chain with more work than this an element is stored. Functions weigh 1, or as below. */
export const mostWork = 16;
const work: Readonly<Partial<Record<ExprOp, number>>> = { div: 2, sqrt: 2, mod: 4, philox: 40 };
/** exp, sin, pow and the like: functions that make floats of floats. */
const transcendental = 8;
const workOf = (fn: ExprOp): number => work[fn] ?? (exprOps[fn][1] === 'float32' ? transcendental : 1);

/** Smaller values are not worth a thought. */
export const leastBytes = 4096;

/** What computing a value again takes: the element-wise items passed, and the values read at their ends. */
export interface Chain {
  readonly items: Set<Item>;
  readonly ends: Set<Value>;
  work: number;
}

/** For kernels that evaluate an operand about once an element. */
export const recompute: Recompute = (groups, wanted) => {
  if (!groups.every(evaluatesOnce)) return [];
  const known = new Set(groups.flatMap(({ reads }) => [...reads]));
  const candidates = [...known].filter(
    (load) => load.item.group && load.item.lowering?.kind === 'map' && bytesOf(load) >= leastBytes,
  );
  const largestFirst = candidates.sort((a, b) => bytesOf(b) - bytesOf(a));
  const chosen: Item[][] = [];
  // a second look: what the first chose to load may be all that another needs
  for (let look = 0; look < 2; look++) {
    for (const candidate of largestFirst) {
      if (!known.delete(candidate)) continue;
      const chain = chainOf(candidate, (value) => known.has(value));
      const extra = [...chain.ends].filter((end) => !known.has(end));
      const cost = extra.reduce(
        (sum, end) =>
          sum + bytesOf(end) * (end.item.leaf || wanted.has(end) || isLoadedByMaker(end, candidate) ? 1 : 2),
        0,
      );
      const saved = bytesOf(candidate) * (wanted.has(candidate) ? 1 : 2);
      if (chain.work <= mostWork && cost < saved) {
        chosen.push([...chain.items]);
        for (const end of extra) known.add(end);
      } else known.add(candidate);
    }
  }
  return chosen;
};

/** What the group that makes the candidate reads from elsewhere is stored whatever we decide. */
export const isLoadedByMaker = (end: Value, { item }: Value): boolean => end.item.group !== item.group;

/** @param norms go on through what a reduction writes back, too */
export function chainOf(from: Value, stops: (value: Value) => boolean, norms = false): Chain {
  const chain: Chain = { items: new Set(), ends: new Set(), work: 0 };
  const walk = (value: Value): void => {
    const { item } = value;
    if (chain.items.has(item) || chain.work > mostWork) return;
    const { lowering } = item;
    const again = norms ? againOf(item, value.output) : undefined;
    const made = lowering?.kind === 'map' ? lowering.outs : again && [again];
    if (!made || item.node.source?.kind === 'scalar') {
      if (item.leaf || item.group) chain.ends.add(value);
      return;
    }
    chain.items.add(item);
    const seen = new Set<OpExpr>();
    const visit = (expr: OpExpr): void => {
      if (seen.has(expr)) return;
      seen.add(expr);
      if (expr.op === 'apply') {
        chain.work += workOf(expr.fn);
        expr.args.forEach(visit);
      } else if (expr.op === 'read') {
        expr.at?.forEach(visit);
        const base = baseOf(ownOrInput(item, expr.input));
        if (expr.at || base.item === item || stops(base)) chain.ends.add(base);
        else walk(base);
      }
    };
    made.forEach(visit);
  };
  walk(from);
  return chain;
}

/** Kernels that evaluate an operand about once an element: others would repeat the work. */
export function evaluatesOnce({ kind, anchor: { lowering } }: Group): boolean {
  if (lowering?.kind === 'pool') return !overlap(lowering.sizes);
  return kind === 'map' || kind === 'reduce' || kind === 'parts';
}
/** Have windows elements in common? */
export const overlap = ({ kernel, stride }: Pick<PoolSizes, 'kernel' | 'stride'>): boolean =>
  kernel.some((size, axis) => size > (stride[axis] ?? 1));
