/** Sums of a last stage that are made of those before it: the numbers are what they were, and what is not linear stays. */
import {
  contiguous,
  type Expr,
  expr as e,
  type Job,
  type Load,
  type ReduceKernel,
  sizeOf,
} from '@tessera/tensor/backend';
import { reference } from '@tessera/tensor/reference';
import { runKernelCase } from '@tessera/testkit';
import { describe, expect, it } from 'vitest';
import { withoutLateSums } from '../src/late-sums';
import { numbers } from './choices';
import { largeDevice } from './target';

/** Σh, Σh·(x − mean) of rows [2, 3, size] along 0 and 2, then the sum of an expression with them. */
function kernelOf(size: number, lateOf: (parts: Parts) => Expr): ReduceKernel {
  const shape = [2, 3, size];
  const load = (input: number, strides: readonly number[]): Expr => {
    const view = { shape, strides, offset: 0, valid: null };
    return { op: 'load', dtype: 'float32', input, view, at: null };
  };
  const [h, x] = [0, 1].map((input) => load(input, [3 * size, size, 1])) as [Expr, Expr];
  const [mean, gain] = [2, 3].map((input) => load(input, [0, 1, 0])) as [Expr, Expr];
  const per = (acc: number) => e.div<Load>(e.acc(acc), e.constant(2 * size));
  const centred = e.sub(x, mean);
  const product = e.mul(h, centred);
  const view = contiguous([1, 3, 1]);
  const outputs = ['acc1', 'late'].map((_, output) => ({ output, view, per: 'row' as const }));
  return {
    kind: 'reduce',
    shape,
    axes: [0, 2],
    stages: [[sum(h), sum(product)], [sum(lateOf({ h, x, gain, centred, product, per }))]],
    stores: outputs.map((store, i) => ({ ...store, expr: e.mul<Load>(gain, e.acc(1 + i)) })),
    inputs: [sizeOf(shape), sizeOf(shape), 3, 3].map((length) => ({ dtype: 'float32', size: length })),
    outputs: [3, 3].map((length) => ({ dtype: 'float32', size: length })),
    uniforms: [],
    aliases: [-1, -1],
  };
}
type Parts = Record<'h' | 'x' | 'gain' | 'centred' | 'product', Expr> & { per(acc: number): Expr };
const sum = (expr: Expr) => ({ combine: 'sum', dtype: 'float32', expr }) as const;
/** x, as (x + x) − x so many times over. */
const thrice = (x: Expr, times: number): Expr => (times ? thrice(e.sub(e.add(x, x), x), times - 1) : x);
/** Elements of a row that registers do not keep. */
const long = 9000;

const early = (kernel: ReduceKernel): ReduceKernel => {
  const job = { kernel, inputs: [], outputs: [], scalars: [], ops: [] } satisfies Job;
  return withoutLateSums([job], largeDevice)[0]?.kernel as ReduceKernel;
};

const inputs = [numbers(6 * long, 1, 0.3), numbers(6 * long, 2, 100), numbers(3, 3, 100), numbers(3, 4, 2)];

describe('a last stage of sums', () => {
  it.each<[string, (parts: Parts) => Expr, number]>([
    ['of a gradient of a norm', ({ h, centred, gain, per }) => e.mul(e.sub(e.sub(h, per(0)), e.mul(centred, per(1))), gain), 3],
    ['of parts that are summed before', ({ h, product, per }) => e.sub(e.mul(per(1), h), e.div(product, per(0))), 2],
    ['of a value that is used three times, 24 times over', ({ h, per }) => thrice(e.sub(h, per(1)), 24), 2],
    ['of a difference turned round', ({ h, x, per }) => e.apply('neg', [e.sub(per(0), e.add(x, h))]), 3],
  ])('%s is made of the sums before', async (_, late, sums) => {
    const kernel = kernelOf(long, late);
    const made = early(kernel);
    expect(made.stages.map((stage) => stage.length)).toEqual([sums]);
    const run = (one: ReduceKernel) =>
      runKernelCase(reference({ dtype: 'float64' }), { title: 'late', kernel: one, inputs, uniforms: [] });
    const [got, wanted] = [await run(made), await run(kernel)];
    wanted.forEach((numbers, output) => {
      Array.from(numbers, (one, row) => expect((got[output]?.[row] as number) / (one as number)).toBeCloseTo(1, 9));
    });
  }); // biome-ignore format: a row a case
  it.each<[string, (parts: Parts) => Expr]>([
    ['of products with what is known late, which cancel', ({ h, x, per }) => e.mul(e.sub(x, per(0)), h)],
    ['of squares', ({ h, per }) => e.mul(e.sub(h, per(0)), e.sub(h, per(0)))],
    ['of a function', ({ h, per }) => e.apply('exp', [e.sub(h, per(0))])],
    ['divided by an element', ({ h, per }) => e.div(per(0), h)],
  ])('%s stays', (_, late) => {
    const kernel = kernelOf(long, late);
    expect(early(kernel)).toBe(kernel);
  });
  it('behind a largest element stays, for what it is taken from lies close to it', () => {
    const { stages, ...rest } = kernelOf(long, ({ x }) => e.sub<Load>(x, e.acc(0)));
    const [first, late] = stages as [ReduceKernel['stages'][number], ReduceKernel['stages'][number]];
    const kernel: ReduceKernel = { ...rest, stages: [first.map((one) => ({ ...one, combine: 'max' })), late] };
    expect(early(kernel)).toBe(kernel);
  });
  it('of a row that registers keep stays, for it is read once', () => {
    const kernel = kernelOf(8, ({ h, gain, per }) => e.mul(e.sub(h, per(0)), gain));
    expect(early(kernel)).toBe(kernel);
  });
});
