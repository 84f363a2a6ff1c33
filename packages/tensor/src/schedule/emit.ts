/** From groups to kernels: prints each group's expressions, and stores what others want of it. */
import { computeOf } from '../expr';
import type { Accumulate, Expr, Kernel, Operand, RowStore, Store, View } from '../ir';
import type { Lowering, OpExpr } from '../op';
import { contiguous, rowMajor, sizeOf } from '../view';
import { Expressions, expressible } from './express';
import type { Item, Value } from './graph';
import type { Group } from './group';
import { excess, type Room } from './room';

/** A kernel and which values go in and out of it. */
export interface Job {
  readonly kernel: Kernel;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly scalars: readonly Item[];
  /** What it computes, for people: the names of the ops in it. */
  readonly ops: readonly string[];
}

/** Which boxes of a group's output. */
type Boxes = readonly [from: number, to: number];

/**
 * The kernel of a group, or of several map groups over different domains; several kernels that write the boxes of one output
 * where one would bind too many buffers. May bind too many where there is nothing to divide. @throws NeedsBuffer
 */
export function emit(groups: readonly Group[], wanted: ReadonlySet<Value>, room: Room, boxes?: Boxes): Job[] {
  const { lowering } = (groups[0] as Group).anchor;
  const [from, to] = boxes ?? [0, lowering?.kind === 'parts' ? lowering.parts.length : 1];
  const over = ({ inputs, outputs }: Job): number => excess(room, inputs, outputs);
  const chains = room.recompute?.(groups, wanted, room) ?? [];
  let job = undefined as Job | undefined;
  let inlined: readonly Item[] = [];
  let most = 0;
  const inline = (items: readonly Item[]): boolean =>
    expressible(() => {
      const next = build(groups, wanted, new Set(items), [from, to]);
      if (over(next) <= most) [job, inlined] = [next, items];
    });
  // all of them, as a rule; else one by one: where its views do not fit here, or with too many others, a value is loaded
  inline(chains.flat());
  if (!job) {
    job = build(groups, wanted, new Set(), [from, to]);
    most = Math.max(0, over(job));
    for (const chain of [chains.flat(), ...chains])
      if (chain.some((item) => !inlined.includes(item))) inline([...inlined, ...chain]);
  }
  if (to - from < 2 || over(job) <= 0) return [job];
  const half = (from + to) >> 1;
  return [...emit(groups, wanted, room, [from, half]), ...emit(groups, wanted, room, [half, to])];
}

function build(
  groups: readonly Group[],
  wanted: ReadonlySet<Value>,
  inlined: ReadonlySet<Item>,
  [from, to]: Boxes,
): Job {
  const [first] = groups as [Group];
  const expressions = new Expressions(first, inlined);
  const outputs: Value[] = [];
  const storesOf = (group: Group): RowStore[] => {
    expressions.group = group;
    return group.members.flatMap(({ item, per, moves }) =>
      item.outputs
        .filter((value) => wanted.has(value))
        .map((value): RowStore => {
          // where an output of a reduction itself lies; other members know from joining
          const out = item.lowering?.kind === 'reduce' && item.lowering.outs[value.output];
          const place = (out && group.placesFor(value.shape).find((each) => each.per === out.per)) || { per, moves };
          const expr = expressions.member(item, value.output, place.moves);
          const view = place.per === 'row' ? contiguous(group.rowShape) : contiguous(group.domain);
          return { output: outputs.push(value) - 1, view, expr, per: place.per };
        }),
    );
  };
  const body = print(groups, expressions, storesOf, (value) => outputs.push(value) - 1, [from, to]);
  const operand = ({ dtype, shape }: Value): Operand => ({ dtype, size: sizeOf(shape) });
  const kernel = {
    ...body,
    inputs: expressions.loads.map(operand),
    outputs: outputs.map(operand),
    uniforms: expressions.scalars.map(({ outputs: [out] }) => computeOf((out as Value).dtype)),
    aliases: outputs.map(() => -1),
  } as unknown as Kernel;
  const ops = groups.flatMap((group) => group.members.map(({ item }) => item.node.op?.opName ?? 'fill'));
  return { kernel, inputs: expressions.loads, outputs, scalars: expressions.scalars, ops };
}

