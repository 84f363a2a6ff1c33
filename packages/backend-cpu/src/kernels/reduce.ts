/**
 * Rows along some axes, in stages. The axis that lies contiguous in memory is swept in vectors; whether it is reduced or
 * kept makes two shapes of loop:
 *
 *    along   ┌──────────row──────────┐        across  ┌block┐ 16 rows at once, a lane each
 *            │▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒  │                │▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒▒▒▒│      │
 *            └───────────────────────┘                │▒▒▒▒ ▒▒▒▒ ▒▒▒▒ ▒▒▒▒│      │
 *            lanes are folded at its end              └───────────────────┘ lanes stay apart
 *
 * A unit of work is a row or two (along) or a block of rows (across): all stages, then the stores, while it is in the cache. Where
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
import { type Code, type CpuKernel, i32, type Local, Module, set, type Target, when } from '../assembler';
import { isPositional, type Rule } from '../combine';
import {
  type Affine,
  type Domain,
  eachNode,
  type Node,
  regroup,
  replaceNodes,
  simplify,
  toNodes,
  weight,
} from '../domain';
import { asStored, type Scope } from '../expression';
import { type Phase, unitPhase } from '../phase';
import { keep } from './kept';
import { unravel } from './map';
import { type Layout, type Roots, Unit } from './reduce-unit';
import { rowsTogether, shifted, shiftedView } from './streams';

/** Rows at once where lanes are rows: as many accumulators as registers hold, for one plain sum and for more. */
const [wideRows, narrowRows] = [32, 16];
/** Below this many units a long reduction is cut into segments, about `mostSegments` in all, of at least `segmentElements`. */
const enoughUnits = 16;
const mostSegments = 64;
const segmentElements = 16384;

export function reduce(kernel: ReduceKernel, target: Target): CpuKernel {
  return new Reduction(kernel, target).generate();
}

class Reduction implements Layout {
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
  /** Of each row of a unit. */
  readonly #roots: readonly Roots[];
  readonly #threadScratch: number;

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
    this.domain = { ...this.domain, roots: withFalling(this.domain.roots, this.rules) };
    const { roots } = this.domain;
    const simpleSum = all.length === 1 && !positional && weight(roots.slice(0, 1)) <= 3;
    this.blockRows = simpleSum ? wideRows : narrowRows;
    const [axis, count, length] = this.#cut();
    this.cutAxis = axis;
    this.segments = count;
    this.segmentLength = length;

    const together = this.#together(roots.slice(0, stages[0]?.length));
    if (together > 1) {
      const shape = this.domain.shape.map((size, i) => (i === kept.length - 1 ? size / together : size));
      this.domain = { ...this.domain, shape };
    }
    // Where rows are cut each pass is a phase, and what it kept would have to be there for other workers.
    const row = [...this.domain.shape.slice(this.keptLoops, -1), this.along ? this.#size(this.#last) : this.blockRows];
    let bytes = 0;
    this.#roots = Array.from({ length: together }, (_, r) => {
      const rowAxis = kept.length - 1;
      const by = r * (this.domain.shape[rowAxis] ?? 0);
      const mine = r === 0 ? roots : shifted(roots, rowAxis, by, r * this.rules.length);
      const passes: Node[][] = [];
      let at = 0;
      for (const { length } of [...stages, stores]) passes.push(mine.slice(at, (at += length)));
      const made =
        this.segments === 1 ? keep(passes, this.domain.shape.length, row, bytes) : { passes, kept: [], bytes };
      bytes = made.bytes;
      return {
        stages: made.passes.slice(0, -1),
        stores: made.passes[stages.length] as readonly Node[],
        place: positional ? (mine[mine.length - 1] as Node) : null,
        views: r === 0 ? this.domain.views : this.domain.views.map((view) => shiftedView(view, rowAxis, by)),
        kept: made.kept,
      };
    });
    this.#threadScratch = bytes;
  }

  /** Rows of a unit. */
  #together(first: readonly Node[]): number {
    if (!this.along || this.segments > 1 || this.reducedLoops > 0 || this.keptLoops === 0) return 1;
    if (this.rules.some(({ combine }) => isPositional(combine))) return 1;
    const axis = this.keptLoops - 1;
    const last = { axis: this.#last, length: this.#size(this.#last) };
    return rowsTogether(first, this.domain.roots, { axis, length: this.#size(axis) }, last);
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
    return { bytes: this.module.bytes(), phases, sharedScratch, threadScratch: this.#threadScratch };
  }

  /** Code for a unit: finds its coordinates and does `make`, for full blocks and for the last one where that is shorter. */
  #perBlock(scope: Scope, unit: Local, segments: number | null, make: (unit: Unit) => Code): Code {
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
    return new Unit(this, scope, { unit, segment, kept, start, vectors, count, units: this.#units }, this.#roots);
  }
}

/** Exponentials of x less its maximum, an earlier result, marked so; the first roots are what the accumulators of `rules` take. */
function withFalling(roots: readonly Node[], rules: readonly Rule[]): Node[] {
  const marked = new Map<Node, Node>();
  eachNode(roots, (node) => {
    if (node.op !== 'apply' || node.fn !== 'exp') return;
    const [arg] = node.args;
    const [x, greatest] = arg?.op === 'apply' && arg.fn === 'sub' ? arg.args : [];
    if (greatest?.op !== 'acc' || rules[greatest.index]?.combine !== 'max' || roots[greatest.index] !== x) return;
    marked.set(node, { ...node, falls: true });
  });
  return marked.size ? replaceNodes(roots, marked) : [...roots];
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
