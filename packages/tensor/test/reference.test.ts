import { describe, expect, it } from 'vitest';
import type { Backend, DeviceBuffer, KernelTiming, TypedArray } from '../src/backend';
import { BackendError } from '../src/errors';
import * as e from '../src/expr';
import type { Accumulate, Compute, Expr, Kernel, RowStore, View } from '../src/ir';
import { reference } from '../src/reference';
import { acc, type Column, floats, ints, load, run, store } from './kernels';

/** A map over one axis with one store. */
async function evaluate(expr: Expr, inputs: readonly Column[], size: number, options = {}): Promise<number[]> {
  const [result] = await run(
    { kind: 'map', parts: [{ shape: [size], stores: [store(0, [size], expr)] }] },
    inputs,
    options,
  );
  return result!;
}

describe('expressions', () => {
  it('select takes its second argument where the first is true, else its third', async () => {
    const expr = e.select(load(0, [2], 'bool'), load(1, [2]), load(2, [2]));
    expect(await evaluate(expr, [{ dtype: 'bool', data: [1, 0] }, floats(1, 2), floats(3, 4)], 2)).toEqual([1, 4]);
  });

  it('cast to int32 truncates and saturates, NaN to 0; to bool says what is not 0', async () => {
    const x = floats(1.9, -1.9, 1e10, -Infinity, Number.NaN, 0);
    expect(await evaluate(e.cast(load(0, [6]), 'int32'), [x], 6)).toEqual([1, -1, 0x7fffffff, -0x80000000, 0, 0]);
    expect(await evaluate(e.cast(load(0, [6]), 'bool'), [x], 6)).toEqual([1, 1, 1, 1, 1, 0]);
    expect(await evaluate(e.cast(load(0, [2], 'bool'), 'float32'), [{ dtype: 'bool', data: [1, 0] }], 2)).toEqual([
      1, 0,
    ]);
  });

  it('bits goes between float32 and its pattern', async () => {
    expect(await evaluate(e.apply('bits', [load(0, [3])], 'int32'), [floats(1, -0, -2)], 3)).toEqual([
      0x3f800000, -0x80000000, -0x40000000,
    ]);
    expect(await evaluate(e.apply('bits', [load(0, [1], 'int32')], 'float32'), [ints(0x40490fdb)], 1)).toEqual([
      Math.fround(Math.PI),
    ]);
  });

  it('uniforms, constants and coordinates are numbers like any other', async () => {
    const expr = e.add<Exclude<Expr, { op: 'apply' }>>(
      e.mul({ op: 'uniform', dtype: 'float32', index: 0 }, e.cast(e.index(0), 'float32')),
      e.constant(0.5),
    );
    expect(await evaluate(expr, [], 3, { uniforms: [10] })).toEqual([0.5, 10.5, 20.5]);
  });

  it('a shared expression is computed once: 2⁶⁰ nodes as a tree end', async () => {
    let x = load(0, [1]);
    for (let i = 0; i < 60; i++) x = e.mul(e.add(x, x), e.constant(0.5) as Expr);
    expect(await evaluate(x, [floats(3)], 1)).toEqual([3]);
  });

  it('loads give 0 where the view has no element, and outside of it at computed places', async () => {
    const padded = load(0, [5], 'float32', { offset: -1, valid: [[1, 4]] });
    expect(await evaluate(padded, [floats(7, 8, 9)], 5)).toEqual([0, 7, 8, 9, 0]);
    const gathered: Expr = { ...(load(0, [3]) as Extract<Expr, { op: 'load' }>), at: [load(1, [5], 'int32')] };
    expect(await evaluate(gathered, [floats(7, 8, 9), ints(2, 0, -1, 3, 0x7fffffff)], 5)).toEqual([9, 7, 0, 0, 0]);
  });

  it('stores narrow: uint8 keeps the low 8 bits', async () => {
    expect(await evaluate(load(0, [3], 'int32'), [ints(256, -1, 511)], 3, { dtypes: ['uint8'] })).toEqual([
      0, 255, 255,
    ]);
  });
});

