/** Accumulators of a reduction as vectors: what they start from, how they take a value, and how lanes become one. */
import type { Combine, Compute } from '@tessera/tensor/backend';
import { type Arg, type Code, f32x4, i32x4, type Local, set, v128 } from './assembler';
import type { Printer } from './functions';

/** One vector of an accumulator: the values, and of arg… combines where they were. */
export interface State {
  readonly value: Local;
  readonly place: Local | null;
}
/** How an accumulator combines: its kind, and what its values (not its places) compute in. */
export interface Rule {
  readonly combine: Combine;
  readonly dtype: Compute;
}

export const isPositional = (combine: Combine): boolean => combine === 'argmax' || combine === 'argmin';

const least = -0x80000000;
const greatest = 0x7fffffff;
/** Where no place has been taken: after all real ones. */
const nowhere = greatest;

/** As in functions.ts: the running result first, and the NaN of a value put in. */
const orNaN =
  (quick: (a: Arg, b: Arg) => Code) =>
  (running: Arg, value: Arg): Code =>
    v128.or(quick(running, value), f32x4.ne(value, value));
const operations = {
  float32: {
    sum: f32x4.add,
    prod: f32x4.mul,
    max: /* @__PURE__ */ orNaN(f32x4.pmax),
    min: /* @__PURE__ */ orNaN(f32x4.pmin),
  },
  int32: { sum: i32x4.add, prod: i32x4.mul, max: i32x4.max_s, min: i32x4.min_s },
  bool: { sum: v128.or, prod: v128.and, max: v128.or, min: v128.and },
};

/** What combining starts from, in all lanes. */
export function identity({ combine, dtype }: Rule): Code {
  if (dtype === 'float32') {
    if (combine === 'sum') return f32x4.const(0);
    if (combine === 'prod') return f32x4.const(1);
    return f32x4.const(combine.endsWith('max') ? -Infinity : Infinity);
  }
  if (dtype === 'bool') return i32x4.const(combine === 'sum' || combine.endsWith('max') ? 0 : -1);
  if (combine === 'sum') return i32x4.const(0);
  if (combine === 'prod') return i32x4.const(1);
  return i32x4.const(combine.endsWith('max') ? least : greatest);
}

export function begin(w: Printer, rule: Rule, { value, place }: State): void {
  w.write(set(value, identity(rule)));
  if (place) w.write(set(place, i32x4.const(nowhere)));
}

/** state ∘= (value, place), in the lanes of `mask` (all, if null). */
export function take(w: Printer, rule: Rule, state: State, value: Arg, place: Arg | null, mask: Code | null): void {
  const { combine, dtype } = rule;
  if (combine === 'argmax' || combine === 'argmin') {
    if (!state.place || place === null) throw new TypeError(`${combine} without places`);
    takePlace(w, rule, { value: state.value, place: state.place }, w.bind(value), w.bind(place), mask);
    return;
  }
  const op = operations[dtype][combine];
  w.write(set(state.value, op(state.value, w.bind(mask ? v128.bitselect(value, identity(rule), mask) : value))));
}

/** The first of equals, NaN before all: a value wins if it is better, or as good and further in front. */
function takePlace(
  w: Printer,
  { combine, dtype }: Rule,
  { value: best, place: where }: { value: Local; place: Local },
  value: Local,
  place: Local,
  mask: Code | null,
): void {
  const compare = dtype === 'float32' ? f32x4 : { gt: i32x4.gt_s, lt: i32x4.lt_s, eq: i32x4.eq };
  let better = combine === 'argmax' ? compare.gt(value, best) : compare.lt(value, best);
  let same = compare.eq(value, best);
  if (dtype === 'float32') {
    const isNan = w.bind(f32x4.ne(value, value));
    const wasNan = w.bind(f32x4.ne(best, best));
    better = v128.or(better, v128.andnot(isNan, wasNan));
    same = v128.or(same, v128.and(isNan, wasNan));
  }
  const wins = v128.or(better, v128.and(same, i32x4.lt_s(place, where)));
  const taken = w.bind(mask ? v128.and(wins, mask) : wins);
  w.write(set(best, v128.bitselect(value, best, taken)));
  w.write(set(where, v128.bitselect(place, where, taken)));
}

/** All lanes into one, which then is in all of them. */
export function foldLanes(w: Printer, rule: Rule, state: State): void {
  for (const lanes of [
    [2, 3, 0, 1],
    [1, 0, 3, 2],
  ]) {
    const turned = (v: Local) => i32x4.shuffle(v, v, lanes);
    take(w, rule, state, w.bind(turned(state.value)), state.place && w.bind(turned(state.place)), null);
  }
}

/** The accumulator as expressions see it; an arg… of nothing is 0. */
export function result(w: Printer, { value, place }: State): Local {
  if (!place) return value;
  return w.bind(v128.and(place, i32x4.ne(place, i32x4.const(nowhere))));
}
