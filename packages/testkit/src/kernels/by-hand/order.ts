/** Kernels in which order matters: scatter, sort, scan. */
import { expr as e, type ScanKernel, type ScatterKernel, type SortKernel, sizeOf } from '@tessera/tensor/backend';
import type { KernelCase } from '../../kernels';
import { acc, Case, corners, float, type LoadOptions, type Own, wholeCorners } from './case';

export function scatters(): KernelCase[] {
  const cases: KernelCase[] = [];
  const make = (combine: ScatterKernel['combine'], dtype: 'float32' | 'int32') => {
    const c = new Case();
    const [shape, updates] = [
      [7, 5],
      [40, 5],
    ];
    const row = c.load([40], {
      dtype: 'int32',
      data: Array.from({ length: 40 }, (_, i) => ((i * i) % 11) - 2),
      moves: [
        { type: 'reshape', shape: [40, 1] },
        { type: 'expand', shape: [40, 5] },
      ],
    });
    const powers = Array.from({ length: 200 }, (_, i) => [1, -1, 2, 0.5][i % 4]!);
    const value = c.load(updates, combine === 'mul' && dtype === 'float32' ? { data: powers } : { dtype });
    return c.done(`scatter ${combine} of ${dtype}, in the order of updates, places outside dropped`, {
      kind: 'scatter',
      shape,
      updates,
      combine,
      init: c.load(shape, { dtype }),
      at: [row, e.index(1)],
      value,
      stores: [c.store(shape, acc(0, dtype))],
    });
  };
  for (const combine of ['assign', 'add', 'mul', 'max', 'min'] as const) {
    cases.push(make(combine, 'float32'), make(combine, 'int32'));
  }
  for (const updates of [[0], [5000]]) {
    const c = new Case();
    const at = c.load(updates, {
      dtype: 'int32',
      data: Array.from({ length: sizeOf(updates) }, (_, i) => (i * 7) % 10),
    });
    cases.push(
      c.done(`scatter add of ${updates} updates into 10 places, with an epilogue`, {
        kind: 'scatter',
        shape: [10],
        updates,
        combine: 'add',
        init: float(0),
        at: [at],
        value: c.load(updates),
        stores: [c.store([10], e.mul(acc(0), c.load([10])))],
      }),
    );
  }
  return cases;
}

export function sorts(): KernelCase[] {
  const table: readonly (readonly [readonly number[], number, number])[] = [
    [[1], 0, 1],
    [[100], 0, 100],
    [[1000], 0, 10],
    [[5, 33], 1, 33],
    [[33, 5], 0, 4],
    [[3, 4, 65], 1, 2],
    [[2, 0], 1, 0],
    [[0, 3], 1, 2],
    [[1025], 0, 1025],
  ];
  const make = (title: string, own: Omit<Own<SortKernel>, 'kind' | 'a' | 'stores'>, options: LoadOptions) => {
    const c = new Case();
    const a = c.load(own.shape, options);
    const kept = own.shape.map((size, i) => (i === own.axis ? own.k : size));
    return c.done(title, {
      kind: 'sort',
      ...own,
      a,
      stores: [c.store(kept, acc(0, a.dtype)), c.store(kept, acc(1, 'int32'))],
    });
  };
  const cases = table.flatMap(([shape, axis, k]) =>
    [false, true].map((descending) =>
      make(
        `sort [${shape}] along ${axis}, ${descending ? 'descending' : 'ascending'}, the first ${k}`,
        { shape, axis, descending, k },
        {},
      ),
    ),
  );
  const special = { shape: [2, 18], axis: 1, k: 18 };
  for (const descending of [false, true]) {
    const order = descending ? 'descending' : 'ascending';
    cases.push(
      make(
        `sort ${order}: NaN is largest, zeros are equal, ties keep their order`,
        { ...special, descending },
        { data: [...corners, ...corners.map((x) => -x).reverse()] },
      ),
    );
    cases.push(
      make(
        `sort ${order}: int32 with many ties`,
        { shape: [4, 90], axis: 1, k: 90, descending },
        { dtype: 'int32', data: Array.from({ length: 360 }, (_, i) => (i * i) % 7) },
      ),
    );
    cases.push(
      make(
        `sort ${order}: the least and greatest int32`,
        { shape: [16], axis: 0, k: 16, descending },
        { dtype: 'int32', data: wholeCorners },
      ),
    );
  }
  return cases;
}

export function scans(): KernelCase[] {
  const make = (title: string, own: Omit<Own<ScanKernel>, 'kind' | 'a' | 'stores'>, options: LoadOptions) => {
    const c = new Case();
    const a = c.load(own.shape, options);
    const stores = [c.store(own.shape, acc(0, a.dtype))];
    if (own.combine === 'max' || own.combine === 'min') stores.push(c.store(own.shape, acc(1, 'int32')));
    return c.done(title, { kind: 'scan', ...own, a, stores });
  };
  const cases: KernelCase[] = [];
  for (const [shape, axis] of [
    [[1], 0],
    [[3000], 0],
    [[5, 33], 1],
    [[33, 5], 0],
    [[2, 9, 3], 1],
    [[0, 3], 1],
    [[3, 0], 1],
  ] as const) {
    for (const reverse of [false, true]) {
      for (const combine of ['sum', 'max', 'min'] as const) {
        cases.push(
          make(
            `scan ${combine} of [${shape}] along ${axis}${reverse ? ', reversed' : ''}`,
            { shape, axis, combine, reverse },
            {},
          ),
        );
      }
    }
  }
  const n = Number.NaN;
  const data = [1, 3, 3, 2, n, 5, n, 1, -Infinity, -Infinity, -1, -1, 0, -0, 0, Infinity];
  for (const combine of ['max', 'min', 'sum'] as const) {
    cases.push(
      make(
        `scan ${combine}: NaN stays, the last of equals is named`,
        { shape: [2, 8], axis: 1, combine, reverse: false },
        { data },
      ),
    );
  }
  for (const combine of ['sum', 'prod', 'max', 'min'] as const) {
    cases.push(
      make(`scan ${combine} of int32 wraps`, { shape: [3, 40], axis: 1, combine, reverse: false }, { dtype: 'int32' }),
    );
  }
  cases.push(
    make(
      'scan prod of floats',
      { shape: [4, 12], axis: 1, combine: 'prod', reverse: true },
      { data: Array.from({ length: 48 }, (_, i) => 0.5 + (i % 5) / 4) },
    ),
  );
  return cases;
}
