/**
 * Products whose k is cut into parts: each writes a C of its own, and a last phase adds them up, always in the same order.
 *
 *     shared scratch: [batch][part][m][row]   Σ over parts → the kernel's stores
 */
import type { MatmulKernel } from '@tessera/tensor/backend';
import { type Code, f32x4, i32, i32x4, type Local, loop, type Module, select, set, v128 } from '../assembler';
import { argWords, emitStores, type Scope } from '../expression';
import { unravel } from './map';

/** One operand: the address of a batch's first element, and its strides in elements. */
export interface Matrix {
  readonly at: (args: Local, coordinates: readonly Local[]) => Code;
  readonly down: number;
  readonly across: number;
}

/** A product of m rows and n columns, whose operands may have changed places, and the domain of its stores. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly turned: boolean;
  readonly domain: readonly number[];
  readonly a: Matrix;
  readonly b: Matrix;
}

/** How partial results lie in shared scratch: from `at` on, `row` bytes from one row to the next. */
export interface Partials {
  readonly parts: number;
  readonly row: number;
  readonly at: number;
}

/** Columns a chunk of the last phase stores. */
const storeColumns = 1024;

export const partialBytes = (batches: number, m: number, { parts, row }: Partials): number => batches * parts * m * row;

/** The phase that adds up the parts and stores their sum. */
export function gatherPhase(
  module: Module,
  kernel: MatmulKernel,
  { m, n, turned, domain }: Pick<Product, 'm' | 'n' | 'turned' | 'domain'>,
  { parts, row, at: partial }: Partials,
) {
  const { batch, stores } = kernel;
  const f = module.func(['i32', 'i32', 'i32'], [], 'gather');
  const [args, lo, hi] = f.params as [Local, Local, Local];
  const scope: Scope = { module, f, args, kernel };
  const [rest, i, j0, count, first, at] = f.locals('i32', 6) as [Local, Local, Local, Local, Local, Local];
  const [p, j] = f.locals('i32', 2) as [Local, Local];
  const coordinates = batch.map(() => f.local('i32'));
  const total = f.local('v128');
  const add = kernel.a.dtype === 'float32' ? f32x4.add : i32x4.add;
  const blocks = Math.ceil(n / storeColumns);
  const base = i32.add(i32.load(args, 4 * argWords(kernel).sharedScratch), partial);
  f.emit(
    loop(lo, lo, hi, 1, [
      set(rest, lo),
      set(j0, i32.mul(i32.rem_u(rest, blocks), storeColumns)),
      set(count, i32.sub(n, j0)),
      set(count, select(count, storeColumns, i32.lt_s(count, storeColumns))),
      set(rest, i32.div_u(rest, blocks)),
      set(i, i32.rem_u(rest, m)),
      set(rest, i32.div_u(rest, m)),
      set(first, i32.add(i32.mul(rest, parts * m * row), i32.add(i32.mul(i, row), i32.shl(j0, 2)))),
      set(first, i32.add(first, base)),
      unravel(f, rest, batch, coordinates),
      parts === 1
        ? []
        : loop(j, 0, count, 4, [
            set(at, i32.add(first, i32.shl(j, 2))),
            set(total, v128.load(at)),
            loop(p, 1, parts, 1, [set(at, i32.add(at, m * row)), set(total, add(total, v128.load(at)))]),
            v128.store(i32.add(first, i32.shl(j, 2)), total),
          ]),
      emitStores(scope, stores, {
        domain,
        outer: turned ? coordinates : [...coordinates, i],
        start: j0,
        count,
        acc: [first],
      }),
    ]),
  );
  return { name: 'gather', chunks: batch.reduce((x, y) => x * y, 1) * m * blocks };
}
