/**
 * Windows, as other kernels:
 *
 *   forward   a map over the output, whose expression has each place of the window as a load of its own (strided, with
 *             padding); of windows larger than `mostPlaces` a reduction over the window's axes.
 *   backward  a map over the input, in parts: coordinates that leave the same rest by the stride lie in the same windows at the
 *             same places, so that
 *
 *                 input   0 1 0 1 0 1 0 1   stride 2: parts 0 and 1; in each, window and place
 *                 output  └─0─┘ └─1─┘ …     follow from the coordinate by adding alone
 *
 * Nothing is added up by two workers, so no atomics, and always in the same order.
 */
import {
  expr as build,
  type Compute,
  type Expr,
  type Load,
  type MapPart,
  nodesOf,
  type PoolKernel,
  type PoolSizes,
  type ReduceKernel,
  type Store,
} from '@tessera/tensor/backend';
import type { CpuKernel, Target } from '../assembler';
import { type AxisMap, both, mapExpr, mapView, preimage, within } from '../substitute';
import { map } from './map';
import { reduce } from './reduce';

/** Places of a window that become loads side by side; more would be more code than registers and caches like. */
const mostPlaces = 49;
/** Parts of a backward map. */
const mostParts = 36;

const int = (value: number) => build.constant(value, 'int32');
const plus = (a: Expr, b: number) => (b === 0 ? a : build.add(a, int(b)));
const times = (a: Expr, b: number) => (b === 1 ? a : build.mul(a, int(b)));
const total = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

export function pool(kernel: PoolKernel, target: Target): CpuKernel {
  const { inputs, outputs, uniforms, aliases } = kernel;
  const base = { inputs, outputs, uniforms, aliases };
  if (kernel.direction === 'forward') {
    if (total(kernel.sizes.kernel) > mostPlaces) return reduce({ ...base, ...forwardAsReduce(kernel) }, target);
    return map({ ...base, kind: 'map', parts: [forward(kernel)] }, target);
  }
  const parts = total(kernel.sizes.stride) > mostParts ? [backwardBySearch(kernel)] : backward(kernel);
  return map({ ...base, kind: 'map', parts }, target);
}

/** All coordinates of `sizes`, row-major. */
function places(sizes: readonly number[]): number[][] {
  return sizes.reduce<number[][]>((all, n) => all.flatMap((r) => Array.from({ length: n }, (_, i) => [...r, i])), [[]]);
}
const at = (list: readonly number[], i: number) => list[i] as number;

const worst = (dtype: Compute): Expr =>
  build.constant(dtype === 'int32' ? -(2 ** 31) : dtype === 'bool' ? 0 : -Infinity, dtype);

/** The batch axis as it is. */
const batchMap = ({ batch }: PoolSizes): AxisMap => ({ axis: 0, size: batch, step: 1, shift: 0, old: batch });

/** Does any store ask for acc1? */
const usesPlace = (stores: readonly Store[]): boolean =>
  [...nodesOf(stores.map(({ expr }) => expr))].some((node) => node.op === 'acc' && node.index === 1);

// ---- forward ----

/** Coordinates of the input at place r of the windows. */
function inputMaps(sizes: PoolSizes, r: readonly number[]): AxisMap[] {
  const { input, output, stride, dilation, padding } = sizes;
  return [
    batchMap(sizes),
    ...output.map((size, i) => ({
      axis: i + 1,
      size,
      step: at(stride, i),
      shift: at(r, i) * at(dilation, i) - at(padding, i),
      old: at(input, i),
    })),
  ];
}

/** Row-major position in the input of coordinates given as expressions. */
const position = (input: readonly number[], coordinates: readonly Expr[]): Expr =>
  coordinates.reduce((sum, c, i) => build.add(times(sum, at(input, i)), c));

