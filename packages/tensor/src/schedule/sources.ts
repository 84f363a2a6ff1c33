/** What an item is computed from: the stored values behind its views and its inlined work, and what must run before it. */
import { baseOf, type Item, type Value } from './graph';
import type { Group } from './group';

/** Leaves and values of groups; numbers are none. Kept with the item, until inlined work gets a kernel (`sources = null`). */
export function sourcesOf(item: Item): readonly Value[] {
  if (!item.sources) {
    const values = item.inputs
      .map(baseOf)
      .flatMap((base) => (base.item.leaf || base.item.group ? base : sourcesOf(base.item)));
    item.sources = values.length > 1 ? [...new Set(values)] : values;
  }
  return item.sources;
}

/**
 * Would computing the item in this group make the group wait for itself? Also where inlined work that it uses reads the
 * group: that work may yet get a kernel of its own.
 */
export function wouldCycle(item: Item, group: Group): boolean {
  const before = item.inputs.map(baseOf).flatMap((base) => {
    const { group: maker } = base.item;
    return maker === group ? [] : maker ? [maker] : sourcesOf(base.item).map((source) => source.item.group);
  });
  // nothing but leaves: no need to look
  return before.some(Boolean) && reaches(before, group);
}

/** Does one of these run after `to` (through any chain), or is it the same? Looked for from `to` on: few read what is new. */
export function reaches(some: readonly unknown[], to: Group, visited = new Set<Group>()): boolean {
  if (some.includes(to)) return true;
  if (visited.has(to)) return false;
  visited.add(to);
  for (const { readers } of to.outputs)
    for (const { anchor } of readers) if (reaches(some, anchor.group as Group, visited)) return true;
  return false;
}
