/**
 * Store or compute again? A kernel that wants an element-wise value made elsewhere may read what that value is made of
 * instead: backward passes then read a convolution's output and two numbers a channel rather than a stored normalised map
 * and a stored mask. Decided by bytes: what the kernel would load, and what would have to be stored for it.
 */
import { type ExprOp, elementBytes, exprOps } from '../ir';
import type { OpExpr } from '../op';
import { sizeOf } from '../view';
import { type Input, type Item, keyOf, seeThrough, type Wanted } from './graph';
import type { Group } from './group';

/** A chain with more work than this an element is stored. Functions weigh 1, or as below. */
const mostWork = 16;
const work: Readonly<Partial<Record<ExprOp, number>>> = { div: 2, sqrt: 2, mod: 4, philox: 40 };
/** exp, sin, pow and the like: functions that make floats of floats. */
const transcendental = 8;
const workOf = (fn: ExprOp): number => work[fn] ?? (exprOps[fn][1] === 'float32' ? transcendental : 1);

/** Smaller values are not worth a thought. */
const leastBytes = 4096;

const bytesOf = ({ item, output }: Input): number => {
  const { dtype, shape } = item.outputs[output] as Item['outputs'][number];
  return elementBytes[dtype] * sizeOf(shape);
};

/** What computing a value again takes: the element-wise items passed, and the values read at their ends. */
interface Chain {
  readonly items: Set<Item>;
  readonly ends: Map<string, Input>;
  work: number;
}

/** Values among the kernel's loads that it should rather compute, with the items on the way to what it then loads. */
export function worthRecomputing(loads: readonly Input[], wanted: Wanted): Set<Item>[] {
  const isWanted = ({ item, output }: Input): boolean => wanted.get(item)?.has(output) ?? false;
  const known = new Map(loads.map((load) => [keyOf(load), load]));
  const candidates = loads.filter(
    (load) => load.item.group && load.item.lowering?.kind === 'map' && bytesOf(load) >= leastBytes,
  );
  const largestFirst = candidates.sort((a, b) => bytesOf(b) - bytesOf(a));
  const chosen: Set<Item>[] = [];
  // a second look: what the first chose to load may be all that another needs
  for (let look = 0; look < 2; look++) {
    for (const candidate of largestFirst) {
      const key = keyOf(candidate);
      if (!known.has(key)) continue;
      known.delete(key);
      const chain = chainOf(candidate, known);
      const extra = [...chain.ends.values()].filter((end) => !known.has(keyOf(end)));
      const cost = extra.reduce(
        (sum, end) => sum + bytesOf(end) * (end.item.leaf || isWanted(end) || isLoadedByMaker(end, candidate) ? 1 : 2),
        0,
      );
      const saved = bytesOf(candidate) * (isWanted(candidate) ? 1 : 2);
      if (chain.work <= mostWork && cost < saved) {
        chosen.push(chain.items);
        for (const end of extra) known.set(keyOf(end), end);
      } else known.set(key, candidate);
    }
  }
  return chosen;
}

/** What the group that makes the candidate reads from elsewhere is stored whatever we decide. */
const isLoadedByMaker = (end: Input, { item }: Input): boolean => end.item.group !== item.group;

function chainOf(from: Input, known: ReadonlyMap<string, Input>): Chain {
  const chain: Chain = { items: new Set(), ends: new Map(), work: 0 };
  const walk = ({ item, output }: Input): void => {
    if (chain.items.has(item) || chain.work > mostWork) return;
    if (item.lowering?.kind !== 'map' || item.node.source?.kind === 'scalar') {
      if (item.leaf || item.group) chain.ends.set(keyOf({ item, output }), { item, output });
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
        const base = seeThrough(item.inputs[expr.input] as Input);
        if (expr.at || known.has(keyOf(base))) chain.ends.set(keyOf(base), { item: base.item, output: base.output });
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
