import { describe, expect, it } from 'vitest';
import { programsOf, showExpr } from '../src/inspect';
import { defineOp, read } from '../src/op';
import { add, div, mul, sub } from '../src/ops/arithmetic';
import { cat } from '../src/ops/join';
import { matmul } from '../src/ops/linalg';
import { exp } from '../src/ops/math';
import { amax, mean, sum } from '../src/ops/reduction';
import { expand, permute, reshape } from '../src/ops/shape';
import { slice } from '../src/ops/slice';
import { reference } from '../src/reference';
import { setBackend } from '../src/runtime';
import { type Tensor, tensor } from '../src/tensor';

const backend = reference();
setBackend(backend);

const ones = (...shape: number[]) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1), { shape });
/** The kernels of these tensors: kind and the ops in each. */
const kernels = (...tensors: Tensor[]) =>
  programsOf(tensors).flatMap(({ program }) =>
    program.steps.map(({ kernel, ops }) => `${kernel.kind}: ${ops.join(' ')}`),
  );

describe('fusion', () => {
  it('makes one kernel of a chain of element-wise ops', () => {
    const x = ones(4, 5);
    expect(kernels(add(mul(exp(x), 2), x))).toEqual(['map: add']);
  });

  it('puts element-wise work behind a matmul into its kernel', () => {
    expect(kernels(mul(add(matmul(ones(3, 4), ones(4, 5)), ones(5)), 2))).toEqual(['matmul: matmul add mul']);
  });

  it('makes one kernel with two stages of a softmax written out of ops', () => {
    const x = ones(6, 7);
    const e = exp(sub(x, amax(x, 1, { keepdim: true })));
    const [{ program }] = programsOf(div(e, sum(e, 1, { keepdim: true }))) as [ReturnType<typeof programsOf>[number]];
    expect(program.steps).toHaveLength(1);
    const kernel = program.steps[0]?.kernel;
    expect(
      kernel?.kind === 'reduce' &&
        kernel.stages.map((stage) => stage.map((acc) => `${acc.combine} ${showExpr(acc.expr)}`)),
    ).toEqual([['max in0'], ['sum exp(sub(in0, acc0))']]);
    expect(kernel?.kind === 'reduce' && kernel.stores.map((store) => `${store.per} ${showExpr(store.expr)}`)).toEqual([
      'element div(exp(sub(in0, acc0)), acc1)',
    ]);
  });

  it('joins reductions of the same rows, and what is computed once a row', () => {
    const x = ones(8, 16);
    const m = mean(x, 1);
    const square = sum(mul(x, x), 1);
    expect(kernels(sub(square, mul(m, m)))).toHaveLength(1);
  });

  it('keeps reductions along other axes apart', () => {
    const x = ones(8, 16);
    expect(kernels(sum(x, 0), sum(x, 1))).toHaveLength(2);
  });

  it('computes a costly value once that two kernels want', () => {
    const x = exp(exp(exp(exp(exp(ones(8, 8))))));
    const found = kernels(sum(x, 0), matmul(x, x));
    expect(found.filter((kernel) => kernel.startsWith('map'))).toHaveLength(1);
  });

  it('stores a value that is both wanted and used', () => {
    const a = add(matmul(ones(2, 3), ones(3, 4)), 1);
    const b = mul(a, 2);
    expect(kernels(a, b)).toEqual(['matmul: matmul add mul']);
    expect(programsOf([a, b])[0]?.program.results).toHaveLength(2);
  });

  it('merges maps over different shapes that nothing waits for into one kernel of parts', () => {
    const found = programsOf([add(ones(3), 1), mul(ones(4, 4), 2), exp(ones(7))]);
    expect(found[0]?.program.steps.map(({ kernel }) => kernel.kind === 'map' && kernel.parts.length)).toEqual([3]);
  });

  it('is decided in one go, however many products read what is computed with them', () => {
    let lowered = 0;
    const drawn = defineOp({
      name: 'drawn',
      args: (x: Tensor) => [[x], {}],
      shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: 'float32' }),
      lower: ([x]) => {
        lowered++;
        return { kind: 'map', outs: [{ op: 'apply', fn: 'exp', dtype: 'float32', args: [read(x as never)] }] };
      },
      notDifferentiable: 'test',
    });
    let x = ones(3, 3);
    for (let layer = 0; layer < 12; layer++) x = matmul(x, drawn(add(ones(3, 3), layer)));
    kernels(x);
    expect(lowered).toBe(12);
  });

  it('never makes a kernel wait for itself', async () => {
    const x = ones(4, 4);
    const y = matmul(x, x);
    // z needs y through a second product: it cannot be the epilogue of the first
    const z = add(y, matmul(y, x));
    expect(kernels(z)).toEqual(['matmul: matmul', 'matmul: matmul add']);
    expect((await z.data())[0]).toBe(4 + 16);
  });
});

