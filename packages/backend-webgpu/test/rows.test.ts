/** Reductions in every way that a row can be gone through, with subgroups and without, against the reference. */
import { contiguous, type Expr, expr as e, type ReduceKernel, sizeOf, type View } from '@tessera/tensor/backend';
import { type KernelCase, kernelCases } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candidates } from '../src/compile';
import { webgpu } from '../src/index';
import { reduce } from '../src/kernels/reduce';
import { type ByRows, reduceChoices } from '../src/kernels/reduction';
import type { WebgpuBackend } from '../src/runtime';
import type { Target } from '../src/shader';
import { checkChoice, checkEach } from './choices';
import { emulated, emulatedAdapter } from './emulated';
import { largeDevice } from './target';

let exchanging: WebgpuBackend;
let plain: WebgpuBackend;
beforeAll(async () => {
  exchanging = (await webgpu(await emulated())) as WebgpuBackend;
  const device = await (await emulatedAdapter()).requestDevice(); // of no features
  plain = (await webgpu({ device, probe: false })) as WebgpuBackend;
});
afterAll(() => {
  exchanging.dispose();
  plain.dispose();
});

/** (x − mean)/√(Σ(x − mean)²/count) over all axes but 1, with mean and Σ(x − mean)² a row; x lies round 100. */
function standardizing(shape: readonly number[], inPlace = false): ReduceKernel {
  const axes = shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const rowShape = shape.map((size, axis) => (axis === 1 ? size : 1));
  const count = sizeOf(shape) / (shape[1] as number);
  const x: Expr = { op: 'load', dtype: 'float32', input: 0, view: contiguous(shape), at: null };
  const mean = e.div(e.acc(0), e.constant(count));
  const off = e.sub(x, mean);
  const deviation: Expr = { op: 'apply', dtype: 'float32', fn: 'sqrt', args: [e.div(e.acc(1), e.constant(count))] };
  const store = (output: number, view: View, expr: Expr, per: 'row' | 'element') => ({ output, view, expr, per });
  const row = contiguous(rowShape);
  return {
    kind: 'reduce',
    shape,
    axes,
    stages: [
      [{ combine: 'sum', expr: x, dtype: 'float32' }],
      [{ combine: 'sum', expr: e.mul(off, off), dtype: 'float32' }],
    ],
    stores: [
      store(0, contiguous(shape), e.div(off, deviation), 'element'),
      store(1, row, mean, 'row'),
      store(2, row, e.acc(1), 'row'),
    ],
    inputs: [{ dtype: 'float32', size: sizeOf(shape) }],
    outputs: [sizeOf(shape), shape[1] as number, shape[1] as number].map((size) => ({ dtype: 'float32', size })),
    uniforms: [],
    aliases: [inPlace ? 0 : -1, -1, -1],
  };
}
function standardized(shape: readonly number[], inPlace = false): KernelCase {
  const kernel = standardizing(shape, inPlace);
  const data = Float32Array.from({ length: sizeOf(shape) }, (_, i) => 100 + Math.sin(i * 1.7) + Math.cos(i * 0.31));
  return { title: `[${shape}] standardized${inPlace ? ' in place' : ''}`, kernel, inputs: [data], uniforms: [] };
}
const named = (title: string) => kernelCases.find((test) => test.title === title) as KernelCase;

