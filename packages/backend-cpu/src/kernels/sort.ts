/**
 * Rows sorted by merging, each by one worker in its scratch:
 *
 *   values ─► keys of 64 bits: the value as a number whose order is the wanted one, then its place ─► merge sort ─► first k
 *
 * As the place is part of the key no two are equal, and the order is stable whichever way it runs.
 */
import { type SortKernel, sizeOf } from '@tessera/tensor/backend';
import {
  block,
  br,
  brIf,
  type Code,
  type CpuKernel,
  type Func,
  f32,
  get,
  i32,
  i64,
  type Local,
  loop,
  Module,
  repeat,
  select,
  set,
  type Target,
  when,
} from '../assembler';
import { argWords, emitStores, emitValues } from '../expression';
import { unitPhase } from '../phase';
import { type AxisMap, mapExpr, mapView } from '../substitute';
import { unravel } from './map';

export function sort(kernel: SortKernel, target: Target): CpuKernel {
  const module = new Module(target);
  const { shape, axis, k, descending } = kernel;
  // The axis goes last, so that a row is a stretch of the domain.
  const order = [...shape.map((_, i) => i).filter((i) => i !== axis), axis];
  const moved = (sizes: readonly number[]): AxisMap[] =>
    sizes.map((size, i) => ({ axis: order.indexOf(i), size, step: 1, shift: 0, old: size }));
  const kept = shape.map((size, i) => (i === axis ? k : size));
  const a = mapExpr(kernel.a, moved(shape), shape.length);
  const stores = kernel.stores.map((store) => ({
    ...store,
    view: mapView(store.view, moved(kept), shape.length),
    expr: mapExpr(store.expr, moved(kept), shape.length),
  }));
  const rowShape = order.slice(0, -1).map((i) => shape[i] as number);
  const length = shape[axis] as number;
  const domain = [...rowShape, length];
  const isFloat = a.dtype === 'float32';
  const mergeSort = makeMergeSort(module);
  const [words, longs] = [4 * length + 64, 8 * length + 64].map((bytes) => Math.ceil(bytes / 64) * 64) as [
    number,
    number,
  ];

  const rows = length === 0 || k === 0 ? 0 : sizeOf(rowShape);
  const phase = unitPhase(module, kernel, 'sort', rows, 8 * length, (scope, unit) => {
    const { f, args } = scope;
    const outer = rowShape.map(() => f.local('i32'));
    const [values, keys, spare, sorted, results, places, i, bits] = f.locals('i32', 8) as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const key: Code[] = [set(bits, i32.load(i32.add(values, i32.shl(i, 2))))];
    if (isFloat) {
      const x = f32.load(i32.add(values, i32.shl(i, 2)));
      key.push(
        // −0 is 0; negative floats run backward; NaN is behind all
        set(bits, select(0, bits, i32.eq(bits, -0x80000000))),
        set(bits, i32.xor(bits, i32.shr_u(i32.shr_s(bits, 31), 1))),
        set(bits, select(0x7fffffff, bits, f32.ne(x, x))),
      );
    }
    if (descending) key.push(set(bits, i32.xor(bits, -1)));
    const place = i32.load(i32.add(sorted, i32.shl(i, 3)));
    const row = { domain, outer, start: 0, count: length };
    return [
      set(values, i32.load(args, 4 * argWords(kernel).threadScratch)),
      set(keys, i32.add(values, words)),
      set(spare, i32.add(keys, longs)),
      set(results, i32.add(spare, longs)),
      set(places, i32.add(results, words)),
      unravel(f, unit, rowShape, outer),
      emitValues(scope, a, values, { ...row, acc: [] }),
      loop(i, 0, length, 1, [
        key,
        i64.store(i32.add(keys, i32.shl(i, 3)), i64.or(i64.shl(i64.extend_i32_s(bits), 32), i64.extend_i32_u(i))),
      ]),
      set(sorted, mergeSort.call(keys, spare, length)),
      loop(i, 0, k, 1, [
        set(bits, place),
        i32.store(i32.add(places, i32.shl(i, 2)), bits),
        i32.store(i32.add(results, i32.shl(i, 2)), i32.load(i32.add(values, i32.shl(bits, 2)))),
      ]),
      emitStores(scope, stores, { domain: [...rowShape, k], outer, start: 0, count: k, acc: [results, places] }),
    ];
  });
  return { bytes: module.bytes(), phases: [phase], sharedScratch: 0, threadScratch: 3 * words + 2 * longs };
}

/** (from, spare, n) → address of the n sorted 64-bit keys, which is one of the two. */
function makeMergeSort(module: Module): Func {
  const f = module.func(['i32', 'i32', 'i32'], ['i32']);
  const [from, to, n] = f.params as [Local, Local, Local];
  const [width, start, left, right, middle, end, out, swap, size] = f.locals('i32', 9) as [
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const [a, b] = f.locals('i64', 2) as [Local, Local];
  const atMost = (x: Code) => select(x, size, i32.lt_u(x, size));
  const write = (value: Local, source: Local): Code => [
    i64.store(i32.add(to, out), value),
    set(out, i32.add(out, 8)),
    set(source, i32.add(source, 8)),
  ];
  const copy = (source: Local, until: Local): Code =>
    block(repeat(brIf(1, i32.ge_u(source, until)), set(a, i64.load(i32.add(from, source))), write(a, source), br(0)));
  f.emit(
    set(size, i32.shl(n, 3)),
    set(width, 8),
    block(
      repeat(
        brIf(1, i32.ge_u(width, size)),
        set(start, 0),
        block(
          repeat(
            brIf(1, i32.ge_u(start, size)),
            set(left, start),
            set(out, start),
            set(middle, atMost(i32.add(start, width))),
            set(right, middle),
            set(end, atMost(i32.add(middle, width))),
            block(
              repeat(
                brIf(1, i32.or(i32.ge_u(left, middle), i32.ge_u(right, end))),
                set(a, i64.load(i32.add(from, left))),
                set(b, i64.load(i32.add(from, right))),
                when(i64.lt_s(a, b), write(a, left), write(b, right)),
                br(0),
              ),
            ),
            copy(left, middle),
            copy(right, end),
            set(start, end),
            br(0),
          ),
        ),
        set(swap, from),
        set(from, to),
        set(to, swap),
        set(width, i32.shl(width, 1)),
        br(0),
      ),
    ),
    get(from),
  );
  return f;
}