describe('rounding', () => {
  const third = e.div(load(0, [1]), load(1, [1]));

  it('float64 rounds nothing, whatever the buffer is called', async () => {
    expect(await evaluate(third, [floats(1), floats(3)], 1)).toEqual([1 / 3]);
    expect(await evaluate(third, [floats(1), floats(3)], 1, { dtypes: ['float16'] })).toEqual([1 / 3]);
  });

  it('float32 rounds the result of every function', async () => {
    const backend = reference();
    expect(await evaluate(third, [floats(1), floats(3)], 1, { backend })).toEqual([Math.fround(1 / 3)]);
    const lost = e.sub(e.add(load(0, [1]), load(1, [1])), load(0, [1])); // (2²⁵ + 1) − 2²⁵
    expect(await evaluate(lost, [floats(2 ** 25), floats(1)], 1, { backend })).toEqual([0]);
  });

  it('float16 is stored to the nearest, ties to even, too much as infinity', async () => {
    const values = [
      1 + 2 ** -11,
      1 + 3 * 2 ** -11,
      65519,
      65520,
      -70000,
      2 ** -25,
      1.5 * 2 ** -24,
      2 ** -14 + 2 ** -25,
      Number.NaN,
    ];
    const wanted = [1, 1 + 2 ** -9, 65504, Infinity, -Infinity, 0, 2 ** -23, 2 ** -14, Number.NaN];
    const options = { backend: reference(), dtypes: ['float16' as const] };
    expect(await evaluate(load(0, [9]), [floats(...values)], 9, options)).toEqual(wanted);
  });
});

describe('map', () => {
  it('runs its parts over domains of their own, into slices of one output', async () => {
    const view = (offset: number): View => ({ shape: [2, 2], strides: [4, 1], offset, valid: null });
    const parts = [0, 1].map((i) => ({
      shape: [2, 2],
      stores: [{ output: 0, view: view(2 * i), expr: load(i, [2, 2]) }],
    }));
    const backend = reference();
    const kernel: Kernel = {
      kind: 'map',
      parts,
      inputs: [
        { dtype: 'float32', size: 4 },
        { dtype: 'float32', size: 4 },
      ],
      outputs: [{ dtype: 'float32', size: 8 }],
      uniforms: [],
      aliases: [-1],
    };
    const buffers = [4, 4, 8].map((size) => backend.allocate('float32', size));
    backend.upload(buffers[0]!, 'float32', Float32Array.of(1, 2, 3, 4));
    backend.upload(buffers[1]!, 'float32', Float32Array.of(5, 6, 7, 8));
    backend.submit(
      { steps: [{ executable: backend.compile(kernel), inputs: [0, 1], outputs: [2], uniforms: [] }] },
      buffers,
      [],
    );
    expect([...(await backend.download(buffers[2]!, 'float32', 8))]).toEqual([1, 2, 5, 6, 3, 4, 7, 8]);
  });
});

describe('reduce', () => {
  const row = (output: number, shape: readonly number[], expr: Expr): RowStore => ({
    ...store(output, shape, expr),
    per: 'row',
  });
  const all = (expr: Expr): Accumulate[] => [
    { combine: 'sum', expr, dtype: expr.dtype },
    { combine: 'prod', expr, dtype: expr.dtype },
    { combine: 'max', expr, dtype: expr.dtype },
    { combine: 'min', expr, dtype: expr.dtype },
    { combine: 'argmax', expr, dtype: 'int32' },
    { combine: 'argmin', expr, dtype: 'int32' },
  ];
  const reduceRows = (x: Column, shape: [number, number]) => {
    const expr = load(0, shape, x.dtype as Compute);
    const stages = [all(expr)];
    const stores = stages[0]!.map(({ dtype }, i) => row(i, [shape[0], 1], acc(i, dtype)));
    return run({ kind: 'reduce', shape, axes: [1], stages, stores }, [x]);
  };

  it('combines rows by sum, prod, max, min and their places; the first of equals', async () => {
    const result = await reduceRows(floats(3, 1, 3, 2, -1, -2, -2, -1), [2, 4]);
    expect(result).toEqual([
      [9, -6],
      [18, 4],
      [3, -1],
      [1, -2],
      [0, 0],
      [1, 1],
    ]);
  });

  it('hands NaN on, and names the first', async () => {
    const result = await reduceRows(floats(1, Number.NaN, 9, Number.NaN), [1, 4]);
    expect(result).toEqual([[Number.NaN], [Number.NaN], [Number.NaN], [Number.NaN], [1], [1]]);
  });

  it('names the first place of a row of −∞, and of +∞', async () => {
    expect((await reduceRows(floats(-Infinity, -Infinity), [1, 2]))[4]).toEqual([0]);
    expect((await reduceRows(floats(Infinity, Infinity), [1, 2]))[5]).toEqual([0]);
  });

  it('gives the neutral element of an empty row', async () => {
    expect((await reduceRows(floats(), [2, 0])).slice(0, 4)).toEqual([
      [0, 0],
      [1, 1],
      [-Infinity, -Infinity],
      [Infinity, Infinity],
    ]);
    expect((await reduceRows(ints(), [1, 0])).slice(0, 4)).toEqual([[0], [1], [-0x80000000], [0x7fffffff]]);
  });

  it('wraps int32', async () => {
    expect((await reduceRows(ints(0x7fffffff, 2), [1, 2])).slice(0, 2)).toEqual([[-0x7fffffff], [-2]]);
  });

  it('counts places row-major over several reduced axes', async () => {
    const shape = [2, 2, 3];
    const stages = [[{ combine: 'argmax', expr: load(0, shape), dtype: 'int32' } as const]];
    const data = floats(1, 2, 3, 4, 5, 6, 9, 8, 7, 9, 5, 4); // axes 0 and 2 of column 0: 1 2 3, 9 8 7
    const result = await run(
      { kind: 'reduce', shape, axes: [0, 2], stages, stores: [row(0, [1, 2, 1], acc(0, 'int32'))] },
      [data],
    );
    expect(result).toEqual([[3, 3]]);
  });

  it('passes a stage’s results to the next and back over the row: softmax', async () => {
    const x = load(0, [2, 3]);
    const shifted = e.apply('exp', [e.sub(x, acc(0))]);
    const stages: Accumulate[][] = [
      [{ combine: 'max', expr: x, dtype: 'float32' }],
      [{ combine: 'sum', expr: shifted, dtype: 'float32' }],
    ];
    const stores: RowStore[] = [
      { ...store(0, [2, 3], e.div(shifted, acc(1))), per: 'element' },
      row(1, [2, 1], acc(0)),
    ];
    const [y, most] = await run({ kind: 'reduce', shape: [2, 3], axes: [1], stages, stores }, [
      floats(0, Math.log(2), Math.log(5), 1000, 1000, -Infinity),
    ]);
    expect(most).toEqual([Math.log(5), 1000]);
    for (const [i, wanted] of [0.125, 0.25, 0.625, 0.5, 0.5, 0].entries()) expect(y![i]).toBeCloseTo(wanted, 15);
  });
});