function forward({ sizes, combine, a, stores }: PoolKernel): MapPart {
  const shape = [sizes.batch, ...sizes.output];
  const rank = shape.length;
  const withPlace = combine === 'max' && usesPlace(stores);
  const none = combine === 'max' ? worst(a.dtype) : build.constant(0, a.dtype);
  // A plain load gives 0 where there is nothing, which is what a sum wants.
  const plain = combine === 'sum' && a.op === 'load' && !a.at;
  let best: Expr | null = null;
  let place: Expr | null = null;
  let certain = false;
  for (const r of places(sizes.kernel)) {
    const maps = inputMaps(sizes, r);
    if (maps.some((axis) => axis.size > 0 && preimage(axis, 0, axis.old)[0] >= preimage(axis, 0, axis.old)[1]))
      continue;
    const inside = maps.map(within).reduce(both, null);
    const found = mapExpr(a, maps, rank);
    const value: Expr = inside && !plain ? build.select(inside, found, none) : found;
    const here = () =>
      position(
        sizes.input,
        maps.slice(1).map(({ axis, step, shift }) => plus(times(build.index(axis), step), shift)),
      );
    if (!best) {
      best = value;
      if (withPlace) place = inside ? build.select(inside, here(), int(-1)) : here();
    } else if (combine === 'sum') {
      best = build.add(best, value);
    } else if (!withPlace || !place) {
      best = build.apply('max', [best, value]);
    } else {
      // Greater, or NaN where there is none yet: not (value ≤ best), unless best is NaN. And anything before nothing.
      let wins: Expr = build.apply('gt', [value, best]);
      if (a.dtype === 'float32') {
        wins = build.select(
          build.apply('le', [value, best]),
          build.constant(0, 'bool'),
          build.apply('eq', [best, best]),
        );
      }
      if (!certain) wins = build.apply<Load>('or', [wins, build.apply('lt', [place, int(0)])]);
      if (inside) wins = build.apply('and', [wins, inside]);
      best = build.select(wins, value, best);
      place = build.select(wins, here(), place);
    }
    certain ||= !inside;
  }
  const results = [best ?? none, place ?? int(0)];
  const same = shape.map((size, axis) => ({ axis, size, step: 1, shift: 0, old: size }));
  const memo = new Map<Expr, Expr>();
  return {
    shape,
    stores: stores.map((store) => ({
      ...store,
      expr: mapExpr(store.expr, same, rank, ({ index }) => results[index] as Expr, memo),
    })),
  };
}

