/**
 * Store or compute again? A kernel that wants an element-wise value made elsewhere may read what that value is made of
 * instead: backward passes then read a convolution's output and two numbers a channel rather than a stored normalised map
 * and a stored mask. Decided by bytes: what the kernel would load, and what would have to be stored for it.
 */
import { type ExprOp, exprOps } from '../ir';
import type { OpExpr } from '../op';
import { baseOf, type Item, type Value } from './graph';
import type { Group } from './group';
import { bytesOf } from './room';

/** A chain with more work than this an element is stored. Functions weigh 1, or as below. */
const mostWork = 16;
const work: Readonly<Partial<Record<ExprOp, number>>> = { div: 2, sqrt: 2, mod: 4, philox: 40 };
/** exp, sin, pow and the like: functions that make floats of floats. */
const transcendental = 8;
const workOf = (fn: ExprOp): number => work[fn] ?? (exprOps[fn][1] === 'float32' ? transcendental : 1);

/** Smaller values are not worth a thought. */
const leastBytes = 4096;

/** What computing a value again takes: the element-wise items passed, and the values read at their ends. */
interface Chain {
  readonly items: Set<Item>;
  readonly ends: Set<Value>;
  work: number;
}

/** Values among the kernel's loads that it should rather compute, with the items on the way to what it then loads. */
export function worthRecomputing(loads: readonly Value[], wanted: ReadonlySet<Value>): Item[][] {
  const known = new Set(loads);
  const candidates = loads.filter(
    (load) => load.item.group && load.item.lowering?.kind === 'map' && bytesOf(load) >= leastBytes,
  );
  const largestFirst = candidates.sort((a, b) => bytesOf(b) - bytesOf(a));
  const chosen: Item[][] = [];
  // a second look: what the first chose to load may be all that another needs
  for (let look = 0; look < 2; look++) {
    for (const candidate of largestFirst) {
      if (!known.delete(candidate)) continue;
      const chain = chainOf(candidate, known);
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
}

/** What the group that makes the candidate reads from elsewhere is stored whatever we decide. */
const isLoadedByMaker = (end: Value, { item }: Value): boolean => end.item.group !== item.group;

function chainOf(from: Value, known: ReadonlySet<Value>): Chain {
  const chain: Chain = { items: new Set(), ends: new Set(), work: 0 };
  const walk = (value: Value): void => {
    const { item } = value;
    if (chain.items.has(item) || chain.work > mostWork) return;
    if (item.lowering?.kind !== 'map' || item.node.source?.kind === 'scalar') {
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
        const base = baseOf(item.inputs[expr.input] as Value);
        if (expr.at || known.has(base)) chain.ends.add(base);
        else walk(base);
      }
    };
    item.lowering.outs.forEach(visit);
  };
  walk(from);
  return chain;
}

/** Kernels that evaluate an operand about once an element: others would repeat the work. */
export function evaluatesOnce(group: Group): boolean {
  const { lowering } = group.anchor;
  if (lowering?.kind === 'pool')
    return lowering.sizes.kernel.every((size, axis) => size <= (lowering.sizes.stride[axis] ?? 1));
  return lowering?.kind === 'map' || lowering?.kind === 'reduce' || lowering?.kind === 'parts';
}
