/**
 * Rows along some axes, in stages. The axis that lies contiguous in memory is swept in vectors; whether it is reduced or
 * kept makes two shapes of loop:
 *
 *    along   ┌──────────row──────────┐        across  ┌block┐ 16 rows at once, a lane each
 *            │▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒  │                │▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒▒▒▒│      │
 *            └───────────────────────┘                │▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒▒▒▒│      │
 *            lanes are folded at its end              └───────────────────┘ lanes stay apart
 *
 * A unit of work is a row (along) or a block of rows (across): all stages, then the stores, while it is in the cache. Where
 * there are few units, and long ones, each is cut into segments: then every stage is a phase that leaves partial results
 * in the shared scratch, and each unit of the next phase folds them again, in the order of segments.
 */
import {
  type Accumulate,
  expr as build,
  type Expr,
  type ReduceKernel,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import {
  type Arg,
  type Code,
  type CpuKernel,
  type Func,
  i32,
  i32x4,
  type Local,
  loop,
  Module,
  select,
  set,
  type Target,
  v128,
  when,
} from '../assembler';
import { begin, foldLanes, isPositional, type Rule, result, type State, take } from '../combine';
import { type Affine, type Domain, eachNode, type Node, regroup, simplify, toNodes, weight } from '../domain';
import { argWords, asStored, type Scope, storeAll, unrolling } from '../expression';
import { Printer } from '../functions';
import { type Phase, unitPhase } from '../phase';
import { type Accs, laneNumbers, type Step, Sweep } from '../sweep';
import { unravel } from './map';

/** Rows at once where lanes are rows: as many accumulators as registers hold, for one plain sum and for more. */
const [wideRows, narrowRows] = [32, 16];
/** Below this many units a long reduction is cut into segments, about `mostSegments` in all, of at least `segmentElements`. */
const enoughUnits = 16;
const mostSegments = 64;
const segmentElements = 16384;
export function reduce(kernel: ReduceKernel, target: Target): CpuKernel {
  return new Reduction(kernel, target).generate();
}

class Reduction {
  readonly kernel: ReduceKernel;
  readonly module: Module;
  readonly domain: Domain;
  /** Number of kept axes that are loops, and of reduced ones; the last axis is swept. */
  readonly keptLoops: number;
  readonly reducedLoops: number;
  /** Is the swept axis reduced (along) or kept (across)? */
  readonly along: boolean;
  /** Across: rows of a block. */
  readonly blockRows: number;
  readonly segments: number;
  readonly segmentLength: number;
  /** The reduced axis that is cut into segments. */
  readonly cutAxis: number;
  readonly rules: readonly Rule[];
  /** For each accumulator the first of its slots of partial results; then the number of slots. */
  readonly slots: readonly number[];
  #stageRoots: Node[][] = [];
  #placeRoot: Node | null = null;
  #storeRoots: Node[] = [];
  #storeViews: readonly View[] = [];

  constructor(kernel: ReduceKernel, target: Target) {
    this.kernel = kernel;
    this.module = new Module(target);
    const { shape, stages, stores } = kernel;
    const reduced = new Set(kernel.axes);
    const all = stages.flat();
    this.rules = all.map(({ combine, expr, dtype }) => {
      if (!isPositional(combine)) return { combine, dtype };
      return { combine, dtype: expr.dtype === 'bool' ? 'int32' : expr.dtype };
    });
    const slots = [0];
    for (const { combine } of this.rules)
      slots.push((slots[slots.length - 1] as number) + (isPositional(combine) ? 2 : 1));
    this.slots = slots;

    const exprs = [
      ...all.map((accumulate, i) => accumulated(accumulate, this.rules[i] as Rule)),
      ...stores.map((store) => asStored({ kernel }, store)),
    ];
    const nodes = toNodes(exprs, shape.length);
    const position: Affine = { op: 'affine', dtype: 'int32', strides: rowStrides(shape, reduced), offset: 0 };
    const positional = this.rules.some(({ combine }) => isPositional(combine));
    const views = stores.map(({ view, per }): View => {
      if (per === 'element') return view;
      return { ...view, shape, strides: view.strides.map((stride, axis) => (reduced.has(axis) ? 0 : stride)) };
    });
    const simple = simplify(shape, positional ? [...nodes, position] : nodes, views, {
      classOf: (axis) => +reduced.has(axis),
    });
    const isReduced = simple.groups.map((group) => group.length > 0 && reduced.has(group[0] as number));
    const swept = sweptAxis(simple);
    this.along = isReduced[swept] as boolean;
    const axesOf = (which: boolean) =>
      simple.groups.flatMap((_, axis) => (axis !== swept && isReduced[axis] === which ? [axis] : []));
    const [kept, rest] = [axesOf(false), axesOf(true)];
    this.keptLoops = kept.length;
    this.reducedLoops = rest.length;
    this.domain = regroup(
      simple.shape,
      simple.roots,
      simple.views,
      [...kept, ...rest, swept].map((axis) => [axis]),
    );
    const { roots } = this.domain;
    let at = 0;
    for (const stage of stages) {
      this.#stageRoots.push(roots.slice(at, at + stage.length));
      at += stage.length;
    }
    this.#storeRoots = roots.slice(at, at + stores.length);
    this.#placeRoot = positional ? (roots[roots.length - 1] as Node) : null;
    this.#storeViews = this.domain.views;

    const simpleSum = all.length === 1 && !positional && weight(this.#stageRoots.flat()) <= 3;
    this.blockRows = simpleSum ? wideRows : narrowRows;
    const [axis, count, length] = this.#cut();
    this.cutAxis = axis;
    this.segments = count;
    this.segmentLength = length;
  }

  get #last(): number {
    return this.domain.shape.length - 1;
  }
  #size(axis: number): number {
    return this.domain.shape[axis] as number;
  }
  /** Rows that are loops, without blocks. */
  get #rows(): number {
    return sizeOf(this.domain.shape.slice(0, this.keptLoops));
  }
  get #blocks(): number {
    return this.along ? 1 : Math.ceil(this.#size(this.#last) / this.blockRows);
  }
  get #units(): number {
    return this.#rows * this.#blocks;
  }

  /** Which reduced axis is cut, into how many segments of what length. */
  #cut(): [axis: number, segments: number, length: number] {
    const reduced = Array.from({ length: this.reducedLoops }, (_, i) => this.keptLoops + i);
    if (this.along) reduced.push(this.#last);
    const axis = reduced.reduce((a, b) => (this.#size(b) > this.#size(a) ? b : a), reduced[0] ?? this.#last);
    const wanted = Math.min(mostSegments, Math.floor(sizeOf(this.domain.shape) / segmentElements));
    if (reduced.length === 0 || this.#units === 0 || this.#units >= enoughUnits || wanted <= this.#units)
      return [axis, 1, this.#size(axis)];
    const size = this.#size(axis);
    const step = axis === this.#last ? 64 : 1;
    const length = Math.ceil(size / Math.ceil(wanted / this.#units) / step) * step;
    return [axis, Math.ceil(size / length), length];
  }

  generate(): CpuKernel {
    const { stages, stores } = this.kernel;
    const phases: Phase[] = [];
    const phase = (name: string, units: number, unitElements: number, body: (scope: Scope, unit: Local) => Code) => {
      phases.push(unitPhase(this.module, this.kernel, name, units, unitElements, body));
    };
    const elements = this.#units === 0 ? 1 : sizeOf(this.domain.shape) / this.#units;
    if (this.segments === 1) {
      phase('rows', this.#units, elements * (stages.length + 1), (scope, unit) =>
        this.#perBlock(scope, unit, null, (block) => [
          stages.map((_, stage) => block.pass(stage, null)),
          block.stores('element', null),
          block.stores('row', null),
        ]),
      );
    } else {
      const cut = this.#units * this.segments;
      const perSegment = elements / this.segments;
      stages.forEach((_, stage) => {
        phase(`stage${stage}`, cut, perSegment, (scope, unit) =>
          this.#perBlock(scope, unit, this.segments, (block) => [
            block.recall(stage),
            block.pass(stage, block.segment),
            block.keep(stage),
          ]),
        );
      });
      const perElement = stores.some(({ per }) => per === 'element');
      const perRow = stores.some(({ per }) => per === 'row');
      if (perElement) {
        phase('elements', cut, perSegment, (scope, unit) =>
          this.#perBlock(scope, unit, this.segments, (block) => [
            block.recall(stages.length),
            block.stores('element', block.segment),
          ]),
        );
      }
      if (perRow) {
        phase('rows', this.#units, mostSegments, (scope, unit) =>
          this.#perBlock(scope, unit, null, (block) => [block.recall(stages.length), block.stores('row', null)]),
        );
      }
    }
    const vectors = this.along ? 1 : this.blockRows / 4;
    const slots = this.slots[this.slots.length - 1] as number;
    const sharedScratch = this.segments === 1 ? 0 : slots * this.segments * this.#units * vectors * 16;
    return { bytes: this.module.bytes(), phases, sharedScratch, threadScratch: 0 };
  }

  /** Code for a unit: finds its coordinates and does `make`, for full blocks and for the last one where that is shorter. */
  #perBlock(scope: Scope, unit: Local, segments: number | null, make: (block: Block) => Code): Code {
    const { f } = scope;
    const kept = Array.from({ length: this.keptLoops }, () => f.local('i32'));
    const code: Code[] = [];
    let rest = unit;
    let segment: Local | null = null;
    if (segments !== null) {
      segment = f.local('i32');
      rest = f.local('i32');
      code.push(set(segment, i32.rem_u(unit, segments)), set(rest, i32.div_u(unit, segments)));
    }
    const row = rest;
    if (this.along) {
      code.push(...unravel(f, row, this.domain.shape.slice(0, this.keptLoops), kept));
      code.push(make(this.#block(scope, row, segment, kept, 0, 1, 4)));
      return code;
    }
    const [block, outer, start] = f.locals('i32', 3) as [Local, Local, Local];
    code.push(
      set(block, i32.rem_u(row, this.#blocks)),
      set(outer, i32.div_u(row, this.#blocks)),
      set(start, i32.mul(block, this.blockRows)),
    );
    code.push(...unravel(f, outer, this.domain.shape.slice(0, this.keptLoops), kept));
    const short = this.#size(this.#last) % this.blockRows;
    const full = () => make(this.#block(scope, row, segment, kept, start, this.blockRows / 4, this.blockRows));
    const last = () => make(this.#block(scope, row, segment, kept, start, Math.ceil(short / 4), short));
    if (short === 0) code.push(full());
    else if (this.#blocks === 1) code.push(last());
    else code.push(when(i32.eq(block, this.#blocks - 1), last(), full()));
    return code;
  }

  #block(
    scope: Scope,
    unit: Local,
    segment: Local | null,
    kept: readonly Local[],
    start: Local | 0,
    vectors: number,
    count: number,
  ) {
    return new Block(
      this,
      scope,
      { unit, segment, kept, start, vectors, count, units: this.#units },
      {
        stages: this.#stageRoots,
        place: this.#placeRoot,
        stores: this.#storeRoots,
        views: this.#storeViews,
      },
    );
  }
}

interface Where {
  readonly unit: Local;
  readonly segment: Local | null;
  readonly kept: readonly Local[];
  /** Across: the first row of the block, how many rows, how many vectors they are. */
  readonly start: Local | 0;
  readonly vectors: number;
  readonly count: number;
  readonly units: number;
}
interface Roots {
  readonly stages: readonly (readonly Node[])[];
  readonly place: Node | null;
  readonly stores: readonly Node[];
  readonly views: readonly View[];
}

/** The code of one unit of work. */
class Block {
  readonly #of: Reduction;
  readonly #scope: Scope;
  readonly #where: Where;
  readonly #roots: Roots;
  /** For each accumulator that is done its results: one for all lanes (along), or one a vector (across). */
  readonly #results: Local[][] = [];
  /** The same before an arg… has become a plain number, to be kept. */
  readonly #states: State[][] = [];

  constructor(of: Reduction, scope: Scope, where: Where, roots: Roots) {
    this.#of = of;
    this.#scope = scope;
    this.#where = where;
    this.#roots = roots;
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

  /** Loops over the reduced axes around `make`, which sweeps the last one; one segment of the cut axis, or all of it. */
  #nest(segment: Local | null, make: (coords: Local[], start: Local | 0, count: Local | number) => Code): Code {
    const { domain, keptLoops, reducedLoops, cutAxis, segmentLength, along } = this.#of;
    const coords = Array.from({ length: reducedLoops }, () => this.#f.local('i32'));
    const bounds = (axis: number): [code: Code, from: Local | 0, to: Local | number] => {
      const size = domain.shape[axis] as number;
      if (!segment || axis !== cutAxis) return [[], 0, size];
      const [from, to] = this.#f.locals('i32', 2) as [Local, Local];
      const code = [
        set(from, i32.mul(segment, segmentLength)),
        set(to, i32.add(from, segmentLength)),
        set(to, select(to, size, i32.lt_s(to, size))),
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

  /** One stage over the row, or over a segment of it. */
  pass(stage: number, segment: Local | null): Code {
    const { along, rules, domain } = this.#of;
    const { vectors } = this.#where;
    const numbers = this.#accumulators(stage);
    const roots = this.#roots.stages[stage] as readonly Node[];
    const positional = numbers.some((i) => isPositional((rules[i] as Rule).combine));
    const wanted = positional && this.#roots.place ? [...roots, this.#roots.place] : roots;
    const unroll = along ? (positional ? 1 : unrolling({ roots })) : vectors;
    const states = numbers.map((i) =>
      Array.from({ length: along ? unroll : vectors }, () => this.#newState(rules[i] as Rule)),
    );
    const setup = new Printer(this.#scope);
    numbers.forEach((i, n) => {
      for (const state of states[n] as State[]) begin(setup, rules[i] as Rule, state);
    });
    const body = this.#nest(segment, (coords, start, count) => {
      let vector = 0;
      const stretch = { shape: domain.shape, coords: [...this.#where.kept, ...coords], start, count };
      const sweep = new Sweep(
        this.#scope,
        stretch,
        wanted,
        this.#accs(() => vector),
      );
      return sweep.emit(unroll, (step) => {
        const mask = along ? laneMask(step) : null;
        const place = positional && this.#roots.place ? sweep.value(this.#roots.place, step) : null;
        numbers.forEach((i, n) => {
          const rule = rules[i] as Rule;
          const state = states[n]?.[along ? step.u % unroll : vector] as State;
          const bound: Arg = isPositional(rule.combine) && place ? sweep.printer.bind(place) : (place as Arg);
          take(
            sweep.printer,
            rule,
            state,
            sweep.value(roots[n] as Node, step),
            isPositional(rule.combine) ? bound : null,
            mask,
          );
        });
        vector++;
      });
    });
    const finish = new Printer(this.#scope);
    numbers.forEach((i, n) => {
      const rule = rules[i] as Rule;
      let made = states[n] as State[];
      if (along) {
        made = [this.#foldAll(finish, rule, made)];
        foldLanes(finish, rule, made[0] as State);
      }
      this.#states[i] = made;
      if (!segment) this.#results[i] = made.map((state) => result(finish, state));
    });
    return [setup.code, body, finish.code];
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
    const { kernel, domain, reducedLoops, along } = this.#of;
    const which = kernel.stores.flatMap((store, i) => (store.per === per ? [i] : []));
    if (which.length === 0) return [];
    const stores = which.map((i) => kernel.stores[i] as (typeof kernel.stores)[number]);
    const part: Domain = {
      shape: domain.shape,
      groups: domain.groups,
      roots: which.map((i) => this.#roots.stores[i] as Node),
      views: which.map((i) => this.#roots.views[i] as View),
    };
    const sweepOver = (coords: readonly (Local | number)[], start: Local | number, count: Local | number): Code => {
      let vector = 0;
      const stretch = { shape: domain.shape, coords: [...this.#where.kept, ...coords], start, count };
      const sweep = new Sweep(
        this.#scope,
        stretch,
        part.roots,
        this.#accs(() => vector),
      );
      return storeAll(sweep, part, stores, along ? undefined : this.#where.vectors, () => vector++);
    };
    if (per === 'element') return this.#nest(segment, sweepOver);
    const zeros = new Array<number>(reducedLoops).fill(0);
    return along ? sweepOver(zeros, 0, 1) : sweepOver(zeros, this.#where.start, this.#where.count);
  }
}

/** What an accumulator takes. */
function accumulated({ expr }: Accumulate, { dtype }: Rule): Expr {
  return build.cast(expr, dtype);
}

/** Row-major strides of the reduced axes, 0 for the others: a position in the row. */
function rowStrides(shape: readonly number[], reduced: ReadonlySet<number>): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (!reduced.has(axis)) continue;
    strides[axis] = stride;
    stride *= shape[axis] as number;
  }
  return strides;
}

/** The axis along which most of what is read and written is contiguous; short axes count less, ties go to the last. */
function sweptAxis(domain: Domain): number {
  const { shape, roots, views } = domain;
  const strides: (readonly number[])[] = views.map((view) => view.strides);
  eachNode(roots, (node) => {
    if (node.op === 'load' && !node.at) strides.push(node.view.strides);
  });
  // An operand counts by the elements it has: those of the whole domain, not those with one a row.
  const elements = strides.map((each) => sizeOf(shape.filter((_, axis) => each[axis] !== 0)));
  const score = (axis: number) => {
    const contiguous = strides.map((each, i) => (Math.abs(each[axis] as number) === 1 ? (elements[i] as number) : 0));
    return contiguous.reduce((a, b) => a + b, 0.1) * Math.min(shape[axis] as number, 16);
  };
  let best = shape.length - 1;
  for (let axis = shape.length - 2; axis >= 0; axis--) if (score(axis) > score(best)) best = axis;
  return best;
}

/** The lanes of a step that are there; null for all. */
function laneMask({ lanes }: Step): Code | null {
  if (lanes === 4) return null;
  return i32x4.lt_s(laneNumbers(), i32x4.splat(lanes));
}
