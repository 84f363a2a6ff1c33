/**
 * Updates at computed places, in their order.
 *
 *   init     results = init; places and values of all updates into scratch, in parallel
 *   apply    one update after the other. Axes of the updates that go straight through (the result's coordinate is the
 *            update's) never meet: leading ones are rows of their own, trailing ones lanes.
 *
 *            updates  [lead…, middle…, trail…]      a unit: one row of lead and a block of trail;
 *            result   [lead…,  any …,  trail…]      all of the middle, in order
 *   stores   from the results
 */
import { expr as build, type Expr, rowMajor, type ScatterKernel, sizeOf } from '@tessera/tensor/backend';
import {
  type Code,
  type CpuKernel,
  i32,
  type Local,
  loop,
  Module,
  select,
  set,
  type Target,
  v128,
  when,
} from '../assembler';
import { type Rule, take } from '../combine';
import { argWords, emitStores, emitValues } from '../expression';
import { Printer } from '../functions';
import { flatPhase, type Phase, unitPhase } from '../phase';
import { type AxisMap, mapExpr } from '../substitute';

/** Lanes of a unit, where there are trailing axes. */
const blockLanes = 256;

const combines = { assign: 'assign', add: 'sum', mul: 'prod', max: 'max', min: 'min' } as const;

export function scatter(kernel: ScatterKernel, target: Target): CpuKernel {
  const module = new Module(target);
  const { shape, updates, init, value, stores } = kernel;
  const words = argWords(kernel);
  const [lead, trail] = straight(kernel);
  const [rows, lanes] = [sizeOf(updates.slice(0, lead)), sizeOf(updates.slice(updates.length - trail))];
  const middle = sizeOf(updates.slice(lead, updates.length - trail));
  const slab = sizeOf(shape.slice(lead));
  const size = sizeOf(shape);
  const count = sizeOf(updates);
  // Scratch: results, values, places (one for all lanes of an update).
  const bytes = (elements: number) => Math.ceil((4 * elements + 64) / 64) * 64;
  const [valuesAt, placesAt] = [bytes(size), bytes(size) + bytes(count)];
  const placesDomain = updates.map((n, i) => (i < updates.length - trail ? n : 1));
  const place = placeExpr(kernel, lead, trail);

  /** Address of an element of one of the three. */
  const address = (args: Local, array: number, element: Local | Code): Code =>
    i32.add(i32.add(i32.load(args, 4 * words.sharedScratch), array), i32.shl(element, 2));

  const phases: Phase[] = [];
  const evaluate = (name: string, expr: Expr, domain: readonly number[], array: number) => {
    phases.push(
      flatPhase(module, kernel, name, sizeOf(domain), (scope, start, n) => {
        const to = scope.f.local('i32');
        return [
          set(to, address(scope.args, array, start)),
          emitValues(scope, expr, to, { domain, outer: [], start, count: n, acc: [] }),
        ];
      }),
    );
  };
  evaluate('init', init, shape, 0);
  if (size > 0 && count > 0) {
    evaluate('values', build.cast(value, init.dtype), updates, valuesAt);
    evaluate('places', place, placesDomain, placesAt);
    const blocks = Math.ceil(lanes / blockLanes);
    phases.push(
      unitPhase(module, kernel, 'apply', rows * blocks, middle * Math.min(lanes, blockLanes), (scope, unit) => {
        const { f, args } = scope;
        const [row, from, n, update, place, to, take] = f.locals('i32', 7) as [
          Local,
          Local,
          Local,
          Local,
          Local,
          Local,
          Local,
        ];
        const number = i32.add(i32.mul(row, middle), update);
        return [
          set(row, i32.div_u(unit, blocks)),
          set(from, i32.mul(i32.rem_u(unit, blocks), blockLanes)),
          set(n, i32.sub(lanes, from)),
          set(n, select(n, blockLanes, i32.lt_s(n, blockLanes))),
          loop(update, 0, middle, 1, [
            set(place, i32.load(address(args, placesAt, number))),
            when(i32.ge_s(place, 0), [
              set(to, address(args, 0, i32.add(i32.mul(row, slab), i32.add(place, from)))),
              set(take, address(args, valuesAt, i32.add(i32.mul(number, lanes), from))),
              applyLanes(kernel, scope, to, take, n, lanes),
            ]),
          ]),
        ];
      }),
    );
  }
  phases.push(
    flatPhase(module, kernel, 'stores', size, (scope, start, n) => {
      const from = scope.f.local('i32');
      return [
        set(from, address(scope.args, 0, start)),
        emitStores(scope, stores, { domain: shape, outer: [], start, count: n, acc: [from] }),
      ];
    }),
  );
  return { bytes: module.bytes(), phases, sharedScratch: placesAt + bytes(sizeOf(placesDomain)), threadScratch: 0 };
}

