/** Products of matrices: sizes where tilings end, transposes by views, batches, epilogues. */
import { applyMoves, contiguous, expr as e, type Move, type View } from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { acc, Case, float, one, two } from './case';

export function matmuls(): KernelCase[] {
  const swap: Move = { type: 'permute', axes: [1, 0] };
  const cases: KernelCase[] = [];
  const sizes = [
    [65, 130, 67],
    [64, 64, 64],
    [1, 200, 100],
    [100, 1, 200],
    [1, 1, 300],
    [33, 47, 1],
    [128, 8, 16],
    [7, 5, 1030],
    [1, 1, 1],
    [0, 3, 4],
    [3, 0, 4],
    [3, 4, 0],
    [17, 257, 9],
  ];
  for (const [m = 0, n = 0, k = 0] of sizes) {
    for (const layout of ['', ', a transposed', ', b transposed', ', both transposed']) {
      const c = new Case();
      const a = layout.includes('a t') || layout.includes('both') ? c.load([k, m], { moves: [swap] }) : c.load([m, k]);
      const b = layout.includes('b t') || layout.includes('both') ? c.load([n, k], { moves: [swap] }) : c.load([k, n]);
      cases.push(
        c.done(`matmul ${m}×${k} by ${k}×${n}${layout}`, {
          kind: 'matmul',
          batch: [],
          m,
          n,
          k,
          a,
          b,
          stores: [c.store([m, n], acc(0))],
        }),
      );
    }
  }

  const linear = new Case();
  const [m, n, k] = [34, 70, 50];
  const bias = linear.load([n], { moves: [{ type: 'expand', shape: [m, n] }] });
  const residual = linear.input('float32', m * n);
  const sum = e.add(acc(0), bias);
  cases.push(
    linear.done('linear with bias, relu and a residual added in place, the mask stored beside', {
      kind: 'matmul',
      batch: [],
      m,
      n,
      k,
      a: linear.load([m, k]),
      b: linear.load([n, k], { moves: [swap] }),
      stores: [
        linear.storeOver(
          residual,
          contiguous([m, n]),
          e.add(linear.at(residual, contiguous([m, n])), two('max', sum, float(0))),
        ),
        linear.store([m, n], e.mul(acc(0), e.cast(two('gt', bias, float(0)), 'float32'))),
      ],
    }),
  );

  const batched = new Case();
  cases.push(
    batched.done('batches of matmul, b broadcast along one of them and a along the other', {
      kind: 'matmul',
      batch: [3, 4],
      m: 9,
      n: 17,
      k: 33,
      a: batched.load([4, 9, 33], { moves: [{ type: 'expand', shape: [3, 4, 9, 33] }] }),
      b: batched.load([3, 1, 33, 17], { moves: [{ type: 'expand', shape: [3, 4, 33, 17] }] }),
      stores: [batched.store([3, 4, 9, 17], e.mul(acc(0), batched.uniform('float32', 0.5)))],
    }),
  );

  const heads = new Case();
  const split: Move[] = [
    { type: 'reshape', shape: [2, 20, 4, 16] },
    { type: 'permute', axes: [0, 2, 1, 3] },
  ];
  const merged = applyMoves(contiguous([2, 20, 4, 16]), [{ type: 'permute', axes: [0, 2, 1, 3] }]) as View;
  cases.push(
    heads.done('attention: heads split by the views of operands, merged by the view of the store', {
      kind: 'matmul',
      batch: [2, 4],
      m: 20,
      n: 16,
      k: 20,
      a: heads.load([2, 4, 20, 20]),
      b: heads.load([2, 20, 64], { moves: split }),
      stores: [heads.storeTo(merged, acc(0), 'float32', 2 * 20 * 64)],
    }),
  );

  const operands = new Case();
  const [left, right] = [operands.load([40, 30]), operands.load([30, 20])];
  const scale = operands.load([40, 1], { moves: [{ type: 'expand', shape: [40, 30] }] });
  cases.push(
    operands.done('operands are expressions: a scaled relu times an exponential', {
      kind: 'matmul',
      batch: [],
      m: 40,
      n: 20,
      k: 30,
      a: e.mul(two('max', left, float(0)), scale),
      b: one('exp', right),
      stores: [operands.store([40, 20], acc(0))],
    }),
  );

  const nan = new Case();
  const holes = Array.from({ length: 20 * 10 }, (_, i) => (i === 33 ? Number.NaN : i === 77 ? Infinity : (i % 7) - 3));
  cases.push(
    nan.done('NaN and ∞ stay in their rows', {
      kind: 'matmul',
      batch: [],
      m: 20,
      n: 30,
      k: 10,
      a: nan.load([20, 10], { data: holes }),
      b: nan.load([10, 30]),
      stores: [nan.store([20, 30], acc(0))],
    }),
  );

  const half = new Case();
  cases.push(
    half.done('float16 operands, summed in float32, stored as float16', {
      kind: 'matmul',
      batch: [],
      m: 19,
      n: 23,
      k: 70,
      a: half.load([19, 70], { dtype: 'float16' }),
      b: half.load([70, 23], { dtype: 'float16' }),
      stores: [half.store([19, 23], acc(0), 'float16')],
    }),
  );
  return cases;
}
