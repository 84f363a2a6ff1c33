/**
 * Running results along an axis. Rows go one beside the other; within a row one element comes after the other.
 *
 *   along the last axis     a row in blocks, one element at a time          r₀ ▸ r₁ ▸ r₂ ▸ …
 *   along another axis      a block of the last axis at a time, a running   ▒▒▒▒ ▒▒▒▒
 *                           result in each lane                             ▒▒▒▒ ▒▒▒▒  ▾
 *
 * Values and results of a block lie in the worker's scratch: evaluated there, combined there, stored from there.
 */
import { type ScanKernel, sizeOf } from '@tessera/tensor/backend';
import {
  type Code,
  type CpuKernel,
  f32x4,
  i32,
  i32x4,
  type Local,
  loop,
  Module,
  select,
  set,
  type Target,
  v128,
} from '../assembler';
import { identity, type Rule, take } from '../combine';
import { argWords, emitStores, emitValues, type Scope } from '../expression';
import { Printer } from '../functions';
import { type Phase, unitPhase } from '../phase';
import { unravel } from './map';

/** Elements of a block: three arrays of it stay in the nearest cache. */
const block = 1024;
const arrayBytes = 4 * block + 64;

export function scan(kernel: ScanKernel, target: Target): CpuKernel {
  const module = new Module(target);
  const inner = sizeOf(kernel.shape.slice(kernel.axis + 1));
  const phase = inner === 1 ? along(module, kernel) : across(module, kernel);
  return { bytes: module.bytes(), phases: [phase], sharedScratch: 0, threadScratch: 3 * arrayBytes };
}

const ruleOf = ({ combine, a }: ScanKernel): Rule => ({ combine, dtype: a.dtype });

/** Addresses of the three arrays: values, results, places. */
function arrays(scope: Scope): { code: Code; values: Local; results: Local; places: Local } {
  const [values, results, places] = scope.f.locals('i32', 3) as [Local, Local, Local];
  const code = [
    set(values, i32.load(scope.args, 4 * argWords(scope.kernel).threadScratch)),
    set(results, i32.add(values, arrayBytes)),
    set(places, i32.add(values, 2 * arrayBytes)),
  ];
  return { code, values, results, places };
}

/** running ∘= value, place = position where the value is the result now (the last of equals, any NaN), as code. */
function step(scope: Scope, rule: Rule, running: Local, place: Local, value: Code, position: Code): Code {
  const w = new Printer(scope);
  const x = w.bind(value);
  take(w, rule, { value: running, place: null }, x, null, null);
  if (rule.combine === 'max' || rule.combine === 'min') {
    const same = rule.dtype === 'float32' ? f32x4.eq(x, running) : i32x4.eq(x, running);
    const isNow = rule.dtype === 'float32' ? v128.or(same, f32x4.ne(x, x)) : same;
    w.write(set(place, v128.bitselect(position, place, isNow)));
  }
  return w.code;
}

/** A row at a time; the axis is the last that is not of size 1. */
function along(module: Module, kernel: ScanKernel): Phase {
  const { shape, axis, reverse, a, stores } = kernel;
  const rule = ruleOf(kernel);
  const outerShape = shape.slice(0, axis);
  const length = shape[axis] as number;
  const blocks = Math.ceil(length / block);
  return unitPhase(module, kernel, 'scan', length === 0 ? 0 : sizeOf(outerShape), length, (scope, unit) => {
    const { f } = scope;
    const outer = outerShape.map(() => f.local('i32'));
    const [n, start, count, i, at] = f.locals('i32', 5) as [Local, Local, Local, Local, Local];
    const [running, place] = f.locals('v128', 2) as [Local, Local];
    const { code, values, results, places } = arrays(scope);
    const row = { domain: shape, outer, start, count, acc: [] };
    const offset = f.local('i32');
    return [
      code,
      unravel(f, unit, outerShape, outer),
      set(running, identity(rule)),
      set(place, i32x4.const(0)),
      loop(n, 0, blocks, 1, [
        set(start, i32.mul(reverse ? i32.sub(blocks - 1, n) : n, block)),
        set(count, i32.sub(length, start)),
        set(count, select(count, block, i32.lt_s(count, block))),
        emitValues(scope, a, values, row),
        loop(i, 0, count, 1, [
          set(at, reverse ? i32.sub(i32.sub(count, 1), i) : i),
          set(offset, i32.shl(at, 2)),
          step(scope, rule, running, place, v128.load32_zero(i32.add(values, offset)), i32x4.splat(i32.add(start, at))),
          v128.store32_lane(i32.add(results, offset), running, 0),
          v128.store32_lane(i32.add(places, offset), place, 0),
        ]),
        emitStores(scope, stores, { ...row, acc: [results, places] }),
      ]),
    ];
  });
}

/** All places along the axis for a block of the last one. */
function across(module: Module, kernel: ScanKernel): Phase {
  const { shape, axis, reverse, a, stores } = kernel;
  const rule = ruleOf(kernel);
  const last = shape.length - 1;
  const width = shape[last] as number;
  const length = shape[axis] as number;
  const blocks = Math.ceil(width / block);
  const others = shape.map((_, i) => i).filter((i) => i !== axis && i !== last);
  const otherShape = others.map((i) => shape[i] as number);
  const empty = sizeOf(shape) === 0;
  return unitPhase(
    module,
    kernel,
    'scan',
    empty ? 0 : sizeOf(otherShape) * blocks,
    length * Math.min(width, block),
    (scope, unit) => {
      const { f } = scope;
      const outer = shape.slice(0, -1).map(() => f.local('i32'));
      const [start, count, rest, n, i, at] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
      const [running, place] = f.locals('v128', 2) as [Local, Local];
      const { code, values, results, places } = arrays(scope);
      const along = outer[axis] as Local;
      const row = { domain: shape, outer, start, count, acc: [] };
      return [
        code,
        set(start, i32.mul(i32.rem_u(unit, blocks), block)),
        set(rest, i32.div_u(unit, blocks)),
        set(count, i32.sub(width, start)),
        set(count, select(count, block, i32.lt_s(count, block))),
        unravel(
          f,
          rest,
          otherShape,
          others.map((axis) => outer[axis] as Local),
        ),
        loop(i, 0, count, 4, [
          v128.store(i32.add(results, i32.shl(i, 2)), identity(rule)),
          v128.store(i32.add(places, i32.shl(i, 2)), i32x4.const(0)),
        ]),
        loop(n, 0, length, 1, [
          set(along, reverse ? i32.sub(length - 1, n) : n),
          emitValues(scope, a, values, row),
          loop(i, 0, count, 4, [
            set(at, i32.shl(i, 2)),
            set(running, v128.load(i32.add(results, at))),
            set(place, v128.load(i32.add(places, at))),
            step(scope, rule, running, place, v128.load(i32.add(values, at)), i32x4.splat(along)),
            v128.store(i32.add(results, at), running),
            v128.store(i32.add(places, at), place),
          ]),
          emitStores(scope, stores, { ...row, acc: [results, places] }),
        ]),
      ];
    },
  );
}
