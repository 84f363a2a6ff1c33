/**
 * Decides what is computed together. In the order the graph was made: heavy work opens a group; a reduction joins a group
 * that runs over the same rows; element-wise work joins the group that makes one of its inputs, else it is inlined into its
 * users, or, where several groups want it and it is not cheap, computed in a group of its own.
 */
import type { Limits } from '../backend';
import type { Expr } from '../ir';
import type { Node } from '../node';
import type { OpExpr } from '../op';
import { sizeOf } from '../view';
import { Expressions, expressible } from './express';
import { type Graph, type Input, type Item, seeThrough } from './graph';
import { Group, type Member, type ReduceLowering } from './group';

/** Work that several users may repeat rather than store: this many functions, this many loads. */
const cheap = { functions: 4, loads: 2 };
/** Element-wise work in a row that one kernel does; behind it a value is stored, so that no kernel grows without bound. */
const longestChain = 64;
/** A row longer than this is not walked again by one worker just to save a kernel. */
const longestRewrittenRow = 1 << 18;

export function fuse(graph: Graph, limits: Limits, forced: ReadonlySet<Node>): Group[] {
  const groups: Group[] = [];
  const open = (item: Item): Group => {
    const group = new Group(item);
    groups.push(group);
    take(group, item);
    return group;
  };
  const needed = new Set<Item>(graph.items.filter((item) => forced.has(item.node)));
  for (const target of graph.targets) needed.add(seeThrough(target).item);
  // what products read as it is must lie in a buffer
  for (const { lowering, inputs } of graph.items)
    if (lowering?.kind === 'matmul' || lowering?.kind === 'conv')
      for (const operand of [lowering.a, lowering.b])
        if (operand.op === 'read' && !operand.at) needed.add(seeThrough(inputs[operand.input] as Input).item);

  const chains = new Map<Item, number>();
  const cuts = new Set<Group>();
  const drafts: Drafts = new Map();
  for (const item of graph.items) {
    const { lowering } = item;
    if (!lowering || lowering.kind === 'view') continue;
    if (lowering.kind === 'map') {
      const chain = 1 + Math.max(0, ...item.inputs.map((input) => chains.get(seeThrough(input).item) ?? 0));
      chains.set(item, chain % longestChain);
      if (chain === longestChain) cuts.add(open(item));
      else joinMap(item, limits, drafts);
    } else if (lowering.kind !== 'reduce' || !joinReduction(item, lowering, groups, limits)) open(item);
  }

  const users = usersOf(graph);
  for (let place = graph.items.length - 1; place >= 0; place--) {
    const item = graph.items[place] as Item;
    if (item.group || (item.lowering && item.lowering.kind !== 'map') || item.leaf) continue;
    if (!item.lowering) {
      if (needed.has(item)) open(fill(item));
      continue;
    }
    const wanted = groupsUsing(item, users);
    if (needed.has(item) || (wanted.size > 1 && !isCheap(item))) open(item);
  }
  // groups opened late were made from their users up: what they depend on is known only now
  for (const group of groups) {
    group.deps.clear();
    group.sources.clear();
    for (const { item } of group.members) take(group, item);
  }
  return mergeMaps(groups, limits, cuts);
}

/** A number that someone wants as a tensor: a kernel that writes it. */
function fill(item: Item): Item {
  item.lowering = { kind: 'map', outs: [] };
  return item;
}

/** Where an item's values come from, through views and inlined work: leaves, and groups. */
function sourcesOf(item: Item, found = new Set<Item | Group>(), visited = new Set<Item>()): Set<Item | Group> {
  for (const input of item.inputs) {
    const base = seeThrough(input).item;
    if (visited.has(base)) continue;
    visited.add(base);
    if (base.group) found.add(base.group);
    else if (base.leaf) found.add(base);
    else sourcesOf(base, found, visited);
  }
  return found;
}

