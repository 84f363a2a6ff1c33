/** The exponential of what is known to be at most 0 has a shorter way; its bits are those of the longer one. */
import { contiguous, type Expr, expr, type MapKernel, type ReduceKernel } from '@tessera/tensor/backend';
import { expect, it } from 'vitest';
import { map } from '../src/kernels/map';
import { reduce } from '../src/kernels/reduce';
import { load, numbers, prepare } from './harness';

const target = { relaxed: false, shared: false };
const [rows, columns] = [40, 301];
const shape = [rows, columns];
const size = rows * columns;

it('gives a softmax the exponentials that a map gives, denormals, infinities and NaN among them', () => {
  const x = numbers(size, 3).map((value, i) => value * 2 ** ((i % columns) % 8) * (i < size / 2 ? 1 : 0.3));
  x.set([Number.NaN, Number.NEGATIVE_INFINITY], 5 * columns);
  x.set([Number.POSITIVE_INFINITY], 6 * columns);
  x.set([200, 100, 97, 112.5], 7 * columns);
  const from = load(0, contiguous(shape));
  const bits = { size, dtype: 'int32' } as const;
  const bitsOf = (value: Expr): Expr => expr.apply('bits', [value], 'int32') as Expr;
  const greatest: Expr = { op: 'acc', dtype: 'float32', index: 0 };
  const fused: ReduceKernel = {
    ...{ kind: 'reduce', inputs: [{ dtype: 'float32', size }], outputs: [bits], uniforms: [], aliases: [-1] },
    ...{ shape, axes: [1], stages: [[{ combine: 'max', expr: from, dtype: 'float32' }]] },
    stores: [
      {
        output: 0,
        view: contiguous(shape),
        expr: bitsOf(expr.apply('exp', [expr.apply('sub', [from, greatest])]) as Expr),
        per: 'element',
      },
    ],
  };
  const maxima = Float32Array.from({ length: rows }, (_, i) =>
    x.subarray(i * columns, (i + 1) * columns).reduce((a, b) => Math.max(a, b)),
  );
  const over = load(1, { shape, strides: [1, 0], offset: 0, valid: null });
  const stores = [{ ...fused.stores[0], expr: bitsOf(expr.apply('exp', [expr.apply('sub', [from, over])]) as Expr) }];
  const inputs = [
    { dtype: 'float32', size },
    { dtype: 'float32', size: rows },
  ] as const;
  const apart = {
    ...{ kind: 'map', inputs, outputs: [bits], uniforms: [], aliases: [-1] },
    parts: [{ shape, stores }],
  } as unknown as MapKernel;
  const [short, long] = [prepare(fused, reduce(fused, target), [x]), prepare(apart, map(apart, target), [x, maxima])];
  short.run();
  long.run();
  const floats = (words: ArrayLike<number>) => [...new Float32Array(Int32Array.from(words).buffer)];
  const [got, wanted] = [floats(short.outputs[0] ?? []), floats(long.outputs[0] ?? [])];
  expect(got).toEqual(wanted);
  expect(wanted.some((y) => y > 0 && y < 2 ** -126)).toBe(true);
});
