/** A group is what one kernel computes: an anchor (the heavy part) and the element-wise work fused onto it. */
import type { View } from '../ir';
import type { Lowering, OpAccumulate } from '../op';
import { isRows, type Move, sizeOf } from '../view';
import type { Item, Value } from './graph';
import { sourcesOf } from './sources';

export type GroupKind = Exclude<Lowering['kind'], 'view'>;
export type MapLowering = Extract<Lowering, { kind: 'map' }>;
export type ReduceLowering = Extract<Lowering, { kind: 'reduce' }>;

/** How a member lies in its group: once an element of the domain or once a row of a reduction. */
export interface Member {
  readonly item: Item;
  readonly per: 'row' | 'element';
  /** From the member's shape to the group's domain. */
  readonly moves: readonly Move[];
}

export class Group {
  readonly kind: GroupKind;
  readonly domain: readonly number[];
  /** Reduced axes. */
  readonly axes: readonly number[];
  /** What the members read that is stored elsewhere: leaves, and values of other groups, which must have run before. */
  readonly reads = new Set<Value>();
  readonly members: Member[] = [];
  /** All that its members compute. */
  readonly outputs: Value[] = [];
  /** `domain|axes`, to compare. */
  readonly over: string;
  /** The accumulators of its reductions as the kernel numbers them, by stage. `own`: the number within its reduction. */
  readonly accs: { readonly item: Item; readonly own: number; readonly stage: number; readonly acc: OpAccumulate }[] =
    [];

  constructor(readonly anchor: Item) {
    const lowering = anchor.lowering as Lowering;
    this.kind = lowering.kind as GroupKind;
    this.domain = lowering.kind === 'reduce' ? lowering.shape : (anchor.outputs[0]?.shape ?? []);
    this.axes = lowering.kind === 'reduce' ? lowering.axes : [];
    this.over = `${this.domain}|${this.axes}`;
    if (lowering.kind === 'reduce') this.reduce(anchor, 0);
    this.take({ item: anchor, per: 'element', moves: [] });
  }

  take(member: Member): void {
    member.item.group = this;
    this.members.push(member);
    this.outputs.push(...member.item.outputs);
    this.needs(member.item);
  }
  /** It reads what this item is computed from. */
  needs(item: Item): void {
    for (const value of sourcesOf(item)) {
      if (value.item.group === this) continue;
      this.reads.add(value);
      value.readers.add(this);
    }
  }

  /** How many rows a reduction has. */
  get rows(): number {
    return sizeOf(this.rowShape);
  }
  /** The domain with 1 for reduced axes. */
  get rowShape(): number[] {
    return this.domain.map((size, axis) => (this.axes.includes(axis) ? 1 : size));
  }

  /** How a value of this shape could be a member, elements before rows. */
  placesFor(shape: readonly number[]): Omit<Member, 'item'>[] {
    const places: Omit<Member, 'item'>[] = [];
    const size = sizeOf(shape);
    const reshape = (to: readonly number[]): Move => ({ type: 'reshape', shape: to });
    if (size === sizeOf(this.domain))
      places.push({ per: 'element', moves: `${shape}` === `${this.domain}` ? [] : [reshape(this.domain)] });
    if (this.kind === 'reduce' && size === this.rows)
      places.push({ per: 'row', moves: [reshape(this.rowShape), { type: 'expand', shape: this.domain }] });
    return places;
  }

  /** Does this view of a result give each coordinate of the domain the element made there? */
  aligned(view: View, per: 'row' | 'element'): boolean {
    return `${view.shape}` === `${this.domain}` && isRows(view, per === 'row' ? this.axes : []);
  }

  /** A reduction shares its passes, its own stages from this one on. */
  reduce(item: Item, first: number): void {
    let own = 0;
    (item.lowering as ReduceLowering).stages.forEach((accs, i) => {
      for (const acc of accs) this.accs.push({ item, own: own++, stage: first + i, acc });
    });
    this.accs.sort((a, b) => a.stage - b.stage);
  }
}
