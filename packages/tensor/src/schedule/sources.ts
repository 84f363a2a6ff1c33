/** What an item is computed from: the stored values behind its views and its inlined work, and what must run before it. */
import { baseOf, type Item, type Value } from './graph';
import type { Group } from './group';

/** Leaves and values of groups; numbers are none. Kept with the item, until inlined work gets a kernel (`sources = null`). */
export function sourcesOf(item: Item): ReadonlySet<Value> {
  if (!item.sources) {
    const found = new Set<Value>();
    for (const input of item.inputs) {
      const base = baseOf(input);
      if (base.item.leaf || base.item.group) found.add(base);
      else for (const value of sourcesOf(base.item)) found.add(value);
    }
    item.sources = found;
  }
  return item.sources;
}

/**
 * Would computing the item in this group make the group wait for itself? Also where inlined work that it uses reads the
 * group: that work may yet get a kernel of its own.
 */
export function wouldCycle(item: Item, group: Group): boolean {
  const visited = new Set<Group>();
  return item.inputs.map(baseOf).some((base) => {
    const { group: maker } = base.item;
    if (maker === group) return false;
    return [...(maker ? [base] : sourcesOf(base.item))].some(
      (source) => source.item.group && reaches(source.item.group, group, visited),
    );
  });
}

/** Does `from` run after `to` (through any chain), or is it the same? */
export function reaches(from: Group, to: Group, visited = new Set<Group>()): boolean {
  if (from === to) return true;
  if (visited.has(from)) return false;
  visited.add(from);
  for (const { item } of from.reads) if (item.group && reaches(item.group, to, visited)) return true;
  return false;
}