/** Does `from` run after `to` (through any chain)? */
function reaches(from: Group, to: Group, visited = new Set<Group>()): boolean {
  if (from === to) return true;
  if (visited.has(from)) return false;
  visited.add(from);
  for (const dep of from.deps) if (reaches(dep, to, visited)) return true;
  return false;
}

/**
 * Would computing the item in this group make the group wait for itself? Also where inlined work that it uses reads the group:
 * that work may yet get a kernel of its own.
 */
function wouldCycle(item: Item, group: Group, inlined = false, visited = new Set<Item>()): boolean {
  return item.inputs.some((input) => {
    const base = seeThrough(input).item;
    if (base.leaf || visited.has(base)) return false;
    visited.add(base);
    if (base.group === group) return inlined;
    return base.group ? reaches(base.group, group) : wouldCycle(base, group, true, visited);
  });
}

/** Expressions of each group as far as it has grown, so that trying one more member does not start over. */
type Drafts = Map<Group, Expressions>;

/** Can this member be expressed in the group, within the backend's number of buffers? */
function fits(group: Group, { item, moves }: Member, limits: Limits, drafts: Drafts): boolean {
  const draft = drafts.get(group) ?? new Expressions(group);
  drafts.set(group, draft);
  const { lowering } = item;
  if (lowering?.kind !== 'map') return false;
  const fitting = expressible(() => {
    lowering.outs.forEach((out, output) => {
      draft.of(out, item, item.outputs[output]?.shape ?? [], moves);
    });
  });
  if (!fitting) return false;
  const outputs = group.members.reduce((sum, member) => sum + member.item.outputs.length, item.outputs.length);
  const sources = new Set([...group.sources, ...sourcesOf(item)]);
  sources.delete(group);
  return sources.size + outputs <= limits.maxBuffers;
}

function add(group: Group, member: Member): void {
  take(group, member.item);
  member.item.group = group;
  group.members.push(member);
}
/** The group needs what this item is computed from. */
function take(group: Group, item: Item): void {
  for (const source of sourcesOf(item)) {
    if (source === group) continue;
    group.sources.add(source);
    if (source instanceof Group) group.deps.add(source);
  }
}

/** Puts element-wise work onto the group that makes one of its inputs, the latest such group first. */
function joinMap(item: Item, limits: Limits, drafts: Drafts): void {
  const makers = new Set(item.inputs.map((input) => seeThrough(input).item.group).filter((group) => group !== null));
  const latestFirst = [...makers].sort((a, b) => b.anchor.place - a.anchor.place);
  for (const group of latestFirst) {
    if (group.kind === 'parts' || wouldCycle(item, group)) continue;
    const places = group.placesFor(item.outputs[0]?.shape ?? []);
    for (const place of places) {
      if (group.kind === 'reduce' && place.per === 'element' && !mayWriteBack(group)) continue;
      const member = { item, ...place };
      if (!fits(group, member, limits, drafts)) continue;
      add(group, member);
      return;
    }
  }
}

const mayWriteBack = (group: Group): boolean => {
  const rows = group.rows;
  return rows > 1 || sizeOf(group.domain) / Math.max(1, rows) <= longestRewrittenRow;
};

/** Puts a reduction into a group of reductions over the same rows that it reads from, or that reads the same. */
function joinReduction(item: Item, lowering: ReduceLowering, groups: readonly Group[], limits: Limits): boolean {
  const sources = sourcesOf(item);
  const reads = (group: Group): boolean =>
    sources.has(group) || [...sources].some((source) => group.sources.has(source));
  for (let i = groups.length - 1; i >= 0; i--) {
    const group = groups[i] as Group;
    if (
      group.kind !== 'reduce' ||
      String(group.domain) !== String(lowering.shape) ||
      String(group.axes) !== String(lowering.axes)
    )
      continue;
    if (!mayWriteBack(group) || !reads(group) || wouldCycle(item, group)) continue;
    const expressions = new Expressions(group);
    const fitting = expressible(() => {
      for (const { expr } of lowering.stages.flat())
        expressions.of(expr, item, lowering.shape, [], (own) => ({ ...own, op: 'acc' }) as Expr);
    });
    if (!fitting || expressions.loads.length + group.members.length + item.outputs.length > limits.maxBuffers) continue;
    const stage = expressions.stage + 1;
    add(group, { item, per: 'element', moves: [] });
    group.reductions.push({ item, stage });
    return true;
  }
  return false;
}

