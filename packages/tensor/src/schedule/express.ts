/**
 * From the reads of ops to the loads of one kernel: looks through views, inlines element-wise producers, and takes the
 * kernel's own results (`acc`) where a value is computed in the same group and lies at the same coordinates.
 */
import { add, apply, computeOf, constant, index, linearIndex, mul, rewrite } from '../expr';
import type { Acc, Apply, Const, Expr, Index, Load, Uniform, View } from '../ir';
import type { OpExpr, Read } from '../op';
import { applyMoves, contiguous, joined, type Move, movedShape, sizeOf } from '../view';
import { againOf, exact, type Item, ownOrInput, type Seen, seeThrough, type Value } from './graph';
import type { Group } from './group';

/** This item must have a buffer of its own before the group can be expressed. */
export class NeedsBuffer {
  constructor(readonly item: Item) {}
}
/** A value of this group is wanted at other coordinates than it is made at: it cannot be computed here. */
export class NotAligned {}
/** Does it come through without either of the two? */
export function expressible(build: () => void): boolean {
  try {
    build();
    return true;
  } catch (error) {
    if (error instanceof NotAligned || error instanceof NeedsBuffer) return false;
    throw error;
  }
}

function placeIn<T>(list: T[], value: T): number {
  const place = list.indexOf(value);
  return place < 0 ? list.push(value) - 1 : place;
}

/** Equal expressions become one object. */
class Interner {
  #known = new Map<string, Expr>();
  #ids = new Map<Expr, number>();
  #one(key: string, expr: Expr): Expr {
    const known = this.#known.get(key);
    if (known) return known;
    this.#known.set(key, expr);
    this.#ids.set(expr, this.#ids.size);
    return expr;
  }
  #list(exprs: readonly Expr[]): string {
    return `${exprs.map((expr) => this.#ids.get(expr))}`;
  }
  leaf(expr: Load | Const | Uniform | Index | Acc): Expr {
    if (expr.op === 'load')
      return this.#one(`l${expr.input}:${Object.values(expr.view)}:${expr.at && this.#list(expr.at)}`, expr);
    const which = expr.op === 'const' ? exact(expr.value) : expr.op === 'index' ? expr.axis : expr.index;
    return this.#one(`${expr.op}${which}:${expr.dtype}`, expr);
  }
  apply(expr: Omit<Apply, 'args'>, args: readonly Expr[]): Expr {
    const key = `${expr.fn}:${expr.dtype},${this.#list(args)}`;
    return this.#known.get(key) ?? this.#one(key, { ...expr, args });
  }
}
/** For seeing whether something can be expressed at all. */
const asItIs = (expr: unknown): Expr => expr as Expr;
/** Where an op's expression is being built. */
interface Site {
  readonly item: Item;
  /** The op's own domain, and the moves from it to the group's. */
  readonly shape: readonly number[];
  readonly moves: readonly Move[];
  readonly accs: ((acc: Acc) => Expr) | undefined;
  /** The op's coordinates in the group's, once one was asked for. */
  coordinates: readonly Expr[] | null;
  /** What its shared parts became. */
  known: Map<OpExpr, Expr> | null;
}

/** Builds the expressions of one kernel and notes what it loads. */
export class Expressions {
  /** Values the kernel loads, in the order of its inputs. */
  readonly loads: Value[] = [];
  /** Scalars it takes as uniforms, in order. */
  readonly scalars: Item[] = [];
  /** The highest stage of a reduction whose accumulators were used, −1 for none. */
  stage = -1;
  readonly #interner: Pick<Interner, 'leaf' | 'apply'>;
  /**
   * @param group whose members' values are computed here rather than loaded
   * @param inlined element-wise items of other groups that are computed here again; without, nothing is written down
   */
  constructor(
    public group: Group,
    readonly inlined?: ReadonlySet<Item>,
  ) {
    this.#interner = inlined ? new Interner() : { leaf: asItIs, apply: asItIs };
  }

  /** An op's expression over the group's domain: `moves` lead from the op's own domain to it (null: coordinates as they are). */
  of(expr: OpExpr, item: Item, shape: readonly number[], moves: readonly Move[], accs?: (acc: Acc) => Expr): Expr {
    return this.#visit(expr, { item, shape, moves, accs, coordinates: null, known: null });
  }