type Body = Record<string, unknown>;

/** A lowering but for what its outputs are: the kernel says that in its stores. */
const bare = <L extends object>({ outs: _, ...rest }: L & { readonly outs?: unknown }) => rest;

function print(
  groups: readonly Group[],
  expressions: Expressions,
  storesOf: (group: Group) => RowStore[],
  output: (value: Value) => number,
  [from, to]: Boxes,
): Body {
  const [group] = groups as [Group];
  const { anchor } = group;
  const lowering = anchor.lowering as Exclude<Lowering, { kind: 'view' }>;
  const own = (expr: OpExpr, shape: readonly number[]): Expr => expressions.of(expr, anchor, shape, []);
  const operand = (expr: OpExpr, shape: readonly number[]): Expr => {
    if (expr.op === 'read' && !expr.at) return expressions.plain(anchor.inputs[expr.input] as Value, expr.moves);
    return own(expr, shape);
  };
  const stores = (of = group): Store[] => storesOf(of).map(({ per: _, ...store }) => store);
  switch (lowering.kind) {
    case 'map':
      return {
        kind: 'map',
        parts: groups.map((each) => ({ shape: each.domain, stores: stores(each) })),
      };
    case 'parts': {
      const [whole] = anchor.outputs as readonly [Value];
      const place = output(whole);
      const strides = rowMajor(whole.shape);
      const parts = lowering.parts.slice(from, to).map((part) => {
        const offset = part.start.reduce((sum, start, axis) => sum + start * (strides[axis] as number), 0);
        const view: View = { shape: part.shape, strides, offset, valid: null };
        return { shape: part.shape, stores: [{ output: place, view, expr: own(part.expr, part.shape) }] };
      });
      return { kind: 'map', parts };
    }
    case 'reduce':
      return reduction(group, expressions, storesOf(group));
    case 'matmul': {
      const { batch, m, n, k } = lowering;
      const [a, b] = [operand(lowering.a, [...batch, m, k]), operand(lowering.b, [...batch, k, n])];
      return { ...bare(lowering), a, b, stores: stores() };
    }
    case 'conv':
      return { ...bare(lowering), a: operand(lowering.a, []), b: operand(lowering.b, []), stores: stores() };
    case 'pool': {
      const { direction, sizes } = lowering;
      const over = [sizes.batch, ...(direction === 'forward' ? sizes.input : sizes.output)];
      const [a, b] = [own(lowering.a, over), lowering.b && own(lowering.b, over)];
      return { ...bare(lowering), a, b, stores: stores() };
    }
    case 'scatter': {
      const { shape, updates } = lowering;
      const at = lowering.at.map((place) => own(place, updates));
      const [init, value] = [own(lowering.init, shape), own(lowering.value, updates)];
      return { ...bare(lowering), init, at, value, stores: stores() };
    }
    case 'sort':
    case 'scan':
      return { ...bare(lowering), a: own(lowering.a, lowering.shape), stores: stores() };
    case 'custom': {
      const reads = lowering.reads.map((read) => ({ ...read, expr: own(read.expr, read.shape) }));
      return { ...bare(lowering), reads, stores: stores() };
    }
  }
}

/** The stages of a group's reductions, joined. */
function reduction(group: Group, expressions: Expressions, stores: readonly RowStore[]): Body {
  const stages: Accumulate[][] = [];
  for (const { item, stage, acc } of group.accs)
    (stages[stage] ??= []).push({ ...acc, expr: expressions.reduced(acc.expr, item) });
  return { kind: 'reduce', shape: group.domain, axes: group.axes, stages, stores };
}
