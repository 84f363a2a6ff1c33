/**
 * Decides what is computed together. In the order the graph was made: heavy work opens a group; a reduction joins a group
 * that runs over the same rows; element-wise work joins the group that makes one of its inputs, else it is inlined into its
 * users, or, where several groups want it and it is not cheap, computed in a group of its own.
 */
import type { Expr } from '../ir';
import type { OpExpr } from '../op';
import { sizeOf } from '../view';
import { Expressions, expressible } from './express';
import { baseOf, type Graph, type Item, type Value } from './graph';
import { Group, type Member, type ReduceLowering } from './group';
import { excess, type Room } from './room';
import { reaches, sourcesOf, wouldCycle } from './sources';

/** Work that several users may repeat rather than store: this many functions, this many loads. */
const cheap = { functions: 4, loads: 2 };
/** Element-wise work in a row that one kernel does; behind it a value is stored, so that no kernel grows without bound. */
const longestChain = 64;
/** A row longer than this is not walked again by one worker just to save a kernel. */
const longestRewrittenRow = 1 << 18;

/** @param alone gets a kernel, which no other work joins as a part */
export function fuse({ items }: Graph, room: Room, alone: Set<Item>): Group[] {
  const groups: Group[] = [];
  /** Expressions of each group as far as it has grown, so that trying one more member does not start over. */
  const drafts = new Map<Group, Expressions>();

  const forget = (): void => {
    for (const item of items) {
      item.sources = null;
      for (const { readers } of item.outputs) if (readers.size) readers.clear();
    }
  };
  const open = (item: Item): void => {
    groups.push(new Group(item));
  };

  /**
   * Would they, with this item, bind no more buffers than a kernel can? Of what they make targets count, and the item: what
   * else is read elsewhere is known when kernels are written down.
   */
  const holds = (together: readonly Group[], item?: Item): boolean => {
    const sources = item ? sourcesOf(item) : [];
    const made = item?.outputs ?? [];
    const count = (sum: number, group: Group): number => sum + group.reads.size + group.outputs.length;
    // most kernels are far below what they may bind: no need to see what is counted twice
    if (together.reduce(count, sources.length + made.length) <= room.most) return true;
    const reads = [...sources, ...together.flatMap((group) => [...group.reads])];
    const outputs = together.flatMap((group) => group.outputs);
    const inside = (group: Group | null): boolean => together.includes(group as Group);
    const stored = outputs.filter((value) => room.targets.has(value) || ![...value.readers].every(inside));
    return (
      excess(
        room,
        reads.filter((value) => !inside(value.item.group)),
        [...made, ...stored],
      ) <= 0
    );
  };

  /** Can this member be expressed in the group? */
  const fits = (group: Group, { item, moves }: Member): boolean => {
    const draft = drafts.get(group) ?? new Expressions(group);
    drafts.set(group, draft);
    return expressible(() => {
      for (const { output } of item.outputs) draft.member(item, output, moves);
    });
  };

  /** Puts element-wise work onto the group that makes one of its inputs, the latest such group first. */
  const joinMap = (item: Item): boolean => {
    const makers = new Set(item.inputs.map((input) => baseOf(input).item.group));
    for (const group of [...makers]
      .filter((maker) => maker !== null)
      .sort(byPlace)
      .reverse()) {
      if (group.kind === 'parts' || wouldCycle(item, group) || !holds([group], item)) continue;
      for (const place of group.placesFor(item.outputs[0]?.shape ?? [])) {
        const member = { item, ...place };
        if (group.kind === 'reduce' && place.per === 'element' && !mayWriteBack(group)) continue;
        if (!fits(group, member)) continue;
        group.take(member);
        return true;
      }
    }
    return false;
  };

  /** Puts a reduction into a group of reductions over the same rows that it reads from, or that reads the same. */
  const joinReduction = (item: Item, lowering: ReduceLowering): boolean => {
    const origins = originsOf(sourcesOf(item));
    const over = `${lowering.shape}|${lowering.axes}`;
    for (const group of groups.filter((each) => each.kind === 'reduce' && each.over === over).reverse()) {
      if (!meet(origins, group) || wouldCycle(item, group) || !holds([group], item)) continue;
      const expressions = new Expressions(group);
      const fitting = expressible(() => {
        for (const { expr } of lowering.stages.flat())
          expressions.of(expr, item, lowering.shape, [], (own) => ({ ...own, op: 'acc' }) as Expr);
      });
      // walked again only by what wants results of the first walk
      if (!fitting || (expressions.stage >= 0 && !mayWriteBack(group))) continue;
      group.take({ item, per: 'element', moves: [] });
      group.reduce(item, expressions.stage + 1);
      return true;
    }
    return false;
  };

  /** Where it may, the members know already that they are of the other group. */
  const mayMerge = (into: Group, group: Group): boolean => {
    if (into.kind !== 'map' || into.over !== group.over) return false;
    const origins = originsOf(group.reads);
    if (
      !meet(origins, into) ||
      reaches([into], group) ||
      reaches(
        [...origins].filter((origin) => origin !== into),
        into,
      ) ||
      !holds([into, group])
    )
      return false;
    // every member must be expressible beside the others: read what the other group makes at the same coordinates only
    for (const { item } of group.members) item.group = into;
    const expressions = new Expressions(into);
    const fitting = expressible(() => {
      for (const { item, moves } of group.members)
        for (const { output } of item.outputs) expressions.member(item, output, moves);
    });
    for (const { item } of fitting ? [] : group.members) item.group = group;
    return fitting;
  };

  for (const item of items) item.group = null;
  forget();
  const chains = new Map<Item, number>();
  for (const item of items) {
    const { lowering } = item;
    if (lowering?.kind === 'map') {
      const chain = 1 + Math.max(0, ...item.inputs.map((input) => chains.get(baseOf(input).item) ?? 0));
      chains.set(item, chain % longestChain);
      if (chain === longestChain) alone.add(item);
      if (alone.has(item)) open(item);
      // who reads as much as a kernel binds is stored, that those who read it have room
      else if (!joinMap(item) && sourcesOf(item).length + item.outputs.length > room.most) open(item);
    } else if (lowering && lowering.kind !== 'view')
      if (alone.has(item) || lowering.kind !== 'reduce' || !joinReduction(item, lowering)) open(item);
  }

  // inlined work that must lie in a buffer, or that several groups want and that is not cheap, gets a kernel, users first
  const needed = new Set([...room.targets].map(({ item }) => item));
  for (const item of [...items].reverse()) {
    const { lowering, inputs } = item;
    const wanted = usersOf(item);
    if (lowering?.kind === 'view') continue;
    // what products read as it is must lie in a buffer
    if (lowering?.kind === 'matmul' || lowering?.kind === 'conv')
      for (const operand of [lowering.a, lowering.b])
        if (operand.op === 'read' && !operand.at) needed.add(baseOf(inputs[operand.input] as Value).item);
    if (!item.group && !item.leaf) {
      const share = wanted.size > 1 && lowering && !isCheap(item);
      if (!lowering && needed.has(item)) item.lowering = { kind: 'map', outs: [] }; // a number that is wanted as a tensor
      if (needed.has(item) || share) open(item);
    }
    for (const { item: from } of inputs.map(baseOf))
      for (const group of item.group ? [item.group] : wanted) usersOf(from).add(group);
  }
  // what groups read is known only now
  forget();
  for (const group of groups) {
    group.reads.clear();
    for (const { item } of group.members) group.needs(item);
  }

  // map kernels over the same domain that read each other or the same become one
  const merged: Group[] = [];
  for (const group of groups.sort(byPlace)) {
    const into = group.kind === 'map' && !alone.has(group.anchor) && merged.find((other) => mayMerge(other, group));
    if (into) for (const member of group.members) into.take(member);
    else merged.push(group);
  }
  return merged;
}