/** A reduction over [batch, …output, …kernel]. */
function forwardAsReduce({
  sizes,
  combine,
  a,
  stores,
}: PoolKernel): Pick<ReduceKernel, 'kind' | 'shape' | 'axes' | 'stages' | 'stores'> {
  const { input, output, kernel, stride, dilation, padding } = sizes;
  const spatial = output.length;
  const shape = [sizes.batch, ...output, ...kernel];
  const coordinate = (i: number, place: Expr): Expr =>
    plus(build.add(times(build.index(i + 1), at(stride, i)), times(place, at(dilation, i))), -at(padding, i));
  const coordinates = output.map((_, i) => coordinate(i, build.index(1 + spatial + i)));
  /** Does a window ever reach over the edge of axis i? */
  const hangs = output.map(
    (n, i) => at(padding, i) > 0 || (n - 1) * at(stride, i) + (at(kernel, i) - 1) * at(dilation, i) >= at(input, i),
  );
  const inside = coordinates
    .map((c, i) => (hangs[i] ? build.inRange(c, int(0), int(at(input, i))) : null))
    .reduce(both, null);
  const memo = new Map<Expr, Expr>();
  const visit = (node: Expr): Expr => {
    const known = memo.get(node);
    if (known) return known;
    const made = make(node);
    memo.set(node, made);
    return made;
  };
  const make = (node: Expr): Expr => {
    if (node.op === 'index') return node.axis === 0 ? node : (coordinates[node.axis - 1] as Expr);
    if (node.op === 'apply') return { ...node, args: node.args.map(visit) };
    if (node.op !== 'load') return node;
    if (node.at) return { ...node, at: node.at.map(visit) };
    const { view } = node;
    if (view.valid || hangs.some((hang) => hang)) return { ...node, at: [build.index(0), ...coordinates] };
    const step = (i: number, by: readonly number[]) => at(view.strides, i + 1) * at(by, i);
    return {
      ...node,
      view: {
        shape,
        strides: [
          at(view.strides, 0),
          ...output.map((_, i) => step(i, stride)),
          ...kernel.map((_, i) => step(i, dilation)),
        ],
        offset: view.offset - output.reduce((sum, _, i) => sum + step(i, padding), 0),
        valid: null,
      },
    };
  };
  const none = combine === 'max' ? worst(a.dtype) : build.constant(0, a.dtype);
  const value = inside ? build.select(inside, visit(a), none) : visit(a);
  const withPlace = combine === 'max' && usesPlace(stores);
  // The place in the window, row-major, back into coordinates. Where all is −∞ the first is named, which may be padding:
  // the nearest element is the first real one.
  const found = build.acc(1, 'int32');
  const unravelled = kernel.map((n, i) => {
    const inner = total(kernel.slice(i + 1));
    const place = build.apply('mod', [inner === 1 ? found : build.div(found, int(inner)), int(n)]);
    const c = coordinate(i, place);
    return hangs[i] ? build.apply('min', [build.apply('max', [c, int(0)]), int(at(input, i) - 1)]) : c;
  });
  const place = withPlace ? position(input, unravelled) : int(0);
  const same = [sizes.batch, ...output].map((size, axis) => ({ axis, size, step: 1, shift: 0, old: size }));
  const accMemo = new Map<Expr, Expr>();
  return {
    kind: 'reduce',
    shape,
    axes: kernel.map((_, i) => 1 + spatial + i),
    stages: [
      [
        { combine, expr: value, dtype: a.dtype },
        ...(withPlace ? [{ combine: 'argmax' as const, expr: value, dtype: 'int32' as const }] : []),
      ],
    ],
    stores: stores.map((store) => ({
      ...store,
      per: 'row' as const,
      view: mapView(store.view, same, shape.length),
      expr: mapExpr(store.expr, same, shape.length, (acc) => (acc.index === 1 ? place : acc), accMemo),
    })),
  };
}

// ---- backward ----

const lastSize = (part: MapPart | undefined) => part?.shape[part.shape.length - 1];

function backward(kernel: PoolKernel): MapPart[] {
  const { sizes, a, stores } = kernel;
  const { input, output, stride, dilation, padding } = sizes;
  const parts = places(stride).map((rest): MapPart => {
    // Input coordinate = new · stride + rest.
    const own: AxisMap[] = [
      batchMap(sizes),
      ...input.map((old, i) => ({
        axis: i + 1,
        size: Math.max(0, Math.ceil((old - at(rest, i)) / at(stride, i))),
        step: at(stride, i),
        shift: at(rest, i),
        old,
      })),
    ];
    const shape = own.map(({ size }) => size);
    const rank = shape.length;
    const here = position(
      input,
      own.slice(1).map(({ axis, step, shift }) => plus(times(build.index(axis), step), shift)),
    );
    let sum: Expr | null = null;
    for (const r of places(sizes.kernel)) {
      // The window that has this element at place r: output = new + shift.
      const shifts = input.map((_, i) => (at(rest, i) + at(padding, i) - at(r, i) * at(dilation, i)) / at(stride, i));
      if (!shifts.every(Number.isInteger)) continue;
      const maps: AxisMap[] = [
        batchMap(sizes),
        ...shifts.map((shift, i) => ({ axis: i + 1, size: at(shape, i + 1), step: 1, shift, old: at(output, i) })),
      ];
      const term = gradientTerm(kernel, maps, rank, here);
      sum = sum ? build.add(sum, term) : term;
    }
    const result = sum ?? build.constant(0, a.dtype);
    const memo = new Map<Expr, Expr>();
    return {
      shape,
      stores: stores.map((store) => ({
        ...store,
        view: mapView(store.view, own, rank),
        expr: mapExpr(store.expr, own, rank, () => result, memo),
      })),
    };
  });
  if (stride[stride.length - 1] !== 2) return parts;
  // Both rests of the last axis in one part: what they read is the same, and what they write lies side by side.
  return parts.flatMap((part, i) => {
    const next = parts[i + 1];
    if (i % 2 === 1) return lastSize(part) === lastSize(parts[i - 1]) ? [] : [part];
    if (!next || lastSize(next) !== lastSize(part)) return [part];
    return [{ shape: part.shape, stores: part.stores.flatMap((store, j) => [store, next.stores[j] as Store]) }];
  });
}