describe('matmul', () => {
  it('multiplies batches of matrices', async () => {
    const [batch, m, n, k] = [[2], 2, 1, 3];
    const b = load(1, [2, 3, 1], 'float32', { strides: [0, 1, 1] }); // one matrix for the whole batch
    const own = {
      kind: 'matmul' as const,
      batch,
      m,
      n,
      k,
      a: load(0, [2, 2, 3]),
      b,
      stores: [store(0, [2, 2, 1], e.add(acc(0), load(2, [2, 2, 1])))],
    };
    const x = floats(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    expect(await run(own, [x, floats(1, 10, 100), floats(0.5, 0, 0, 0)])).toEqual([[321.5, 654, 987, 1320]]);
  });

  it('of nothing inside gives zeros', async () => {
    const own = {
      kind: 'matmul' as const,
      batch: [],
      m: 2,
      n: 2,
      k: 0,
      a: load(0, [2, 0]),
      b: load(1, [0, 2]),
      stores: [store(0, [2, 2], acc(0))],
    };
    expect(await run(own, [floats(), floats()])).toEqual([[0, 0, 0, 0]]);
  });
});

describe('scatter', () => {
  const scatter = (combine: 'assign' | 'add' | 'mul' | 'max' | 'min') =>
    run(
      {
        kind: 'scatter',
        shape: [3],
        updates: [5],
        combine,
        init: load(0, [3]),
        at: [load(1, [5], 'int32')],
        value: load(2, [5]),
        stores: [store(0, [3], acc(0))],
      },
      [floats(10, 20, 30), ints(2, 0, 2, 3, -1), floats(1, 2, 3, 4, 5)],
    );

  it('applies updates in their order and drops those outside', async () => {
    expect(await scatter('assign')).toEqual([[2, 20, 3]]);
    expect(await scatter('add')).toEqual([[12, 20, 34]]);
    expect(await scatter('mul')).toEqual([[20, 20, 90]]);
    expect(await scatter('max')).toEqual([[10, 20, 30]]);
    expect(await scatter('min')).toEqual([[2, 20, 1]]);
  });
});

describe('sort', () => {
  const sort = (data: number[], descending: boolean, k = data.length) =>
    run(
      {
        kind: 'sort',
        shape: [data.length],
        axis: 0,
        descending,
        k,
        a: load(0, [data.length]),
        stores: [store(0, [k], acc(0)), store(1, [k], acc(1, 'int32'))],
      },
      [floats(...data)],
    );

  it('is stable both ways, and NaN is largest', async () => {
    const data = [2, Number.NaN, 1, 2, -Infinity, Number.NaN, 1];
    expect(await sort(data, false)).toEqual([
      [-Infinity, 1, 1, 2, 2, Number.NaN, Number.NaN],
      [4, 2, 6, 0, 3, 1, 5],
    ]);
    expect(await sort(data, true, 4)).toEqual([
      [Number.NaN, Number.NaN, 2, 2],
      [1, 5, 0, 3],
    ]);
  });

  it('sorts along an inner axis', async () => {
    const own = {
      kind: 'sort' as const,
      shape: [2, 3, 2],
      axis: 1,
      descending: false,
      k: 2,
      a: load(0, [2, 3, 2]),
      stores: [store(0, [2, 2, 2], acc(0))],
    };
    expect(await run(own, [floats(3, 6, 1, 5, 2, 4, 9, 7, 8, 8, 7, 9)])).toEqual([[1, 4, 2, 5, 7, 7, 8, 8]]);
  });
});

describe('scan', () => {
  const scan = (combine: 'sum' | 'prod' | 'max' | 'min', data: number[], reverse = false) =>
    run(
      {
        kind: 'scan',
        shape: [data.length],
        axis: 0,
        combine,
        reverse,
        a: load(0, [data.length]),
        stores: [store(0, [data.length], acc(0)), store(1, [data.length], acc(1, 'int32'))],
      },
      [floats(...data)],
    );

  it('gives running sums and products, from either end', async () => {
    expect((await scan('sum', [1, 2, 3]))[0]).toEqual([1, 3, 6]);
    expect((await scan('sum', [1, 2, 3], true))[0]).toEqual([6, 5, 3]);
    expect((await scan('prod', [2, 3, 4]))[0]).toEqual([2, 6, 24]);
  });

  it('max and min name the last of equals; NaN stays and only NaN follows it', async () => {
    expect(await scan('max', [1, 3, 3, 2])).toEqual([
      [1, 3, 3, 3],
      [0, 1, 2, 2],
    ]);
    expect(await scan('min', [1, 3, 1, 2], true)).toEqual([
      [1, 1, 1, 2],
      [0, 2, 2, 3],
    ]);
    const [nan] = [Number.NaN];
    expect(await scan('max', [1, nan, 5, nan, 6])).toEqual([
      [1, nan, nan, nan, nan],
      [0, 1, 1, 3, 3],
    ]);
  });
});

describe('the backend', () => {
  const copy: Kernel = {
    kind: 'map',
    parts: [{ shape: [2], stores: [store(0, [2], e.add(load(0, [2]), e.constant(1) as Expr))] }],
    inputs: [{ dtype: 'float32', size: 2 }],
    outputs: [{ dtype: 'float32', size: 2 }],
    uniforms: [],
    aliases: [-1],
  };
  const submit = (backend: Backend, kernel: Kernel, buffers: DeviceBuffer[], output = 1) =>
    backend.submit(
      { steps: [{ executable: backend.compile(kernel), inputs: [0], outputs: [output], uniforms: [] }] },
      buffers,
      [],
    );

  it('copies what is uploaded and what is downloaded', async () => {
    const backend = reference();
    const buffer = backend.allocate('float32', 3);
    const data = Float32Array.of(1, 2, 3);
    backend.upload(buffer, 'float32', data);
    data[0] = 9;
    const first = await backend.download(buffer, 'float32', 2);
    expect([...first]).toEqual([1, 2]);
    first[0] = 9;
    expect([...(await backend.download(buffer, 'float32', 3))]).toEqual([1, 2, 3]);
  });

  it('downloads what was there when it was asked', async () => {
    const backend = reference();
    const buffer = backend.allocate('int32', 1);
    backend.upload(buffer, 'int32', Int32Array.of(1));
    const before = backend.download(buffer, 'int32', 1);
    backend.upload(buffer, 'int32', Int32Array.of(2));
    backend.free(buffer);
    expect([...(await before)]).toEqual([1]);
  });

  it.each([
    ['float64', Float64Array],
    ['float32', Float32Array],
  ] as const)('keeps floats of a %s backend in that type', async (dtype, type) => {
    const backend = reference({ dtype });
    for (const float of ['float32', 'float16'] as const) {
      const buffer = backend.allocate(float, 1);
      backend.upload(buffer, float, Float32Array.of(0.5) as TypedArray);
      expect(await backend.download(buffer, float, 1)).toEqual(type.of(0.5));
    }
  });

  it('counts live bytes, buffers and the peak, and frees once', () => {
    const backend = reference();
    const buffers = [backend.allocate('float32', 10), backend.allocate('bool', 3)];
    expect(backend.memory()).toEqual({ bytes: 43, buffers: 2, reserved: 43, peak: 43 });
    backend.free(buffers[0]!);
    expect(backend.memory()).toEqual({ bytes: 3, buffers: 1, reserved: 3, peak: 43 });
    expect(() => backend.free(buffers[0]!)).toThrow(BackendError);
    backend.free(buffers[1]!);
    expect(backend.memory()).toMatchObject({ bytes: 0, buffers: 0 });
  });

  it('throws where a freed buffer, one of another backend or of another dtype is used', async () => {
    const backend = reference();
    const [buffer, freed, foreign] = [
      backend.allocate('float32', 2),
      backend.allocate('float32', 2),
      reference().allocate('float32', 2),
    ];
    backend.free(freed);
    expect(() => backend.upload(freed, 'float32', new Float32Array(2))).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: reference: the buffer was freed, or belongs to another backend]`,
    );
    await expect(backend.download(freed, 'float32', 2)).rejects.toThrow(BackendError);
    expect(() => submit(backend, copy, [buffer, freed])).toThrow(BackendError);
    expect(() => submit(backend, copy, [buffer, foreign])).toThrow(BackendError);
    expect(() => backend.upload(buffer, 'int32', new Int32Array(2))).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: reference: a buffer of float32 is used as int32]`,
    );
    expect(() => backend.upload(buffer, 'float32', new Float32Array(3))).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: reference: 3 elements do not fit a buffer of 2]`,
    );
  });

  it('writes in place where the kernel declares it, and throws where it does not', async () => {
    const backend = reference();
    const buffer = backend.allocate('float32', 2);
    backend.upload(buffer, 'float32', Float32Array.of(1, 2));
    submit(backend, { ...copy, aliases: [0] }, [buffer], 0);
    expect([...(await backend.download(buffer, 'float32', 2))]).toEqual([2, 3]);
    expect(() => submit(backend, copy, [buffer], 0)).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: reference: output 0 of map has the buffer of another operand; declare it in aliases]`,
    );
  });

  it('throws where a view leaves its buffer', () => {
    const parts = [{ shape: [2], stores: [store(0, [2], load(0, [2], 'float32', { strides: [-1] }))] }];
    expect(() => reference().compile({ ...copy, parts } as Kernel)).toThrowErrorMatchingInlineSnapshot(
      `[BackendError: reference: a load of map: view [2] of operand 0, of 2 elements, reaches elements -1 to 0]`,
    );
  });

  it('tells the time of each kernel while someone listens', () => {
    const backend = reference();
    const buffers = [backend.allocate('float32', 2), backend.allocate('float32', 2)];
    const seen: KernelTiming[] = [];
    backend.onKernel?.((timing) => seen.push(timing));
    submit(backend, copy, buffers);
    backend.onKernel?.(null);
    submit(backend, copy, buffers);
    expect(seen).toEqual([{ kernel: copy, milliseconds: expect.any(Number) }]);
  });

  it('runs the steps of a plan in order, each with its uniforms', async () => {
    const backend = reference();
    const uniform: Expr = { op: 'uniform', dtype: 'float32', index: 0 };
    const add: Kernel = {
      ...copy,
      parts: [{ shape: [2], stores: [store(0, [2], e.mul(load(0, [2]), uniform))] }],
      uniforms: ['float32'],
    } as Kernel;
    const executable = backend.compile(add);
    const buffers = [1, 2, 3].map(() => backend.allocate('float32', 2));
    backend.upload(buffers[0]!, 'float32', Float32Array.of(1, 2));
    const steps = [
      { executable, inputs: [0], outputs: [1], uniforms: [1] },
      { executable, inputs: [1], outputs: [2], uniforms: [0] },
    ];
    backend.submit({ steps }, buffers, [3, 5]);
    expect([...(await backend.download(buffers[1]!, 'float32', 2))]).toEqual([5, 10]);
    expect([...(await backend.download(buffers[2]!, 'float32', 2))]).toEqual([15, 30]);
    await backend.sync();
  });

  it('frees everything when it is disposed, and then refuses work', async () => {
    const backend = reference();
    const buffer = backend.allocate('float32', 2);
    backend.dispose();
    expect(backend.memory()).toMatchObject({ bytes: 0, buffers: 0 });
    expect(() => backend.allocate('float32', 1)).toThrow(BackendError);
    await expect(backend.download(buffer, 'float32', 2)).rejects.toThrow(BackendError);
    backend.free(buffer); // a finalizer may come late
  });
});
