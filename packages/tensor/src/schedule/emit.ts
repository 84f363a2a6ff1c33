/** From groups to kernels: prints each group's expressions, and stores what others want of it. */
import { computeOf, rewrite } from '../expr';
import type { Accumulate, Expr, Kernel, Operand, RowStore, Store, View } from '../ir';
import type { OpExpr } from '../op';
import { contiguous, rowMajor, sizeOf } from '../view';
import { Expressions, expressible } from './express';
import type { Input, Item, Wanted } from './graph';
import { accsPerReduction, type Group, type ReduceLowering } from './group';
import { evaluatesOnce, worthRecomputing } from './recompute';

/** A kernel and which values go in and out of it. */
export interface Job {
  readonly kernel: Kernel;
  readonly inputs: readonly Input[];
  readonly outputs: readonly Input[];
  readonly scalars: readonly Item[];
  /** What it computes, for people: the names of the ops in it. */
  readonly ops: readonly string[];
}

/** The kernel of a group, or of several map groups over different domains. @throws NeedsBuffer */
export function emit(groups: readonly Group[], wanted: Wanted): Job {
  let job = build(groups, wanted, new Set());
  if (!groups.every(evaluatesOnce)) return job;
  let inlined = new Set<Item>();
  for (const chain of worthRecomputing(job.inputs, wanted)) {
    const more = new Set([...inlined, ...chain]);
    // where its views do not fit here it is loaded after all
    const fits = expressible(() => {
      job = build(groups, wanted, more);
    });
    if (fits) inlined = more;
  }
  return job;
}

function build(groups: readonly Group[], wanted: Wanted, inlined: ReadonlySet<Item>): Job {
  const [first] = groups as [Group];
  const expressions = new Expressions(first, inlined);
  const outputs: Input[] = [];
  const storesOf = (group: Group): RowStore[] => {
    expressions.group = group;
    return group.members.flatMap(({ item, per, moves }) =>
      [...(wanted.get(item) ?? [])].map((output): RowStore => {
        const place = placeOf(group, item, output) ?? { per, moves };
        const expr = expressions.member(item, output, place.moves);
        const view = place.per === 'row' ? contiguous(group.rowShape) : contiguous(group.domain);
        return { output: outputs.push({ item, output }) - 1, view, expr, per: place.per };
      }),
    );
  };
  const body = print(groups, expressions, storesOf, (input) => outputs.push(input) - 1);
  const operand = ({ item, output }: Input): Operand => {
    const { dtype, shape } = item.outputs[output] as Item['outputs'][number];
    return { dtype, size: sizeOf(shape) };
  };
  const kernel = {
    ...body,
    inputs: expressions.loads.map(operand),
    outputs: outputs.map(operand),
    uniforms: expressions.scalars.map(({ outputs: [out] }) => computeOf((out as Item['outputs'][number]).dtype)),
    aliases: outputs.map(() => -1),
  } as unknown as Kernel;
  const ops = groups.flatMap((group) => group.members.map(({ item }) => item.node.op?.opName ?? 'fill'));
  return { kernel, inputs: expressions.loads, outputs, scalars: expressions.scalars, ops };
}

/** Where an output of a reduction itself lies; other members know from joining. */
function placeOf(group: Group, item: Item, output: number) {
  const { lowering } = item;
  const shape = item.outputs[output]?.shape ?? [];
  if (lowering?.kind === 'reduce') {
    const per = lowering.outs[output]?.per;
    return group.placesFor(shape).find((place) => place.per === per) ?? { per: 'element' as const, moves: [] };
  }
  return null;
}

type Body = Record<string, unknown>;

/** A lowering but for what its outputs are: the kernel says that in its stores. */
const bare = <L extends object>({ outs: _, ...rest }: L & { readonly outs?: unknown }) => rest;

function print(
  groups: readonly Group[],
  expressions: Expressions,
  storesOf: (group: Group) => RowStore[],
  output: (value: Input) => number,
): Body {
  const [group] = groups as [Group];
  const { anchor } = group;
  const lowering = anchor.lowering;
  const own = (expr: OpExpr, shape: readonly number[]): Expr => expressions.of(expr, anchor, shape, []);
  const operand = (expr: OpExpr, shape: readonly number[]): Expr => {
    if (expr.op === 'read' && !expr.at) return expressions.plain(anchor.inputs[expr.input] as Input, expr.moves);
    return own(expr, shape);
  };
  const stores = (): Store[] => storesOf(group).map(({ per: _, ...store }) => store);
  switch (lowering?.kind) {
    case 'map':
      return {
        kind: 'map',
        parts: groups.map((each) => ({
          shape: each.domain,
          stores: storesOf(each).map(({ per: _, ...store }) => store),
        })),
      };
    case 'parts': {
      const shape = anchor.outputs[0]?.shape ?? [];
      const place = output({ item: anchor, output: 0 });
      const strides = rowMajor(shape);
      const parts = lowering.parts.map((part) => {
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
    default:
      throw new TypeError(`emit: ${anchor.node.op?.opName} cannot open a group (${lowering?.kind})`);
  }
}

/** Joins the stages of a group's reductions and numbers their accumulators through. */
function reduction(group: Group, expressions: Expressions, stores: readonly RowStore[]): Body {
  const stages: { id: number; acc: Accumulate }[][] = [];
  group.reductions.forEach(({ item, stage }, place) => {
    const lowering = item.lowering as ReduceLowering;
    let local = 0;
    lowering.stages.forEach((accs, i) => {
      for (const acc of accs) {
        const list = (stages[stage + i] ??= []);
        list.push({
          id: place * accsPerReduction + local++,
          acc: { ...acc, expr: expressions.reduced(acc.expr, item) },
        });
      }
    });
  });
  const numbers = new Map(stages.flat().map(({ id }, place) => [id, place]));
  const memo = new Map<Expr, Expr>();
  const renumber = (expr: Expr): Expr =>
    rewrite(expr, (leaf) => (leaf.op === 'acc' ? { ...leaf, index: numbers.get(leaf.index) as number } : leaf), memo);
  return {
    kind: 'reduce',
    shape: group.domain,
    axes: group.axes,
    stages: stages.map((list) => list.map(({ acc }) => ({ ...acc, expr: renumber(acc.expr) }))),
    stores: stores.map((store) => ({ ...store, expr: renumber(store.expr) })),
  };
}
