/** A group is what one kernel computes: an anchor (the heavy part) and the element-wise work fused onto it. */
import type { View } from '../ir';
import type { Lowering } from '../op';
import { isRows, type Move, sizeOf } from '../view';
import type { Item, Value } from './graph';

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
  /** Reductions that share the passes, each with the stage its own stages start at. */
  readonly reductions: { readonly item: Item; readonly stage: number }[] = [];

  constructor(readonly anchor: Item) {
    const lowering = anchor.lowering as Lowering;
    this.kind = lowering.kind as GroupKind;
    this.domain = lowering.kind === 'reduce' ? lowering.shape : (anchor.outputs[0]?.shape ?? []);
    this.axes = lowering.kind === 'reduce' ? lowering.axes : [];
    this.over = `${this.domain}|${this.axes}`;
    if (lowering.kind === 'reduce') this.reductions.push({ item: anchor, stage: 0 });
    this.take({ item: anchor, per: 'element', moves: [] });
  }

  take(member: Member): void {
    member.item.group = this;
    this.members.push(member);
    this.outputs.push(...member.item.outputs);
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

  /** Where a reduction's accumulators are, until the kernel numbers them by stage: from `first` on; and the stage of each. */
  reduction(item: Item): { first: number; stages: readonly number[] } {
    const place = this.reductions.findIndex((reduction) => reduction.item === item);
    const start = this.reductions[place]?.stage ?? 0;
    const { stages } = item.lowering as ReduceLowering;
    return { first: place * accsPerReduction, stages: stages.flatMap((accs, i) => accs.map(() => start + i)) };
  }
}

/** More accumulators than any one reduction has. */
export const accsPerReduction = 1000;
