/** Sums that several chunks make in parts: each writes its own, and a last phase adds them up, always in the same order. */
import type { ConvKernel } from '@tessera/tensor/backend';
import {
  type Arg,
  type Code,
  f32,
  f32x4,
  i32,
  i32x4,
  type Local,
  loop,
  type Module,
  set,
  v128,
  when,
} from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';

/** Results a chunk of the last phase writes. */
const storeChunk = 2048;

/** Where part p of `parts` even parts begins. */
export const splitPoint = (p: Arg, size: number, parts: number): Code => i32.div_u(i32.mul(p, size), parts);

/** The last phase of a weight gradient, whose parts [part][o, c, taps] lie in shared scratch at `partial`. */
export function storeParts(
  module: Module,
  kernel: ConvKernel,
  { parts, results, partial }: { readonly parts: number; readonly results: number; readonly partial: number },
) {
  const { sizes } = kernel;
  const f = module.func(['i32', 'i32', 'i32'], [], 'store');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const [start, count, first, at, i, p] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const total = f.local('v128');
  const one = f.local('v128');
  const add = kernel.a.dtype === 'float32' ? f32x4.add : i32x4.add;
  const next: Code = set(at, i32.add(at, 4 * results));
  const here = (): Code => i32.add(first, i32.shl(i, 2));
  const sum = [
    loop(i, 0, i32.sub(count, 3), 4, [
      set(at, here()),
      set(total, v128.load(at)),
      loop(p, 1, parts, 1, [next, set(total, add(total, v128.load(at)))]),
      v128.store(here(), total),
    ]),
    // the rest one by one: what lies behind belongs to another chunk
    loop(i, i32.and(count, -4), count, 1, [
      set(at, here()),
      set(one, v128.load32_zero(at)),
      loop(p, 1, parts, 1, [next, set(one, add(one, v128.load32_zero(at)))]),
      f32.store(here(), f32x4.extract_lane(one, 0)),
    ]),
  ];
  f.emit(
    loop(lo, lo, hi, 1, [
      set(start, i32.mul(lo, storeChunk)),
      set(count, i32.sub(results, start)),
      when(i32.gt_s(count, storeChunk), set(count, storeChunk)),
      set(first, i32.add(i32.add(i32.load(args, 4 * argWords(kernel).sharedScratch), partial), i32.shl(start, 2))),
      parts > 1 ? sum : [],
      emitStores(scope, kernel.stores, {
        domain: [sizes.o, sizes.c / sizes.groups, ...sizes.kernel],
        outer: [],
        start,
        count,
        acc: [first],
      }),
    ]),
  );
  return { name: 'store', chunks: Math.ceil(results / storeChunk) };
}
