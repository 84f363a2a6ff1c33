/** One unit of a reduction: its stages, its partial results, its stores. The picture is in reduce.ts. */
import type { Accumulate, ReduceKernel, View } from '@tessera/tensor/backend';
import { type Arg, type Code, type Func, get, i32, i32x4, type Local, loop, select, set, v128 } from '../assembler';
import { begin, foldLanes, isPositional, type Rule, result, type State, take } from '../combine';
import type { Domain, Node } from '../domain';
import { argWords, type Scope, storeAll, unrolling } from '../expression';
import { Printer } from '../functions';
import { laneNumbers, type Step } from '../lanes';
import { type Accs, type Stretch, Sweep } from '../sweep';
import type { Kept } from './kept';
import { type Streams, shifted, shiftedView, sideBySide, streamsOf } from './streams';

/** What a unit has to know of the reduction that it is part of. */
export interface Layout {
  readonly kernel: ReduceKernel;
  readonly domain: Domain;
  /** Number of kept axes that are loops, and of reduced ones; the last axis is swept. */
  readonly keptLoops: number;
  readonly reducedLoops: number;
  /** Is the swept axis reduced (along) or kept (across)? */
  readonly along: boolean;
  /** Across: rows of a block. */
  readonly blockRows: number;
  /** The reduced axis that is cut into segments, how many, of what length. */
  readonly cutAxis: number;
  readonly segments: number;
  readonly segmentLength: number;
  readonly rules: readonly Rule[];
  /** For each accumulator the first of its slots of partial results; then the number of slots. */
  readonly slots: readonly number[];
}
/** Which unit: locals and numbers that the code of its phase has set. */
export interface Where {
  readonly unit: Local;
  readonly segment: Local | null;
  readonly kept: readonly Local[];
  /** Across: the first row of the block, how many rows, how many vectors they are. */
  readonly start: Local | 0;
  readonly vectors: number;
  readonly count: number;
  readonly units: number;
}
/** The expressions of the kernel for one row of a unit, in the layout's domain. */
export interface Roots {
  readonly stages: readonly (readonly Node[])[];
  readonly place: Node | null;
  readonly stores: readonly Node[];
  readonly views: readonly View[];
  /** For each stage what later ones and the stores read from scratch. */
  readonly kept: readonly (readonly Kept[])[];
}

/** The code of one unit of work: a row, or a block of rows a lane each. */
export class Unit {
  readonly #of: Layout;
  readonly #scope: Scope;
  readonly #where: Where;
  readonly #rows: readonly Roots[];
  /** For each accumulator that is done, row by row, its results: one for all lanes (along), or one a vector (across). */
  readonly #results: Local[][] = [];
  /** The same before an arg… has become a plain number, to be kept. */
  readonly #states: State[][] = [];
  /** Where in scratch the loads of what has been kept find it. */
  readonly #bases = new Map<Node, Local>();

  constructor(of: Layout, scope: Scope, where: Where, rows: readonly Roots[]) {
    this.#of = of;
    this.#scope = scope;
    this.#where = where;
    this.#rows = rows;
  }

