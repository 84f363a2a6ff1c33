/** Reductions: sums, extremes and their places, softmax, batch norm. */
import {
  type Accumulate,
  applyMoves,
  contiguous,
  expr as e,
  type Move,
  sizeOf,
  type View,
} from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { acc, Case, float, one } from './case';

export function reductions(): KernelCase[] {
  const cases: KernelCase[] = [];
  const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[1000], [0]],
    [[70000], [0]],
    [[3, 1000], [1]],
    [[1000, 3], [0]],
    [
      [4, 33, 65],
      [0, 2],
    ],
    [[4, 33, 65], [1]],
    [[65, 1], [1]],
    [[1, 65], [0]],
    [[5, 0], [1]],
    [[0, 5], [1]],
    [
      [2, 3, 4],
      [0, 1, 2],
    ],
  ];
  for (const [shape, axes] of shapes) {
    const c = new Case();
    const x = c.load(shape);
    const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const combines: Accumulate['combine'][] = ['sum', 'max', 'min'];
    if (axes.every((axis) => shape[axis] !== 0)) combines.push('argmax', 'argmin');
    const stage = combines.map(
      (combine): Accumulate => ({ combine, expr: x, dtype: combine.startsWith('arg') ? 'int32' : 'float32' }),
    );
    const stores = stage.map(({ dtype }, i) => c.row(c.store(kept, acc(i, dtype))));
    cases.push(
      c.done(`sum, max, min and their places of [${shape}] along [${axes}]`, {
        kind: 'reduce',
        shape,
        axes,
        stages: [stage],
        stores,
      }),
    );
  }

  const whole = new Case();
  const x = whole.load([7, 90], { dtype: 'int32' });
  const stage = (['sum', 'prod', 'max', 'min', 'argmax', 'argmin'] as const).map(
    (combine): Accumulate => ({ combine, expr: x, dtype: 'int32' }),
  );
  const stores = stage.map((_, i) => whole.row(whole.store([7, 1], acc(i, 'int32'))));
  cases.push(
    whole.done('int32 reductions wrap', { kind: 'reduce', shape: [7, 90], axes: [1], stages: [stage], stores }),
  );

  const empty = new Case();
  const none = empty.load([3, 0], { dtype: 'int32' });
  const identities = (['sum', 'prod', 'max', 'min'] as const).map(
    (combine): Accumulate => ({ combine, expr: none, dtype: 'int32' }),
  );
  const identityStores = identities.map((_, i) => empty.row(empty.store([3, 1], acc(i, 'int32'))));
  cases.push(
    empty.done('an empty int32 row gives 0, 1, the least and the greatest number', {
      kind: 'reduce',
      shape: [3, 0],
      axes: [1],
      stages: [identities],
      stores: identityStores,
    }),
  );

  const nan = new Case();
  const [n, i] = [Number.NaN, Infinity];
  const rows = nan.load([6, 5], {
    data: [1, n, 3, n, 9, -i, -i, -i, -i, -i, i, 1, i, 2, 3, 2, 7, 7, -1, -1, i, -i, 0, 0, 0, -0, 0, -0, 0, 0],
  });
  const all = (['sum', 'max', 'min', 'argmax', 'argmin'] as const).map(
    (combine): Accumulate => ({ combine, expr: rows, dtype: combine.startsWith('arg') ? 'int32' : 'float32' }),
  );
  cases.push(
    nan.done('NaN wins every reduction; the first of equals is the place', {
      kind: 'reduce',
      shape: [6, 5],
      axes: [1],
      stages: [all],
      stores: all.map(({ dtype }, k) => nan.row(nan.store([6, 1], acc(k, dtype)))),
    }),
  );

  const prod = new Case();
  const factors = prod.load([9, 40], {
    data: Array.from({ length: 360 }, (_, k) => Math.fround(0.9 + (0.2 * ((k * 7) % 11)) / 11)),
  });
  cases.push(
    prod.done('prod of floats', {
      kind: 'reduce',
      shape: [9, 40],
      axes: [1],
      stages: [[{ combine: 'prod', expr: factors, dtype: 'float32' }]],
      stores: [prod.row(prod.store([9, 1], acc(0)))],
    }),
  );

  for (const [shape, axes] of [
    [[7, 1000], [1]],
    [[130, 10], [1]],
    [[2, 19, 21], [1]],
    [[1, 1], [1]],
  ] as const) {
    const c = new Case();
    const logits = c.load(shape);
    const shifted = one('exp', e.sub(logits, acc(0)));
    cases.push(
      c.done(`softmax of [${shape}] along [${axes}], in two stages and a write-back`, {
        kind: 'reduce',
        shape,
        axes,
        stages: [
          [{ combine: 'max', expr: logits, dtype: 'float32' }],
          [{ combine: 'sum', expr: shifted, dtype: 'float32' }],
        ],
        stores: [c.whole(c.store(shape, e.div(shifted, acc(1))))],
      }),
    );
  }

  const inPlace = new Case();
  const view = contiguous([33, 70]);
  const over = inPlace.input('float32', 33 * 70);
  const logits = inPlace.at(over, view);
  cases.push(
    inPlace.done('a row is normalised in place', {
      kind: 'reduce',
      shape: [33, 70],
      axes: [1],
      stages: [[{ combine: 'sum', expr: one('abs', logits), dtype: 'float32' }]],
      stores: [inPlace.whole(inPlace.storeOver(over, view, e.div(logits, acc(0))))],
    }),
  );

  for (const shape of [
    [4, 3, 9, 11],
    [2, 70, 5, 1],
  ]) {
    const c = new Case();
    const channels = shape[1] as number;
    const axes = [0, 2, 3];
    const x = c.load(shape);
    const count = sizeOf(shape) / channels;
    const perChannel = [1, channels, 1, 1];
    const toAll: Move[] = [
      { type: 'reshape', shape: perChannel },
      { type: 'expand', shape },
    ];
    const mean = e.mul(acc(0), float(1 / count));
    const centred = e.sub(x, mean);
    const variance = e.mul(acc(1), float(1 / count));
    const scale = e.div(float(1), one('sqrt', e.add(variance, c.uniform('float32', 0.125))));
    const running = c.input('float32', channels);
    const runningView = applyMoves(contiguous([channels]), [{ type: 'reshape', shape: perChannel }]) as View;
    const kept = e.add(e.mul(c.at(running, runningView), float(0.75)), e.mul(mean, float(0.25)));
    // elements are scaled by the gain that the row then writes over
    const gain = c.input('float32', channels);
    const scaling = c.at(gain, applyMoves(contiguous([channels]), toAll) as View);
    const shift = c.load([channels], { moves: toAll });
    cases.push(
      c.done(`batch norm of [${shape}] with statistics out, running means and its gain in place`, {
        kind: 'reduce',
        shape,
        axes,
        stages: [
          [{ combine: 'sum', expr: x, dtype: 'float32' }],
          [{ combine: 'sum', expr: e.mul(centred, centred), dtype: 'float32' }],
        ],
        stores: [
          c.whole(c.store(shape, e.add(e.mul(e.mul(centred, scale), scaling), shift))),
          c.row(c.store(perChannel, mean)),
          c.row(c.store(perChannel, scale)),
          c.row(c.storeOver(running, runningView, kept)),
          c.row(c.storeOver(gain, runningView, e.sub(c.at(gain, runningView), e.mul(mean, scaling)))),
        ],
      }),
    );
  }
  return cases;
}
