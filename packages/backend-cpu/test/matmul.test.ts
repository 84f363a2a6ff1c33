import { contiguous, type Kernel, type MatmulKernel, sizeOf, type View } from '@tessera/tensor/backend';
import { describe, expect, it } from 'vitest';
import { features } from '../src/assembler';
import { matmul } from '../src/kernels/matmul';
import { type Data, load, numbers, prepare, worstError } from './harness';

interface Case {
  readonly batch?: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Views over [...batch, m, k] and [...batch, k, n]; contiguous without. */
  readonly a?: View;
  readonly b?: View;
}

/** Sum of products in double precision, and of their absolute values. */
function naive({ batch = [], m, n, k, a, b }: Case, dataA: Data, dataB: Data) {
  const batches = sizeOf(batch);
  const expected = new Float64Array(batches * m * n);
  const scale = new Float64Array(batches * m * n);
  const read = (data: Data, view: View, at: readonly number[]): number => {
    if (view.valid && at.some((x, axis) => x < view.valid![axis]![0] || x >= view.valid![axis]![1])) return 0;
    return data[at.reduce((sum, x, axis) => sum + x * view.strides[axis]!, view.offset)]!;
  };
  const [viewA, viewB] = [a ?? contiguous([...batch, m, k]), b ?? contiguous([...batch, k, n])];
  for (let z = 0, at = 0; z < batches; z++) {
    let rest = z;
    const place = [...batch]
      .reverse()
      .map((size) => [rest % size, (rest = Math.floor(rest / size))][0]!)
      .reverse();
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++, at++)
        for (let l = 0; l < k; l++) {
          const product = read(dataA, viewA, [...place, i, l]) * read(dataB, viewB, [...place, l, j]);
          expected[at]! += product;
          scale[at]! += Math.abs(product);
        }
  }
  return { expected, scale };
}

function check(test: Case) {
  const { batch = [], m, n, k } = test;
  const extent = (view: View | undefined, shape: readonly number[]) =>
    view
      ? view.shape.reduce((sum, size, axis) => sum + Math.max(0, (size - 1) * view.strides[axis]!), view.offset) + 1
      : sizeOf(shape);
  const [sizeA, sizeB] = [extent(test.a, [...batch, m, k]), extent(test.b, [...batch, k, n])];
  const out = [...batch, m, n];
  const kernel: MatmulKernel = {
    kind: 'matmul',
    inputs: [
      { dtype: 'float32', size: sizeA },
      { dtype: 'float32', size: sizeB },
    ],
    outputs: [{ dtype: 'float32', size: sizeOf(out) }],
    uniforms: [],
    aliases: [-1],
    batch,
    m,
    n,
    k,
    a: load(0, test.a ?? contiguous([...batch, m, k])),
    b: load(1, test.b ?? contiguous([...batch, k, n])),
    stores: [{ output: 0, view: contiguous(out), expr: { op: 'acc', dtype: 'float32', index: 0 } }],
  };
  const [a, b] = [numbers(sizeA, 1), numbers(sizeB, 2)];
  const prepared = prepare(kernel, matmul(kernel, { relaxed: features().relaxed, shared: false }), [a, b]);
  prepared.run();
  const { expected, scale } = naive(test, a, b);
  expect(worstError(prepared.outputs[0]!, expected, scale, k)).toBeLessThanOrEqual(3);
}