function usersOf(graph: Graph): Map<Item, Item[]> {
  const users = new Map<Item, Item[]>();
  for (const item of graph.items) {
    if (item.lowering?.kind === 'view') continue;
    for (const input of item.inputs) {
      const base = seeThrough(input).item;
      const list = users.get(base);
      if (list) list.push(item);
      else users.set(base, [item]);
    }
  }
  return users;
}

/** Groups that would compute the item if it stays inlined. */
function groupsUsing(
  item: Item,
  users: ReadonlyMap<Item, readonly Item[]>,
  found = new Set<Group>(),
  visited = new Set<Item>(),
): Set<Group> {
  for (const user of users.get(item) ?? []) {
    if (visited.has(user)) continue;
    visited.add(user);
    if (user.group) found.add(user.group);
    else groupsUsing(user, users, found, visited);
  }
  return found;
}

function isCheap(item: Item): boolean {
  const functions = new Set<OpExpr>();
  const loads = new Set<Item>();
  const walk = (current: Item): void => {
    const visit = (expr: OpExpr): void => {
      if (expr.op === 'apply') {
        functions.add(expr);
        expr.args.forEach(visit);
      } else if (expr.op === 'read') {
        expr.at?.forEach(visit);
        const base = seeThrough(current.inputs[expr.input] as Input).item;
        if (base.leaf || base.group) loads.add(base);
        else if (functions.size <= cheap.functions) walk(base);
      }
    };
    if (current.lowering?.kind === 'map') current.lowering.outs.forEach(visit);
  };
  walk(item);
  return functions.size <= cheap.functions && loads.size <= cheap.loads;
}

/** Map kernels over the same domain that read each other or the same become one. */
function mergeMaps(groups: Group[], limits: Limits, cuts: ReadonlySet<Group>): Group[] {
  const merged: Group[] = [];
  const inOrder = [...groups].sort((a, b) => a.anchor.place - b.anchor.place);
  for (const group of inOrder) {
    const into =
      group.kind === 'map' && !cuts.has(group) ? merged.find((other) => mayMerge(other, group, limits)) : undefined;
    if (!into) {
      merged.push(group);
      continue;
    }
    for (const member of group.members) {
      member.item.group = into;
      into.members.push(member);
    }
    for (const key of ['deps', 'sources'] as const) {
      for (const other of inOrder) if (other[key].delete(group)) (other[key] as Set<unknown>).add(into);
      for (const source of group[key]) (into[key] as Set<unknown>).add(source);
      into[key].delete(into);
    }
  }
  return merged;
}

function mayMerge(into: Group, group: Group, limits: Limits): boolean {
  if (into.kind !== 'map' || String(into.domain) !== String(group.domain)) return false;
  const related = group.deps.has(into) || [...group.sources].some((source) => into.sources.has(source));
  if (!related || into.deps.has(group)) return false;
  if (
    [...group.deps].some((dep) => dep !== into && reaches(dep, into)) ||
    [...into.deps].some((dep) => reaches(dep, group))
  )
    return false;
  const buffers = new Set([...into.sources, ...group.sources]).size + into.members.length + group.members.length;
  if (buffers > limits.maxBuffers) return false;
  // every member must be expressible beside the others: read what the other group makes at the same coordinates only
  for (const { item } of group.members) item.group = into;
  const expressions = new Expressions(into);
  const fitting = expressible(() => {
    for (const { item, moves } of group.members)
      item.outputs.forEach((_, output) => {
        expressions.member(item, output, moves);
      });
  });
  for (const { item } of group.members) item.group = group;
  return fitting;
}
