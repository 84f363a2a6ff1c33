/** Expressions of 50 nodes that are 10¹¹ as trees, for a value is used three times, 24 times over: who walks trees never ends. */
import { contiguous, type Expr, expr as e } from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { acc, Case, type OwnKernel } from './case';
import { conv } from './conv';

/** x, chosen from x and x by a test of x, 24 times over. */
function shared(x: Expr): Expr {
  let same = x;
  for (let i = 0; i < 24; i++) same = e.select(e.apply('lt', [same, e.constant(i, x.dtype)]), same, same);
  return same;
}

export function sharings(): KernelCase[] {
  const make = (write: (c: Case) => OwnKernel): KernelCase => {
    const c = new Case();
    const own = write(c);
    return c.done(`${own.kind} over values that are shared 24 times over`, own);
  };
  const shape = [6, 8];
  return [
    make((c) => ({ kind: 'map', parts: [{ shape, stores: [c.store(shape, shared(c.load(shape)))] }] })),
    make((c) => {
      const x = shared(c.load(shape));
      const off = shared(e.sub(x, acc(0)));
      return {
        kind: 'reduce',
        shape,
        axes: [1],
        stages: [[{ combine: 'max', expr: x, dtype: 'float32' }], [{ combine: 'sum', expr: off, dtype: 'float32' }]],
        stores: [c.whole(c.store(shape, off)), c.row(c.store([6, 1], shared(acc(1))))],
      };
    }),
    make((c) => {
      const [a, b] = [shared(c.load([6, 5])), shared(c.load([5, 8]))];
      const stores = [c.store(shape, shared(e.add(acc(0), c.load(shape))))];
      return { kind: 'matmul', batch: [], m: 6, n: 8, k: 5, a, b, stores };
    }),
    make((c) => {
      const [a, b] = [shared(c.load([1, 2, 5, 5])), shared(c.load([3, 2, 2, 2]))];
      const sizes = conv(1, 2, 3, [5, 5], [2, 2]);
      return { kind: 'conv', direction: 'forward', sizes, a, b, stores: [c.store([1, 3, 4, 4], shared(acc(0)))] };
    }),
    make((c) => {
      const { c: _c, n: _n, o: _o, groups: _groups, ...sizes } = conv(1, 1, 1, [6, 6], [2, 2]);
      const stores = [c.store([2, 5, 5], shared(acc(0))), c.store([2, 5, 5], shared(acc(1, 'int32')))];
      return {
        kind: 'pool',
        direction: 'forward',
        combine: 'max',
        sizes: { batch: 2, ...sizes },
        a: shared(c.load([2, 6, 6])),
        b: null,
        stores,
      };
    }),
    make((c) => {
      const place = shared(c.load([9], { dtype: 'int32', data: [0, 3, 1, 3, 2, 0, 5, 5, 4] }));
      const value = shared(c.at(c.input('float32', 9), contiguous([9]), [shared(e.index(0))]));
      const stores = [c.store([6], shared(acc(0)))];
      return {
        kind: 'scatter',
        shape: [6],
        updates: [9],
        combine: 'add',
        init: shared(c.load([6])),
        at: [place],
        value,
        stores,
      };
    }),
    make((c) => {
      const stores = [c.store(shape, shared(acc(0)))];
      return { kind: 'sort', shape, axis: 1, descending: false, k: 8, a: shared(c.load(shape)), stores };
    }),
    make((c) => {
      const stores = [c.store(shape, shared(acc(0)))];
      return { kind: 'scan', shape, axis: 1, combine: 'sum', reverse: false, a: shared(c.load(shape)), stores };
    }),
  ];
}