/** The kernels that want an item, also where inlined work is between: a set that items without a kernel have no other use for. */
const usersOf = ({ outputs }: Item): Set<Group> => (outputs[0] as Value).readers;

export const byPlace = (a: Group, b: Group): number => a.anchor.place - b.anchor.place;

/** The kernels and leaves that values come from. */
const originsOf = (values: Iterable<Value>): Set<Item | Group> =>
  new Set(Array.from(values, ({ item }) => item.group ?? item));
/** Is the group among them, or something that it reads? */
const meet = (origins: ReadonlySet<Item | Group>, group: Group): boolean =>
  origins.has(group) || [...group.reads].some(({ item }) => origins.has(item.group ?? item));

const mayWriteBack = ({ rows, domain }: Group): boolean => rows > 1 || sizeOf(domain) <= longestRewrittenRow;

/** Few loads, and few functions: its own and those of what is inlined into it. */
function isCheap(item: Item): boolean {
  const functions = new Set<OpExpr>();
  const walk = ({ lowering, inputs }: Item): void => {
    const visit = (expr: OpExpr): void => {
      if (expr.op === 'apply') {
        functions.add(expr);
        expr.args.forEach(visit);
      } else if (expr.op === 'read') {
        expr.at?.forEach(visit);
        const base = baseOf(inputs[expr.input] as Value).item;
        if (!base.group && functions.size <= cheap.functions) walk(base);
      }
    };
    if (lowering?.kind === 'map') lowering.outs.forEach(visit);
  };
  walk(item);
  return functions.size <= cheap.functions && sourcesOf(item).length <= cheap.loads;
}
