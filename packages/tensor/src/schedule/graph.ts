/** The pending graph of some targets as a list of items, inputs first, each with how its op is computed. */
import { BackendError } from '../errors';
import { computeOf } from '../expr';
import type { DType } from '../ir';
import { knownShape, type Node, type Value } from '../node';
import type { Lowering, OpDefinition } from '../op';
import type { Move } from '../view';
import type { Group } from './group';

/** A node on its way to a kernel. */
export interface Item {
  readonly node: Node;
  /** Position in the list: inputs come before their users. */
  readonly place: number;
  readonly inputs: readonly Input[];
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
  /** Its values are there when the plan starts. */
  readonly leaf: boolean;
  /** null for leaves and scalars. */
  lowering: Lowering | null;
  /** Each output seen through views, once it was asked for. */
  seen: Seen[];
  /** The kernel that computes it; null: a leaf, a scalar, a view, or inlined into each user. */
  group: Group | null;
}
export interface Input {
  readonly item: Item;
  readonly output: number;
}

/** A value as a key of maps. */
export const keyOf = ({ item, output }: Input): string => `${item.place}.${output}`;

export interface Graph {
  readonly items: readonly Item[];
  readonly targets: readonly Input[];
  /** Items whose values must be there before, in the order of the plan's leaf table. */
  readonly leaves: readonly Input[];
  /** Numbers that kernels get as uniforms, in order. */
  readonly scalars: readonly Item[];
  /** Equal for graphs of equal structure. */
  readonly key: string;
}

const opIds = new WeakMap<OpDefinition, number>();
let nextOpId = 0;
function opId(op: OpDefinition): number {
  let id = opIds.get(op);
  if (id === undefined) {
    id = nextOpId++;
    opIds.set(op, id);
  }
  return id;
}

/** For JSON, what it loses: NaN, infinities, −0. */
export const exact = (value: unknown): unknown =>
  typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
    ? `#${Object.is(value, -0) ? '-0' : value}`
    : value;

/** Everything between the leaves and the targets, in the order it was made (recomputation stays where it was asked for). */
function reachable(targets: readonly Value[], isLeaf: (node: Node) => boolean): Node[] {
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

/**
 * @param isLeaf which nodes have values when the plan starts
 * @throws ReadError where a shape has unknown sizes; BackendError where a tensor has neither values nor an op
 */
export function collect(targets: readonly Value[], isLeaf: (node: Node) => boolean): Graph {
  const known = new Map<Node, Item>();
  const leaves: Input[] = [];
  const scalars: Item[] = [];
  const key: string[] = [];
  const items = reachable(targets, isLeaf).map((node, place): Item => {
    const outputs = node.outputs.map((meta) => ({
      shape: knownShape(meta, node.op?.opName ?? 'data'),
      dtype: meta.dtype,
    }));
    const leaf = isLeaf(node);
    const scalar = !leaf && node.source?.kind === 'scalar';
    if (!leaf && !scalar && !node.op)
      throw new BackendError(
        `plan: a tensor of shape [${outputs[0]?.shape}] (${node.source?.kind ?? 'detached'}) has no values to compute from; was it made inside a compiled function?`,
      );
    const inputs =
      leaf || scalar
        ? []
        : node.inputs.map((input): Input => ({ item: known.get(input.node) as Item, output: input.output }));
    const item: Item = { node, place, inputs, outputs, leaf, lowering: null, seen: [], group: null };
    const metas = outputs.map(({ shape, dtype }) => `${dtype}[${shape}]`).join();
    if (leaf) {
      leaves.push(...outputs.map((_, output) => ({ item, output })));
      key.push(`L${metas}`);
    } else if (scalar) {
      scalars.push(item);
      key.push(`S${metas}`);
    } else {
      const from = inputs.map(keyOf);
      key.push(
        `${opId(node.op as OpDefinition)}(${from})${JSON.stringify(node.attributes, (_, value: unknown) => exact(value))}`,
      );
    }
    known.set(node, item);
    return item;
  });
  const found = targets.map((target): Input => ({ item: known.get(target.node) as Item, output: target.output }));
  key.push(`>${found.map(keyOf)}`);
  return { items, targets: found, leaves, scalars, key: key.join(';') };
}

/** Asks each op how it is computed. Views in `copied` are cut: computed as a copy, for users that cannot look through them. */
export function lowerAll(graph: Graph, copied: ReadonlySet<Node>): void {
  for (const item of graph.items) {
    const { op, attributes } = item.node;
    item.group = null;
    item.seen = [];
    if (!op || item.leaf) continue;
    const inputs = item.inputs.map(({ item: from, output }, index) => {
      const { shape, dtype } = from.outputs[output] as Item['outputs'][number];
      return { index, shape, dtype };
    });
    const lowering = op.lower(inputs, attributes, item.outputs);
    item.lowering =
      lowering.kind === 'view' && copied.has(item.node)
        ? { kind: 'map', outs: [{ ...readOf(inputs[0] as (typeof inputs)[number]), moves: lowering.moves }] }
        : lowering;
  }
}

const readOf = (input: { index: number; dtype: DType }) => ({
  op: 'read' as const,
  dtype: computeOf(input.dtype),
  input: input.index,
  moves: [],
  at: null,
});

/** An input seen through the views between it and what has the values. */
export interface Seen extends Input {
  readonly moves: readonly Move[];
  /** The views passed, nearest to the values first: where to cut when the moves do not make one strided view. */
  readonly views: readonly Item[];
}

/** Looks through views to the item that has (or computes) the values. */
export function seeThrough({ item, output }: Input): Seen {
  let seen = item.seen[output];
  if (!seen) {
    if (item.lowering?.kind === 'view') {
      const behind = seeThrough(item.inputs[0] as Input);
      seen = { ...behind, moves: [...behind.moves, ...item.lowering.moves], views: [...behind.views, item] };
    } else seen = { item, output, moves: [], views: [] };
    item.seen[output] = seen;
  }
  return seen;
}

/** Values that must be stored: for each item the outputs that someone loads. */
export type Wanted = Map<Item, Set<number>>;
export function want(wanted: Wanted, { item, output }: Input): void {
  const outputs = wanted.get(item);
  if (outputs) outputs.add(output);
  else wanted.set(item, new Set([output]));
}