/** results[to…] ∘= values[take…], n lanes. */
function applyLanes(
  { combine, init }: ScatterKernel,
  scope: Parameters<typeof emitStores>[0],
  to: Local,
  from: Local,
  n: Local,
  most: number,
): Code {
  const kind = combines[combine];
  const [i, target, source] = scope.f.locals('i32', 3) as [Local, Local, Local];
  const one = (w: Printer, load: (address: Local) => Code): Local => {
    const value = w.bind(load(source));
    if (kind === 'assign') return value;
    const rule: Rule = { combine: kind, dtype: init.dtype };
    const state = w.bind(load(target));
    take(w, rule, { value: state, place: null }, value, null, null);
    return state;
  };
  const single = new Printer(scope);
  const first = one(single, (address) => v128.load32_zero(address));
  single.write(v128.store32_lane(target, first, 0));
  const vector = new Printer(scope);
  const four = one(vector, (address) => v128.load(address));
  vector.write(v128.store(target, four));
  const advance = (bytes: number): Code => [set(target, i32.add(target, bytes)), set(source, i32.add(source, bytes))];
  const begin = [set(target, to), set(source, from)];
  if (most === 1) return [begin, single.code];
  return [
    begin,
    loop(i, 0, i32.shr_s(n, 2), 1, [vector.code, advance(16)]),
    loop(i, 0, i32.and(n, 3), 1, [single.code, advance(4)]),
  ];
}

/** How many leading and trailing axes go straight through. */
function straight({ shape, updates, at }: ScatterKernel): [lead: number, trail: number] {
  const goes = (from: number, to: number) => {
    const expr = at[to] as Expr;
    return updates[from] === shape[to] && expr.op === 'index' && expr.axis === from;
  };
  let lead = 0;
  while (lead < Math.min(shape.length, updates.length) && goes(lead, lead)) lead++;
  let trail = 0;
  const [u, s] = [updates.length, shape.length];
  while (
    trail < Math.min(u, s) - lead &&
    goes(u - 1 - trail, s - 1 - trail) &&
    // the other coordinates must not look at it
    at.every((expr, axis) => axis === s - 1 - trail || !dependsOn(expr, u - 1 - trail))
  ) {
    trail++;
  }
  return [lead, trail];
}

function dependsOn(expr: Expr, axis: number, seen = new Set<Expr>()): boolean {
  if (seen.has(expr)) return false;
  seen.add(expr);
  switch (expr.op) {
    case 'index':
      return expr.axis === axis;
    case 'load': {
      if (expr.at) return expr.at.some((at) => dependsOn(at, axis, seen));
      const { view } = expr;
      const range = view.valid?.[axis];
      return view.strides[axis] !== 0 || (!!range && (range[0] > 0 || range[1] < (view.shape[axis] as number)));
    }
    case 'apply':
      return expr.args.some((arg) => dependsOn(arg, axis, seen));
    default:
      return false;
  }
}

/** Where an update goes, counted within its row of lead and at the first lane; −1 for outside. Over the updates at lane 0. */
function placeExpr({ shape, updates, at }: ScatterKernel, lead: number, trail: number): Expr {
  const strides = rowMajor(shape);
  const rank = updates.length;
  const maps: AxisMap[] = updates.map((old, axis) => ({
    axis,
    size: axis < rank - trail ? old : Math.min(old, 1),
    step: 1,
    shift: 0,
    old,
  }));
  const int = (x: number) => build.constant(x, 'int32');
  const memo = new Map<Expr, Expr>();
  let place: Expr = int(0);
  let inside: Expr | null = null;
  for (let axis = lead; axis < shape.length - trail; axis++) {
    const coordinate = mapExpr(at[axis] as Expr, maps, rank, undefined, memo);
    const ok = build.inRange(coordinate, int(0), int(shape[axis] as number));
    inside = inside ? build.apply('and', [inside, ok]) : ok;
    place = build.add(place, build.mul(coordinate, int(strides[axis] as number)));
  }
  return inside ? build.select(inside, place, int(-1)) : place;
}