  get segment(): Local | null {
    return this.#where.segment;
  }
  get #f(): Func {
    return this.#scope.f;
  }

  /** Numbers of the accumulators of a stage. */
  #accumulators(stage: number): number[] {
    const first = this.#of.kernel.stages.slice(0, stage).flat().length;
    return (this.#of.kernel.stages[stage] as readonly Accumulate[]).map((_, i) => first + i);
  }

  #newState(rule: Rule): State {
    return { value: this.#f.local('v128'), place: isPositional(rule.combine) ? this.#f.local('v128') : null };
  }

  /** The accumulators of earlier stages; across, `vector` tells which vector of the block is being made. */
  #accs(vector: () => number): Accs {
    return {
      varies: () => !this.#of.along,
      value: (index) => this.#results[index]?.[this.#of.along ? 0 : vector()] as Local,
    };
  }

  /**
   * Loops over the reduced axes around `make`, which sweeps the last one; one segment of the cut axis, or all of it, and of the
   * axis that is cut into streams the first of them.
   */
  #nest(
    segment: Local | null,
    streams: Streams | null,
    make: (coords: Local[], start: Local | 0, count: Local | number) => Code,
  ): Code {
    const { domain, keptLoops, reducedLoops, cutAxis, segmentLength, along } = this.#of;
    const coords = Array.from({ length: reducedLoops }, () => this.#f.local('i32'));
    const bounds = (axis: number): [code: Code, from: Local | 0, to: Local | number] => {
      const size = domain.shape[axis] as number;
      const streamed = streams?.axis === axis;
      if (!segment || axis !== cutAxis) return [[], 0, streamed ? streams.length : size];
      const [from, to] = this.#f.locals('i32', 2) as [Local, Local];
      const code = [
        set(from, i32.mul(segment, segmentLength)),
        set(to, i32.add(from, streamed ? streams.length : segmentLength)),
        streamed ? [] : set(to, select(to, size, i32.lt_s(to, size))),
      ];
      return [code, from, to];
    };
    let code: Code;
    if (along) {
      const [before, from, to] = bounds(domain.shape.length - 1);
      if (from === 0) code = make(coords, 0, to);
      else {
        const count = this.#f.local('i32');
        code = [before, set(count, i32.sub(to, from)), make(coords, from, count)];
      }
    } else {
      code = make(coords, this.#where.start, this.#where.count);
    }
    for (let i = reducedLoops - 1; i >= 0; i--) {
      const [before, from, to] = bounds(keptLoops + i);
      code = [before, loop(coords[i] as Local, from, to, 1, code)];
    }
    return code;
  }

  /** One stage over the row, or over a segment of it; of rows that make a unit side by side, or one after another. */
  pass(stage: number, segment: Local | null): Code {
    const light = this.#rows.every(({ stages, kept }) => !kept[stage]?.length && this.#fit(stages[stage] ?? [], 0));
    return this.#inSweeps(light).map((rows) => this.#passOver(rows, stage, segment));
  }

  #passOver(rows: readonly number[], stage: number, segment: Local | null): Code {
    const { along, rules } = this.#of;
    const { vectors } = this.#where;
    const numbers = this.#accumulators(stage);
    const positional = numbers.some((i) => isPositional((rules[i] as Rule).combine));
    const [first] = rows.map((row) => this.#rows[row]) as [Roots];
    const [roots, kept] = [first.stages[stage] as readonly Node[], first.kept[stage] ?? []];
    const streams = positional || kept.length ? null : this.#streams(roots, 0, segment);
    const rowwise = rows.map((row) => this.#copies(this.#rows[row]?.stages[stage] as readonly Node[], streams));
    const wanted = [...rowwise.flat(2), ...kept.map(({ node }) => node)];
    if (positional && first.place) wanted.push(first.place);
    const copies = rows.length * (streams?.count ?? 1);
    const unroll = along ? (positional ? 1 : vectorsOf(copies, roots)) : vectors;
    const states = rows.map(() =>
      numbers.map((i) =>
        Array.from({ length: along ? unroll * (streams?.count ?? 1) : vectors }, () =>
          this.#newState(rules[i] as Rule),
        ),
      ),
    );
    const setup = new Printer(this.#scope);
    for (const mine of states)
      numbers.forEach((i, n) => {
        for (const state of mine[n] as State[]) begin(setup, rules[i] as Rule, state);
      });
    for (const { load, offset } of kept) {
      const base = this.#f.local('i32');
      this.#bases.set(load, base);
      setup.write(set(base, this.#scratch(offset)));
    }
    const body = this.#nest(segment, streams, (coords, start, count) => {
      let vector = 0;
      const sweep = new Sweep(
        this.#scope,
        this.#stretch(coords, start, count),
        wanted,
        this.#accs(() => vector),
      );
      const places = kept.map(({ load }) => sweep.place(get(this.#bases.get(load) as Local), load.view, 4));
      return sweep.emit(unroll, (step) => {
        const mask = along ? laneMask(step) : null;
        const place = positional && first.place ? sweep.printer.bind(sweep.value(first.place, step)) : null;
        for (const [r, row] of rowwise.entries())
          for (const [s, copy] of row.entries())
            numbers.forEach((i, n) => {
              const rule = rules[i] as Rule;
              const state = states[r]?.[n]?.[along ? s * unroll + (step.u % unroll) : vector] as State;
              const value = sweep.value(copy[n] as Node, step);
              take(sweep.printer, rule, state, value, isPositional(rule.combine) ? place : null, mask);
            });
        const values = kept.map(({ node }) => sweep.printer.bind(sweep.value(node, step)));
        vector++;
        return () => {
          for (const [i, place] of places.entries()) sweep.store(place, values[i] as Local, step, false);
        };
      });
    });
    const finish = new Printer(this.#scope);
    for (const [r, row] of rows.entries())
      numbers.forEach((i, n) => {
        const rule = rules[i] as Rule;
        let made = states[r]?.[n] as State[];
        if (along) {
          made = [this.#foldAll(finish, rule, made)];
          foldLanes(finish, rule, made[0] as State);
        }
        this.#states[i] = made;
        if (!segment) this.#results[row * rules.length + i] = made.map((state) => result(finish, state));
      });
    return [setup.code, body, finish.code];
  }

  /** Do all rows of a unit go into one sweep of these expressions? */
  #fit(roots: readonly Node[], stores: number): boolean {
    const { domain, keptLoops } = this.#of;
    return sideBySide(roots, stores, this.#rows.length, keptLoops - 1, domain.shape.length - 1);
  }
  /** The rows of a unit by sweeps. */
  #inSweeps(together: boolean): number[][] {
    const rows = [...this.#rows.keys()];
    return together ? [rows] : rows.map((row) => [row]);
  }

  /** How the axis that is reduced, or written back, is cut into streams. */
  #streams(roots: readonly Node[], stores: number, segment: Local | null): Streams | null {
    const { domain, along, keptLoops, reducedLoops, cutAxis, segmentLength } = this.#of;
    if (!along || this.#rows.length > 1) return null;
    const last = domain.shape.length - 1;
    const axes = [...new Set([segment ? cutAxis : reducedLoops ? keptLoops : last, last])].map((axis) => {
      const size = domain.shape[axis] as number;
      if (!segment || axis !== cutAxis) return { axis, length: size };
      return { axis, length: size % segmentLength === 0 ? segmentLength : 1 };
    });
    return streamsOf(roots, stores, axes, last);
  }
  /** The expressions of each stream. */
  #copies(roots: readonly Node[], streams: Streams | null): (readonly Node[])[] {
    if (!streams) return [roots];
    const { axis, count, length } = streams;
    return Array.from({ length: count }, (_, s) => {
      if (s === 0) return roots;
      return shifted(roots, axis, s * length, 0, (from, to) => {
        const base = this.#bases.get(from);
        if (base) this.#bases.set(to, base);
      });
    });
  }
  /** The view of each stream. */
  #views(view: View, streams: Streams | null): View[] {
    if (!streams) return [view];
    return Array.from({ length: streams.count }, (_, s) => shiftedView(view, streams.axis, s * streams.length));
  }

  #stretch(coords: readonly (Local | number)[], start: Local | number, count: Local | number): Stretch {
    const { shape } = this.#of.domain;
    return { shape, coords: [...this.#where.kept, ...coords], start, count, bases: this.#bases };
  }

  /** Where an element would lie whose coordinates are all 0: a block's first row is that of its `start`. */
  #scratch(offset: number): Code {
    const { start } = this.#where;
    const own = i32.add(i32.load(this.#scope.args, 4 * argWords(this.#of.kernel).threadScratch), offset);
    return start === 0 ? own : i32.sub(own, i32.shl(start, 2));
  }

  /** Several vectors of one accumulator into one, in pairs. */
  #foldAll(w: Printer, rule: Rule, states: readonly State[]): State {
    let left = states;
    while (left.length > 1) {
      const half = Math.ceil(left.length / 2);
      for (const [i, state] of left.slice(half).entries())
        take(w, rule, left[i] as State, state.value, state.place, null);
      left = left.slice(0, half);
    }
    return left[0] as State;
  }

  /** Address of partial results: slot, segment, unit, vector. */
  #partial(slot: number, segment: Arg): Code {
    const bytes = 16 * (this.#of.along ? 1 : this.#of.blockRows / 4);
    const { unit, units } = this.#where;
    const base = i32.load(this.#scope.args, 4 * argWords(this.#of.kernel).sharedScratch);
    const number = i32.add(i32.mul(i32.add(segment, slot * this.#of.segments), units), unit);
    return i32.add(base, i32.mul(number, bytes));
  }

  /** Writes the partial results of a stage. */
  keep(stage: number): Code {
    const to = this.#f.local('i32');
    return this.#accumulators(stage).map((i) => {
      const states = this.#states[i] as State[];
      const first = this.#of.slots[i] as number;
      const part = (slot: number, values: readonly (Local | null)[]): Code => [
        set(to, this.#partial(slot, this.segment as Local)),
        values.map((value, v) => (value ? v128.store(to, value, 16 * v) : [])),
      ];
      return [
        part(
          first,
          states.map(({ value }) => value),
        ),
        states[0]?.place
          ? part(
              first + 1,
              states.map(({ place }) => place),
            )
          : [],
      ];
    });
  }

  /** Folds the partial results of all stages before `stage`. */
  recall(stage: number): Code {
    const { rules, segments } = this.#of;
    const segment = this.#f.local('i32');
    const from = this.#f.local('i32');
    const code: Code[] = [];
    for (const i of Array.from({ length: stage }, (_, s) => this.#accumulators(s)).flat()) {
      const rule = rules[i] as Rule;
      const first = this.#of.slots[i] as number;
      const states = Array.from({ length: this.#where.vectors }, () => this.#newState(rule));
      const w = new Printer(this.#scope);
      for (const state of states) begin(w, rule, state);
      const round = new Printer(this.#scope);
      round.write(set(from, this.#partial(first, segment)));
      const values = states.map((_, v) => round.bind(v128.load(from, 16 * v)));
      if (isPositional(rule.combine)) round.write(set(from, this.#partial(first + 1, segment)));
      states.forEach((state, v) => {
        take(round, rule, state, values[v] as Local, state.place && round.bind(v128.load(from, 16 * v)), null);
      });
      w.write(loop(segment, 0, segments, 1, round.code));
      this.#results[i] = states.map((state) => result(w, state));
      code.push(w.code);
    }
    return code;
  }

  /** The stores of one sort: over the row or a segment of it, or once a row. */
  stores(per: 'element' | 'row', segment: Local | null): Code {
    const which = this.#of.kernel.stores.flatMap((store, i) => (store.per === per ? [i] : []));
    if (which.length === 0) return [];
    const light = this.#rows.every(({ stores }) =>
      this.#fit(
        which.map((i) => stores[i] as Node),
        which.length,
      ),
    );
    return this.#inSweeps(light).map((rows) => this.#storesOf(rows, which, per, segment));
  }

  #storesOf(rows: readonly number[], which: readonly number[], per: 'element' | 'row', segment: Local | null): Code {
    const { kernel, domain, reducedLoops, along } = this.#of;
    const chosen = rows.map((row) => {
      const { stores, views } = this.#rows[row] as Roots;
      return { roots: which.map((i) => stores[i] as Node), views: which.map((i) => views[i] as View) };
    });
    const roots = chosen[0]?.roots as readonly Node[];
    const streams = per === 'element' ? this.#streams(roots, which.length, segment) : null;
    const copies = chosen.flatMap((row) => this.#copies(row.roots, streams));
    const stores = copies.flatMap(() => which.map((i) => kernel.stores[i] as (typeof kernel.stores)[number]));
    const part: Domain = {
      shape: domain.shape,
      groups: domain.groups,
      roots: copies.flat(),
      views: chosen.flatMap(({ views }) => {
        const each = views.map((view) => this.#views(view, streams));
        return (each[0] as View[]).flatMap((_, s) => each.map((of) => of[s] as View));
      }),
    };
    const unroll = along ? vectorsOf(copies.length, roots) : this.#where.vectors;
    const sweepOver = (coords: readonly (Local | number)[], start: Local | number, count: Local | number): Code => {
      let vector = 0;
      const sweep = new Sweep(
        this.#scope,
        this.#stretch(coords, start, count),
        part.roots,
        this.#accs(() => vector),
      );
      return storeAll(sweep, part, stores, unroll, () => vector++);
    };
    if (per === 'element') return this.#nest(segment, streams, sweepOver);
    const zeros = new Array<number>(reducedLoops).fill(0);
    return along ? sweepOver(zeros, 0, 1) : sweepOver(zeros, this.#where.start, this.#where.count);
  }
}

/** Vectors a round, of each of so many streams. */
const vectorsOf = (streams: number, roots: readonly Node[]): number =>
  Math.max(1, unrolling({ roots }) / (streams > 1 ? 2 : 1));

/** The lanes of a step that are there; null for all. */
function laneMask({ lanes }: Step): Code | null {
  if (lanes === 4) return null;
  return i32x4.lt_s(laneNumbers(), i32x4.splat(lanes));
}