  #visit(node: OpExpr, site: Site): Expr {
    switch (node.op) {
      case 'read': {
        const { item, moves } = site;
        if (node.at) return this.#readAt(node, site);
        return this.input(ownOrInput(item, node.input), joined(node.moves, moves));
      }
      case 'index':
        if (!site.moves.length) return this.#interner.leaf(node);
        site.coordinates ??= this.#coordinates(site);
        return site.coordinates[node.axis] as Expr;
      case 'acc':
        if (!site.accs) throw new NotAligned();
        return site.accs(node);
      case 'apply': {
        let known = site.known?.get(node);
        if (!known) {
          known = this.#interner.apply(
            node as unknown as Apply,
            node.args.map((arg) => this.#visit(arg, site)),
          );
          site.known ??= new Map();
          site.known.set(node, known);
        }
        return known;
      }
      default:
        return this.#interner.leaf(node);
    }
  }

  /** A value at the domain's coordinates after `moves`. */
  input(from: Value, moves: readonly Move[]): Expr {
    const seen = seeThrough(from);
    const { item, output } = seen.value;
    const all = joined(seen.moves, moves);
    if (item.leaf) return this.#load(seen, moves);
    if (!item.lowering) {
      if (all.some((move) => move.type === 'pad')) throw new NeedsBuffer(item);
      return this.#uniform(item);
    }
    if (item.group === this.group) return this.member(item, output, all);
    if (item.group && !(this.inlined?.has(item) && againOf(item, output))) return this.#load(seen, moves);
    return this.#inline(item, output, all);
  }

  /** The same as one element of it a coordinate, loaded, or computed again: for operands that must be plain loads else. */
  plain(from: Value, moves: readonly Move[]): Expr {
    const expr = this.input(from, moves);
    const { item } = seeThrough(from).value;
    if ((expr.op === 'load' && !expr.at) || this.inlined?.has(item)) return expr;
    throw new NeedsBuffer(item);
  }

  /** An expression of a reduction of this group, over the domain; its accumulators get their numbers within the group. */
  reduced(expr: OpExpr, item: Item): Expr {
    const { accs, domain } = this.group;
    return this.of(expr, item, domain, [], (acc) => {
      const place = accs.findIndex((each) => each.item === item && each.own === acc.index);
      this.stage = Math.max(this.stage, (accs[place] as (typeof accs)[number]).stage);
      return this.#interner.leaf({ ...acc, index: place });
    });
  }

  /** The value of a member of this group, over the group's domain. */
  member(item: Item, output: number, moves: readonly Move[]): Expr {
    const { lowering } = item;
    const { shape, dtype } = item.outputs[output] as Value;
    if (lowering?.kind === 'map') return this.#inline(item, output, moves);
    const view = applyMoves(contiguous(shape), moves);
    if (!view || lowering === null) throw new NotAligned();
    if (lowering.kind === 'reduce') {
      const out = lowering.outs[output];
      if (!out || !this.group.aligned(view, out.per)) throw new NotAligned();
      return this.reduced(out.expr, item);
    }
    if (!this.group.aligned(view, 'element') || lowering.kind === 'view' || lowering.kind === 'parts')
      throw new NotAligned();
    const out = lowering.outs?.[output];
    if (out) return this.of(out, item, this.group.domain, [], (acc) => this.#interner.leaf(acc));
    return this.#interner.leaf({ op: 'acc', dtype: computeOf(dtype), index: output });
  }

  /** Kept, for a value that is used twice at every level would else be walked 2^levels times. */
  #inline(item: Item, output: number, moves: readonly Move[]): Expr {
    const key = `${item.place}.${output}${moves.length ? JSON.stringify(moves) : ''}`;
    let expr = this.#inlined.get(key);
    if (!expr) this.#inlined.set(key, (expr = this.#inlineOnce(item, output, moves)));
    return expr;
  }
  readonly #inlined = new Map<string, Expr>();

  #inlineOnce(item: Item, output: number, moves: readonly Move[]): Expr {
    const { shape, dtype } = item.outputs[output] as Value;
    if (item.node.source?.kind === 'scalar') return this.#uniform(item);
    const made = againOf(item, output);
    if (!made || moves.some((move) => move.type === 'pad')) throw new NeedsBuffer(item);
    try {
      const expr = this.of(made, item, shape, moves);
      return dtype === 'uint8'
        ? this.#interner.apply({ op: 'apply', fn: 'and', dtype: 'int32' }, [
            expr,
            this.#interner.leaf(constant(255, 'int32')),
          ])
        : expr;
    } catch (error) {
      // the moves do not fit what it reads: give it a buffer, which any view fits
      if (error instanceof NeedsBuffer && moves.length && item.group !== this.group) throw new NeedsBuffer(item);
      throw error;
    }
  }

  #uniform(item: Item): Expr {
    const place = placeIn(this.scalars, item);
    return this.#interner.leaf({ op: 'uniform', dtype: computeOf(item.outputs[0]?.dtype ?? 'float32'), index: place });
  }

  #load(seen: Seen, moves: readonly Move[]): Expr {
    const whole = this.#viewOf(seen);
    const view = applyMoves(whole, moves);
    const last = seen.views.at(-1);
    if (!view && last) throw new NeedsBuffer(last);
    // what is stored in order and still makes no strided view is looked up element by element
    const at = view ? null : this.#coordinates({ shape: whole.shape, moves, item: seen.value.item });
    return this.#loadOf(seen.value, view ?? whole, at);
  }

  #loadOf(value: Value, view: View, at: readonly Expr[] | null): Expr {
    const input = placeIn(this.loads, value);
    return this.#interner.leaf({ op: 'load', dtype: computeOf(value.dtype), input, view, at });
  }

  #readAt(read: Read, site: Site): Expr {
    const seen = seeThrough(site.item.inputs[read.input] as Value);
    const { item } = seen.value;
    if (item.group === this.group) throw new NotAligned();
    if (!item.leaf && !item.group) throw new NeedsBuffer(item);
    const at = (read.at as readonly OpExpr[]).map((coordinate) => this.#visit(coordinate, site));
    return this.#loadOf(seen.value, this.#viewOf(seen), at);
  }

  #viewOf(seen: Seen): View {
    if (seen.view) return seen.view;
    let view = contiguous(seen.value.shape);
    let before = seen.value.item;
    for (const item of seen.views) {
      const next = applyMoves(view, item.lowering?.kind === 'view' ? item.lowering.moves : []);
      if (!next) throw new NeedsBuffer(before);
      view = next;
      before = item;
    }
    return (seen.view = view);
  }

  /** Where the domain's coordinates lie in `shape`, before the moves. */
  #coordinates({ shape, moves, item }: Pick<Site, 'shape' | 'moves' | 'item'>): readonly Expr[] {
    const shapes = [shape];
    for (const move of moves) shapes.push(movedShape(shapes.at(-1) as readonly number[], move));
    let at: Expr[] = (shapes.at(-1) as readonly number[]).map((_, axis) => index(axis));
    for (let i = moves.length - 1; i >= 0; i--) at = undo(moves[i] as Move, at, shapes[i] as readonly number[], item);
    const known = new Map<Expr, Expr>();
    const intern = (expr: Expr): Expr => {
      let one = known.get(expr);
      if (!one) {
        one = expr.op === 'apply' ? this.#interner.apply(expr, expr.args.map(intern)) : this.#interner.leaf(expr);
        known.set(expr, one);
      }
      return one;
    };
    return at.map(intern);
  }
}