describe('matmul', () => {
  it.each(
    [1, 3, 4, 7, 8, 13].flatMap((m) => [1, 4, 8, 10, 17].flatMap((n) => [0, 1, 5, 8, 33].map((k) => ({ m, n, k })))),
  )('multiplies small matrices of any size: %o', check);
  it.each([
    { m: 130, n: 200, k: 70 },
    { m: 37, n: 104, k: 900 },
    { m: 300, n: 64, k: 1000 },
    { m: 5, n: 1000, k: 400 },
    { m: 70, n: 1100, k: 8 },
  ])('multiplies in blocks: %o', check);
  it.each([
    { m: 1, n: 1000, k: 700 },
    { m: 2, n: 301, k: 1903 },
    { m: 1, n: 9001, k: 67 },
    { m: 2, n: 4099, k: 130 },
    { batch: [2, 2], m: 2, n: 513, k: 1031 },
    { m: 3, n: 517, k: 1100 },
    { m: 5, n: 4099, k: 70 },
    { batch: [2], m: 8, n: 300, k: 901 },
    { m: 1001, n: 1, k: 555, a: { shape: [1001, 555], strides: [1, 1001], offset: 0, valid: null } },
  ])('streams a large matrix past few rows: %o', check);
  it.each([
    { m: 1, n: 43, k: 1027 },
    { m: 2, n: 150, k: 2050 },
    { m: 3, n: 7, k: 1500 },
    { m: 7, n: 33, k: 2319 },
    { batch: [2, 3], m: 8, n: 70, k: 129 },
    { m: 1, n: 3, k: 40_003 },
    { m: 5, n: 9, k: 33_000 },
    { batch: [2], m: 1, n: 1, k: 20_000 },
  ])('takes dot products of few rows with a matrix whose columns are contiguous: %o', ({ batch = [], m, n, k }) => {
    const strides = [...batch.map((_, axis) => n * k * sizeOf(batch.slice(axis + 1))), 1, k];
    check({ batch, m, n, k, b: { shape: [...batch, k, n], strides, offset: 0, valid: null } });
  });
  it('takes dot products with gaps, flips and broadcast', () => {
    const [m, n, k] = [4, 21, 1100];
    const b = { shape: [k, n], strides: [1, -k - 3], offset: (k + 3) * n, valid: null };
    check({ m, n, k, a: { shape: [m, k], strides: [0, 1], offset: 5, valid: null }, b });
    check({ m, n, k, a: { shape: [m, k], strides: [-k, 1], offset: k * m, valid: null }, b });
    check({ m: 300, n: 1, k });
  });
  it.each([
    { m: 20, n: 12, k: 5001 },
    { batch: [2], m: 9, n: 33, k: 3000 },
    { m: 17, n: 40, k: 4100, a: { shape: [17, 4100], strides: [1, 17], offset: 0, valid: null } },
    { m: 64, n: 24, k: 2500, b: { shape: [2500, 24], strides: [1, 2500], offset: 0, valid: null } },
  ])('cuts a long k into parts: %o', check);
  it('reads a thin product with broadcast, gaps and flips', () => {
    const [m, n, k] = [2, 520, 800];
    check({ m, n, k, a: { shape: [m, k], strides: [1, 2], offset: 3, valid: null } });
    check({ m, n, k, b: { shape: [k, n], strides: [-600, 1], offset: 600 * k, valid: null } });
    check({ batch: [3], m, n, k, b: { shape: [3, k, n], strides: [0, n, 1], offset: 0, valid: null } });
  });
  it.each([
    { title: 'a thin product', m: 2, n: 1300, k: 250, strides: [1300, 1] },
    { title: 'dot products', m: 3, n: 70, k: 500, strides: [1, 500] },
    { title: 'dot products in parts', m: 2, n: 5, k: 20_000, strides: [1, 20_000] },
    { title: 'a product whose k is cut', m: 20, n: 30, k: 3000, strides: [30, 1] },
  ])('stores what is fused into $title', ({ m, n, k, strides }) => {
    const [a, b, c] = [numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3)];
    const row = { shape: [m, n], strides: [0, 1], offset: 0, valid: null };
    const acc = { op: 'acc', dtype: 'float32', index: 0 } as const;
    const kernel = (stores: MatmulKernel['stores'], bias: readonly Kernel['inputs'][number][]): MatmulKernel => ({
      kind: 'matmul',
      inputs: [{ dtype: 'float32', size: m * k }, { dtype: 'float32', size: k * n }, ...bias],
      outputs: [{ dtype: 'float32', size: m * n }],
      uniforms: [],
      aliases: [-1],
      batch: [],
      m,
      n,
      k,
      a: load(0, contiguous([m, k])),
      b: load(1, { shape: [k, n], strides, offset: 0, valid: null }),
      stores,
    });
    const run = (made: MatmulKernel, inputs: readonly Data[]) => {
      const prepared = prepare(made, matmul(made, { relaxed: false, shared: false }), inputs);
      prepared.run();
      return [...prepared.outputs[0]!];
    };
    const view = contiguous([m, n]);
    const plain = run(kernel([{ output: 0, view, expr: acc }], []), [a, b]);
    const sum = { op: 'apply', fn: 'add', dtype: 'float32', args: [acc, load(2, row)] } as const;
    const biased = run(kernel([{ output: 0, view, expr: sum }], [{ dtype: 'float32', size: n }]), [a, b, c]);
    expect(biased).toEqual(plain.map((x, i) => Math.fround(x + c[i % n]!)));
  });
  it('reads transposed operands', () => {
    const [m, n, k] = [22, 19, 50];
    const a = { shape: [m, k], strides: [1, m], offset: 0, valid: null };
    const b = { shape: [k, n], strides: [1, k], offset: 0, valid: null };
    check({ m, n, k, a });
    check({ m, n, k, b });
    check({ m, n, k, a, b });
  });
  it('reads operands with an offset, gaps and flips', () => {
    const [m, n, k] = [9, 12, 20];
    check({ m, n, k, a: { shape: [m, k], strides: [-50, 2], offset: 50 * m + 7, valid: null } });
    check({ m, n, k, b: { shape: [k, n], strides: [-3, 70], offset: 3 * k, valid: null } });
  });
  it('broadcasts batches', () => {
    const [m, n, k] = [5, 16, 6];
    check({ batch: [2, 3], m, n, k });
    check({ batch: [2, 3], m, n, k, b: { shape: [2, 3, k, n], strides: [k * n, 0, n, 1], offset: 0, valid: null } });
    check({ batch: [2, 3], m, n, k, a: { shape: [2, 3, m, k], strides: [0, m * k, 1, m], offset: 0, valid: null } });
  });
  it('makes nothing of nothing', () => {
    for (const [m, n, k] of [
      [0, 4, 4],
      [4, 0, 4],
      [4, 4, 0],
      [0, 0, 0],
    ])
      check({ m: m!, n: n!, k: k! });
  });
});
