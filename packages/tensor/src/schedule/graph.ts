/** The pending graph of some targets as a list of items, inputs first, each with how its op is computed. */
import { BackendError } from '../errors';
import type { DType, View } from '../ir';
import { knownShape, type Node, type Value as NodeValue } from '../node';
import { type Input, type Lowering, type OpDefinition, type OpExpr, read } from '../op';
import { joined, type Move } from '../view';
import type { Group } from './group';

/** A node on its way to a kernel. */
export interface Item {
  readonly node: Node;
  /** Position in the list: inputs come before their users. */
  readonly place: number;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Its values are there when the plan starts. */
  readonly leaf: boolean;
  /** null for leaves and scalars. */
  lowering: Lowering | null;
  /** Each output seen through views, once it was asked for. */
  seen: Seen[];
  /** The stored values that it is computed from (`sources.ts`), once they were asked for. */
  sources: readonly Value[] | null;
  /** The kernel that computes it; null: a leaf, a scalar, a view, or inlined into each user. */
  group: Group | null;
}
/** An output of an item. One object each: sets and maps know it. */
export interface Value {
  readonly item: Item;
  readonly output: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** The kernels that read it. */
  readonly readers: Set<Group>;
}

export interface Graph {
  readonly items: readonly Item[];
  readonly targets: readonly Value[];
  /** Items whose values must be there before, in the order of the plan's leaf table. */
  readonly leaves: readonly Value[];
  /** Numbers that kernels get as uniforms, in order. */
  readonly scalars: readonly Item[];
  /** Equal for graphs of equal structure. */
  readonly key: string;
}

const opIds = new WeakMap<OpDefinition, number>();
let nextOpId = 0;
function opId(op: OpDefinition): number {
  if (!opIds.has(op)) opIds.set(op, nextOpId++);
  return opIds.get(op) as number;
}

/** For JSON, what it loses: NaN, infinities, −0. */
export const exact = (value: unknown): unknown =>
  typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
    ? `#${Object.is(value, -0) ? '-0' : value}`
    : value;

/** Everything between the leaves and the targets, in the order it was made (recomputation stays where it was asked for). */
function reachable(targets: readonly NodeValue[], isLeaf: (node: Node) => boolean): Node[] {
  const found = new Set<Node>();
  const stack = targets.map((target) => target.node);
  while (stack.length) {
    const node = stack.pop() as Node;
    if (found.has(node)) continue;
    found.add(node);
    if (!isLeaf(node)) for (const input of node.inputs) stack.push(input.node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

const nameOf = ({ item, output }: Value): string => `${item.place}.${output}`;

/**
 * @param isLeaf which nodes have values when the plan starts
 * @throws ReadError where a shape has unknown sizes; BackendError where a tensor has neither values nor an op
 */
export function collect(targets: readonly NodeValue[], isLeaf: (node: Node) => boolean): Graph {
  const known = new Map<Node, Item>();
  const leaves: Value[] = [];
  const scalars: Item[] = [];
  const key: string[] = [];
  const items = reachable(targets, isLeaf).map((node, place): Item => {
    const outputs: Value[] = [];
    const leaf = isLeaf(node);
    const scalar = !leaf && node.source?.kind === 'scalar';
    if (!leaf && !scalar && !node.op)
      throw new BackendError(
        `plan: a tensor of shape [${node.outputs[0]?.shape}] (${node.source?.kind ?? 'detached'}) has no values to compute from; was it made inside a compiled function?`,
      );
    const inputs =
      leaf || scalar ? [] : node.inputs.map((input) => known.get(input.node)?.outputs[input.output] as Value);
    const item: Item = { node, place, inputs, outputs, leaf, lowering: null, seen: [], sources: null, group: null };
    node.outputs.forEach((meta, output) => {
      const shape = knownShape(meta, node.op?.opName ?? 'data');
      outputs.push({ item, output, shape, dtype: meta.dtype, readers: new Set() });
    });
    const metas = outputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    if (leaf) {
      leaves.push(...outputs);
      key.push(`L${metas}`);
    } else if (scalar) {
      scalars.push(item);
      key.push(`S${metas}`);
    } else {
      key.push(
        `${opId(node.op as OpDefinition)}(${inputs.map(nameOf)})${JSON.stringify(node.attributes, (_, value: unknown) => exact(value))}`,
      );
    }
    known.set(node, item);
    return item;
  });
  const found = targets.map((target) => known.get(target.node)?.outputs[target.output] as Value);
  key.push(`>${found.map(nameOf)}`);
  return { items, targets: found, leaves, scalars, key: key.join(';') };
}

/** Asks each op how it is computed. Views in `copied` are cut: computed as a copy, for users that cannot look through them. */
export function lowerAll(graph: Graph, copied: ReadonlySet<Item>): void {
  for (const item of graph.items) {
    const { op, attributes } = item.node;
    item.seen = [];
    if (!op || item.leaf) continue;
    const inputs = item.inputs.map(({ shape, dtype }, index) => ({ index, shape, dtype }));
    const lowering = op.lower(inputs, attributes, item.outputs);
    item.lowering = lowering;
    if (lowering.kind === 'view' && copied.has(item)) {
      const [input] = inputs as [Input];
      item.lowering = { kind: 'map', outs: [read(input, undefined, lowering.moves)] };
    }
  }
}

/** A value seen through the views between it and what has the elements. */
export interface Seen {
  readonly value: Value;
  readonly moves: readonly Move[];
  /** The views passed, nearest to the elements first: where to cut when the moves do not make one strided view. */
  readonly views: readonly Item[];
  /** What they make of the elements, once it was asked for. */
  view: View | null;
}

/** Looks through views to the value that is stored (or computed). */
export function seeThrough(value: Value): Seen {
  const { item, output } = value;
  let seen = item.seen[output];
  if (!seen) {
    if (item.lowering?.kind === 'view') {
      const behind = seeThrough(item.inputs[0] as Value);
      const { moves } = item.lowering;
      seen = { value: behind.value, moves: joined(behind.moves, moves), views: [...behind.views, item], view: null };
    } else seen = { value, moves: [], views: [], view: null };
    item.seen[output] = seen;
  }
  return seen;
}
/** The value that has the elements. */
export const baseOf = (value: Value): Value => seeThrough(value).value;

/** What reads number `index` of an item's expressions read: its inputs, behind them its own outputs. */
export const ownOrInput = ({ inputs, outputs }: Item, index: number): Value =>
  (inputs[index] ?? outputs[index - inputs.length]) as Value;

/** How an output of an item is computed where it is not stored: a map, or what a reduction writes back, from its rows. */
export function againOf({ lowering }: Item, output: number): OpExpr | undefined {
  if (lowering?.kind === 'map') return lowering.outs[output];
  return lowering?.kind === 'reduce' ? lowering.outs[output]?.again : undefined;
}