const int = (value: number): Expr => constant(value, 'int32');

/** Coordinates before a move from those after it. */
function undo(move: Move, at: readonly Expr[], before: readonly number[], item: Item): Expr[] {
  switch (move.type) {
    case 'permute':
      return before.map((_, axis) => at[move.axes.indexOf(axis)] as Expr);
    case 'expand':
      return before.map((size, axis) => (size === 1 ? int(0) : (at[axis + move.shape.length - before.length] as Expr)));
    case 'slice':
      return at.map((c, axis) => {
        const step = move.step[axis] as number;
        const start = move.start[axis] as number;
        const scaled = step === 1 ? c : mul(c, int(step));
        return start === 0 ? scaled : add(scaled, int(start));
      });
    case 'reshape': {
      let rest: Expr = rewrite(linearIndex<Load>(move.shape), (leaf) =>
        leaf.op === 'index' ? (at[leaf.axis] as Expr) : leaf,
      );
      const result = new Array<Expr>(before.length);
      for (let axis = before.length - 1; axis >= 0; axis--) {
        const size = before[axis] as number;
        const outer = sizeOf(before.slice(0, axis)) === 1;
        result[axis] = size === 1 ? int(0) : outer ? rest : apply('mod', [rest, int(size)]);
        if (!outer && size !== 1) rest = apply('div', [rest, int(size)]);
      }
      return result;
    }
    case 'pad':
      throw new NeedsBuffer(item);
  }
}