type Form = readonly [lanes: number, rows: number, chunks: number, across?: boolean];
const table: readonly (readonly [KernelCase, readonly Form[]])[] = [
  // by vectors: a lane a row, lanes of one subgroup, of several, more lanes than vectors
  [standardized([3, 5, 4, 16]), [[1, 4, 1], [4, 8, 1], [8, 2, 1], [64, 1, 1], [4, 2, 3], [32, 1, 2]]],
  [standardized([3, 5, 4, 16], true), [[2, 4, 1], [8, 1, 2]]],
  [standardized([2, 3, 7, 7]), [[1, 2, 1], [16, 4, 1], [32, 1, 4]]],
  // rows that no registers hold: both stages are one
  [standardized([2, 3, 12, 12]), [[1, 4, 1], [2, 2, 1]]],
  [standardized([2, 3, 15, 15]), [[2, 2, 1]]],
  [named('softmax of [7,1000] along [1], in two stages and a write-back'), [[4, 4, 1], [64, 2, 1], [16, 2, 5]]],
  [named('softmax of [130,10] along [1], in two stages and a write-back'), [[2, 64, 1], [4, 32, 2]]],
  [named('a row is normalised in place'), [[2, 16, 1], [64, 1, 1], [8, 2, 2]]],
  [named('sum, max, min and their places of [1000,3] along [0]'), [[8, 4, 1, true], [16, 4, 3, true], [2, 2, 7, true]]],
  [named('sum, max, min and their places of [4,33,65] along [1]'), [[4, 32, 1, true], [1, 64, 1, true], [8, 8, 2, true]]],
  [named('sum, max, min and their places of [4,33,65] along [0,2]'), [[16, 4, 1], [4, 2, 8]]],
  [named('NaN wins every reduction; the first of equals is the place'), [[4, 4, 1], [1, 2, 2], [2, 2, 3]]],
  [named('int32 reductions wrap'), [[4, 4, 1], [32, 1, 3]]],
  // what a row writes over is read by its elements: by lanes of several subgroups, and by other workgroups
  [named('batch norm of [4,3,9,11] with statistics out, running means and its gain in place'), [[64, 2, 1], [32, 1, 3]]],
]; // biome-ignore format: a row a kernel

const forms = table.flatMap(([test, forms]) =>
  forms.map(([lanes, rows, chunks, across = false]) => ({
    title: `${test.title}: ${lanes} lanes, ${rows} rows${across ? ' across' : ''}, ${chunks} chunks`,
    test,
    choice: { way: 'rows', lanes, rows, chunks, across } as ByRows,
  })),
);

describe('rows with lanes that exchange in subgroups', () => {
  it.each(forms)('$title', ({ test, choice }) => checkChoice(exchanging, test, choice));
});
describe('rows by each tile that a tuner tries', () => {
  it('with more and fewer lanes, rows and chunks, and read again', async () => {
    const ways = await checkEach(exchanging, standardized([2, 30, 4, 16]), 6);
    expect(ways.map((way) => 'again' in way)).toContain(true);
    expect(new Set(ways.map((way) => 'rows' in way && way.rows)).size).toBeGreaterThan(2);
    await checkEach(exchanging, named('sum, max, min and their places of [4,33,65] along [1]'), 4);
  });
});
describe('rows with lanes that meet in workgroup memory', () => {
  it.each(forms)('$title', ({ test, choice }) => checkChoice(plain, test, choice));
});

describe('what is read', () => {
  const target: Target = { ...largeDevice, subgroup: 32 };
  const sourcesOf = (shape: readonly number[]) => {
    const kernel = standardizing(shape);
    const { dispatches } = reduce(kernel, target, reduceChoices(kernel, target)[0] as ByRows);
    return dispatches.map(({ source }) => source);
  };
  const reads = (source: string) => source.match(/= in0\[/g)?.length ?? 0;

  it('is the map once, where rows stay in registers', () => {
    const [source = '', ...others] = sourcesOf([32, 2048, 7, 7]);
    expect(others).toEqual([]);
    expect(reads(source)).toBeGreaterThan(0);
    expect(reads(source.slice(source.indexOf('subgroupShuffleXor')))).toBe(0);
  });
  it('is the map once for the statistics and once for the result, where they do not', () => {
    expect(sourcesOf([32, 64, 56, 56]).map(reads)).toEqual([1, 1]);
    expect(sourcesOf([32, 256, 28, 28]).map(reads)).toEqual([2]);
  });
  it('comes from tiles that the device has room for, and depends on the kernel alone', () => {
    const small = { ...target, threads: 64, shared: 1024, subgroup: null };
    const kernel = standardizing([32, 64, 56, 56]);
    for (const { lanes, rows } of candidates(kernel, small) as ByRows[]) expect(lanes * rows).toBeLessThanOrEqual(64);
    expect(reduceChoices(kernel, target)).toEqual(reduceChoices(standardizing([32, 64, 56, 56]), target));
  });
});