/** g of one window, if it is there and (max) names the element. */
function gradientTerm({ combine, a, b }: PoolKernel, maps: readonly AxisMap[], rank: number, here: Expr): Expr {
  const zero = build.constant(0, a.dtype);
  const plain = a.op === 'load' && !a.at;
  let condition = plain ? null : maps.map(within).reduce(both, null);
  if (combine === 'max' && b) condition = both(condition, build.apply('eq', [mapExpr(b, maps, rank), here]));
  const g = mapExpr(a, maps, rank);
  return condition ? build.select(condition, g, zero) : g;
}

/** For large strides: the windows of an element are found by division. */
function backwardBySearch({ sizes, combine, a, b, stores }: PoolKernel): MapPart {
  const { input, output, kernel, stride, dilation, padding } = sizes;
  const shape = [sizes.batch, ...input];
  const coordinates = input.map((_, i) => build.index(i + 1));
  const here = position(input, coordinates);
  // Windows that can reach an element, along each axis.
  const reach = input.map((_, i) => Math.ceil(((at(kernel, i) - 1) * at(dilation, i) + 1) / at(stride, i)));
  let sum: Expr = build.constant(0, a.dtype);
  for (const back of places(reach)) {
    const windows: Expr[] = [];
    let condition: Expr | null = null;
    input.forEach((_, i) => {
      const shifted = plus(coordinates[i] as Expr, at(padding, i));
      const window = plus(build.div(shifted, int(at(stride, i))), -at(back, i));
      const offset = build.sub(shifted, times(window, at(stride, i)));
      condition = both(condition, build.inRange(window, int(0), int(at(output, i))));
      condition = both(condition, build.inRange(offset, int(0), int(at(kernel, i) * at(dilation, i))));
      if (at(dilation, i) > 1) {
        condition = both(condition, build.apply('eq', [build.apply('mod', [offset, int(at(dilation, i))]), int(0)]));
      }
      windows.push(window);
    });
    const memo = new Map<Expr, Expr>();
    const visit = (node: Expr): Expr => {
      const known = memo.get(node);
      if (known) return known;
      let made = node;
      if (node.op === 'index') made = node.axis === 0 ? node : (windows[node.axis - 1] as Expr);
      else if (node.op === 'apply') made = { ...node, args: node.args.map(visit) };
      else if (node.op === 'load') made = { ...node, at: node.at ? node.at.map(visit) : [build.index(0), ...windows] };
      memo.set(node, made);
      return made;
    };
    if (combine === 'max' && b) condition = both(condition, build.apply('eq', [visit(b), here]));
    sum = build.add(sum, condition ? build.select(condition, visit(a), build.constant(0, a.dtype)) : visit(a));
  }
  const same = shape.map((size, axis) => ({ axis, size, step: 1, shift: 0, old: size }));
  const memo = new Map<Expr, Expr>();
  return {
    shape,
    stores: stores.map((store) => ({ ...store, expr: mapExpr(store.expr, same, shape.length, () => sum, memo) })),
  };
}