describe('views', () => {
  it('cost no kernel', () => {
    const x = ones(4, 6);
    expect(kernels(add(slice(permute(x, [1, 0]), [[0, 4, 2]]), 1))).toEqual(['map: add']);
  });

  it('are copied where one strided view cannot say them', async () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const y = add(reshape(permute(x, [1, 0]), [6]), 0);
    expect(await y.toArray()).toEqual([1, 4, 2, 5, 3, 6]);
  });

  it('of what is stored already are looked up element by element where none can say them', async () => {
    const x = tensor(new Float32Array([1, 2]));
    const stored = add(x, 1);
    const rows = reshape(matmul(ones(4, 3), ones(3, 4)), [2, 2, 4]);
    const y = mul(rows, reshape(stored, [1, 2, 1]));
    expect(kernels(stored, y)).toHaveLength(3);
    expect(await y.toArray()).toEqual([
      [Array(4).fill(6), Array(4).fill(9)],
      [Array(4).fill(6), Array(4).fill(9)],
    ]);
    await stored.data();
  });

  it('of a target share its memory where they are its whole content', () => {
    const y = add(ones(2, 3), 1);
    const z = reshape(y, [6]);
    expect(programsOf([y, z])[0]?.program.results).toHaveLength(1);
  });

  it('reach through element-wise work, coordinates included', async () => {
    const iota = defineOp({
      name: 'iota',
      args: (x: Tensor) => [[x], {}],
      shape: ([x]) => ({ shape: (x as Tensor).shape, dtype: 'float32' }),
      lower: ([x]) => ({
        kind: 'map',
        outs: [
          {
            op: 'apply',
            fn: 'add',
            dtype: 'float32',
            args: [
              read(x as never),
              { op: 'apply', fn: 'cast', dtype: 'float32', args: [{ op: 'index', dtype: 'int32', axis: 1 }] },
            ],
          },
        ],
      }),
      notDifferentiable: 'test',
    });
    const x = tensor(new Float32Array(6), { shape: [2, 3] });
    expect(await add(reshape(permute(iota(x), [1, 0]), [3, 2]), 0).toArray()).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(await add(slice(iota(x), [null, [null, null, -1]]), 0).toArray()).toEqual([
      [2, 1, 0],
      [2, 1, 0],
    ]);
    expect(await sum(expand(reshape(iota(x), [6, 1]), [6, 2])).item()).toBe(12);
  });

  it('write the parts of a cat in one kernel, their producers inlined', () => {
    expect(kernels(cat([mul(ones(2, 3), 2), exp(ones(1, 3))], 0))).toEqual(['map: cat']);
  });
});

describe('memory plan', () => {
  it('reuses the room of values that nobody needs any more', () => {
    let x = ones(16, 16);
    for (let i = 0; i < 10; i++) x = matmul(x, x);
    const [explanation] = programsOf(x);
    expect(explanation?.program.steps).toHaveLength(10);
    expect(explanation?.program.slots).toMatchObject(Array(2).fill({ dtype: 'float32', size: 256 }));
  });

  it('gives small values no room that is large', () => {
    const square = ones(600, 600);
    let y = matmul(ones(1, 600), matmul(square, square));
    for (let i = 0; i < 3; i++) y = matmul(y, square);
    const [explanation] = programsOf(y);
    expect(explanation?.program.slots.map(({ size }) => size)).toEqual([360_000, 600, 600]);
  });

  it('skips kernels that have nothing to write', () => {
    expect(kernels(add(ones(0, 3), 1))).toEqual([]);
  });
});

describe('long graphs', () => {
  it('are cut into kernels of bounded work', async () => {
    let x = ones(3);
    for (let i = 0; i < 300; i++) x = add(x, 1);
    expect(kernels(x).length).toBeLessThan(20);
    expect(await x.toArray()).toEqual([301, 301, 301]);
  });

  it('may use a value twice at every level', async () => {
    let x = tensor([1]);
    for (let i = 0; i < 60; i++) x = mul(add(x, x), 0.5);
    expect(await x.toArray()).toEqual([1]);
  });

  it('flush themselves in a loop that never reads', async () => {
    let x = ones(3);
    for (let i = 0; i < 9000; i++) x = add(x, 1);
    expect(await x.toArray()).toEqual([9001, 9001, 9001]);
  });
});
