/** A reduction as its shaders see it: its rows, how much of them lies together in memory, and the tiles that suit them. */
import type { Expr, ReduceKernel, RowStore } from '@tessera/tensor/backend';
import type { Target } from '../shader';
import { vectorStores, vectorsOf } from '../vector';
import type { Lanes } from './lanes';
import { merged, type Rows, rowsOf } from './rows';

/** How rows are gone through. */
export interface ByRows extends Lanes {
  readonly way: 'rows';
  /** Workgroups that share a row. */
  readonly chunks: number;
  /** A row that registers would hold is read again by later stages. */
  readonly again?: true;
}

export const tile = {
  /** Elements that a lane should have, of a row as a whole and of a chunk, and threads of a workgroup. */
  perLane: 8,
  perLaneCut: 16,
  threads: 128,
  /** Lanes of a row at most; of one too long for registers; and rows side by side where memory lies across, lanes of each. */
  lanes: 256,
  lanesLong: 512,
  across: 32,
  lanesAcross: 8,
  /** Threads that keep a device busy: with as many, rows across need no more lanes. */
  busy: 1 << 17,
  /** Rows are cut where there are fewer threads than `few` for at least `endless` elements each: into `groups` in all, at most. */
  few: 1 << 16,
  endless: 32,
  groups: 2048,
  /** Registers of a lane that hold its row, and steps in which it goes through it, at most. */
  held: 64,
  steps: 8,
} as const;

export interface Reduction {
  readonly kernel: ReduceKernel;
  readonly rows: Rows;
  /** Elements that are read and written at once, and the bindings that are vectors for it. */
  readonly wide: 1 | 4;
  readonly vectors: ReadonlySet<string>;
  /** Does memory lie together across rows, and not along them? */
  readonly across: boolean;
}

export const storesOf = ({ stores }: ReduceKernel, per: RowStore['per']) => stores.filter((store) => store.per === per);

export function reductionOf(original: ReduceKernel): Reduction {
  const kernel = merged(original);
  const { shape, axes, stages } = kernel;
  const rows = rowsOf(kernel);
  const perElement = storesOf(kernel, 'element');
  const exprs = [...stages.flatMap((stage) => stage.map(({ expr }) => expr)), ...perElement.map(({ expr }) => expr)];
  const last = Math.max(...axes);
  const other = shape.findLastIndex((size, axis) => size > 1 && !axes.includes(axis));
  const loads = exprs.flatMap((expr) => vectorsOf(expr, last, kernel));
  const stores = vectorStores(perElement, last, kernel);
  const wide = last === shape.length - 1 && stores && loads.length + stores.length > 0 ? 4 : 1;
  const lies = (axis: number) =>
    exprs.some((expr) => readsAlong(expr, axis)) || perElement.some(({ view }) => view.strides[axis] === 1);
  const across = wide === 1 && rows.count > 1 && rows.length > 1 && lies(other) && !lies(last);
  return { kernel, rows, wide, vectors: new Set(wide === 4 ? [...loads, ...(stores ?? [])] : []), across };
}

/** Are neighbours along the axis neighbours in memory? */
export function readsAlong(expr: Expr, axis: number, seen = new Set<Expr>()): boolean {
  if (seen.has(expr)) return false;
  seen.add(expr);
  if (expr.op === 'load') return !expr.at && expr.view.strides[axis] === 1 && expr.view.shape[axis] !== 1;
  return expr.op === 'apply' && expr.args.some((arg) => readsAlong(arg, axis, seen));
}

const power = (least: number) => 2 ** Math.ceil(Math.log2(Math.max(1, least)));

/** Where workgroup memory is no faster than a cache: barriers cost, so few lanes share a row, and few threads keep it busy. */
const whereCached = {
  ...tile,
  ...{
    perLane: 32,
    perLaneCut: 512,
    threads: 32,
    lanes: 16,
    lanesLong: 16,
    lanesAcross: 1,
    busy: 1 << 10,
    few: 1 << 8,
  },
};

/**
 * The first is taken where nobody measured; others have more or fewer lanes a row, rows a workgroup, or chunks, or read again what
 * registers would hold.
 */
export function reduceChoices(original: ReduceKernel, target: Target): ByRows[] {
  const { kernel, rows, wide, across } = reductionOf(original);
  const { count } = rows;
  // where there are sums to join and nothing else, those are the row
  const sumsAlone = kernel.joins && storesOf(kernel, 'element').length === 0;
  const length = sumsAlone ? Math.ceil(rows.length / kernel.joins.columns) : rows.length;
  const own = target.cached ? whereCached : tile;
  // An accumulator is three words of workgroup memory at most.
  const room = Math.min(target.threads, target.shared / Math.max(1, 12 * kernel.stages.flat().length));
  const made = (wanted: number, cut?: number, times = 1): ByRows => {
    let lanes = wanted;
    const full = times * Math.max(across ? own.across : 1, own.threads / lanes);
    let beside = Math.min(power(count), Math.max(1, full));
    while (lanes * beside > room && beside > 1) beside /= 2;
    while (lanes > room) lanes /= 2;
    const groups = Math.max(1, Math.ceil(count / beside));
    const long = groups * lanes * beside < own.few && length >= lanes * own.endless;
    const parts = sumsAlone ? 1 : (cut ?? (long ? length / (lanes * own.perLaneCut) : 1));
    const most = Math.min(own.groups / groups, length / (lanes * wide));
    return { way: 'rows', lanes, rows: beside, across, chunks: Math.max(1, Math.ceil(Math.min(parts, most))) };
  };
  const most = !across
    ? length > own.steps * 4 * own.lanes
      ? own.lanesLong
      : own.lanes
    : Math.min(
        Math.max(own.lanesAcross, power(own.busy / Math.max(1, count))),
        Math.max(1, own.lanes / Math.min(own.across, power(count))),
      );
  const first = made(Math.min(power(length / own.perLane), most));
  const { lanes, chunks } = first;
  const passes = kernel.stages.length + storesOf(kernel, 'element').length;
  const others = [
    made(lanes * 2),
    made(Math.max(1, lanes / 2)),
    made(lanes, chunks * 2),
    made(lanes, chunks > 1 ? chunks / 2 : 4),
    ...[0.5, 2, 4].map((times) => made(lanes, chunks, times)),
    ...(chunks === 1 && passes > 1 && length <= own.steps * lanes * wide ? [{ ...first, again: true as const }] : []),
  ];
  return [...new Map([first, ...others, made(lanes, 1)].map((one) => [JSON.stringify(one), one])).values()];
}
