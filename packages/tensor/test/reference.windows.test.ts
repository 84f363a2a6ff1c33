import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConvKernel, ConvSizes, PoolKernel, PoolSizes } from '../src/ir';
import { rowMajor, sizeOf } from '../src/view';
import { acc, floats, ints, load, run, store } from './kernels';

/** All coordinates of a shape, row-major. */
const coordinates = (shape: readonly number[]): number[][] =>
  shape.reduce<number[][]>(
    (all, size) => all.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
const inner = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const whole = (size: number, seed: number): number[] =>
  Array.from({ length: size }, (_, i) => ((((i + seed) * 2654435761) >>> 7) % 11) - 5);

/** Sizes of one spatial axis that give at least one output. */
const axis = fc.record({
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  padding: fc.integer({ min: 0, max: 2 }),
  input: fc.integer({ min: 1, max: 6 }),
  output: fc.integer({ min: 1, max: 4 }),
});
const columns = (
  axes: readonly Record<'input' | 'kernel' | 'output' | 'stride' | 'dilation' | 'padding', number>[],
) => ({
  input: axes.map(({ input }) => input),
  kernel: axes.map(({ kernel }) => kernel),
  output: axes.map(({ output }) => output),
  stride: axes.map(({ stride }) => stride),
  dilation: axes.map(({ dilation }) => dilation),
  padding: axes.map(({ padding }) => padding),
});
/** Where kernel place r of window p lies, or null outside of the input. */
function meets(
  { input, stride, dilation, padding }: Omit<PoolSizes, 'batch'>,
  p: readonly number[],
  r: readonly number[],
): number[] | null {
  const at = p.map((place, i) => place * stride[i]! + r[i]! * dilation[i]! - padding[i]!);
  return at.every((place, i) => place >= 0 && place < input[i]!) ? at : null;
}

describe('conv', () => {
  const convSizes = fc
    .tuple(
      fc.array(axis, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 1, max: 2 }),
    )
    .map(
      ([axes, n, groups, inGroup, outGroup]): ConvSizes => ({
        n,
        c: groups * inGroup,
        o: groups * outGroup,
        groups,
        ...columns(axes),
      }),
    );
  const shapesOf = ({ n, c, o, groups, input, kernel, output }: ConvSizes) => ({
    x: [n, c, ...input],
    w: [o, c / groups, ...kernel],
    y: [n, o, ...output],
  });
  const convolve = async (direction: ConvKernel['direction'], sizes: ConvSizes, a: number[], b: number[]) => {
    const { x, w, y } = shapesOf(sizes);
    const [shapeA, shapeB, shape] = ({ forward: [x, w, y], inputGrad: [y, w, x], weightGrad: [x, y, w] } as const)[
      direction
    ];
    const own = {
      kind: 'conv' as const,
      direction,
      sizes,
      a: load(0, shapeA),
      b: load(1, shapeB),
      stores: [store(0, shape, acc(0))],
    };
    return (await run(own, [floats(...a), floats(...b)]))[0]!;
  };

  it('forward is the formula', async () => {
    await fc.assert(
      fc.asyncProperty(convSizes, async (sizes) => {
        const { x, w, y } = shapesOf(sizes);
        const [dataX, dataW] = [whole(sizeOf(x), 1), whole(sizeOf(w), 2)];
        const inGroup = sizes.c / sizes.groups;
        const wanted = coordinates(y).map(([n, o, ...p]) =>
          coordinates([inGroup, ...sizes.kernel]).reduce((sum, [c, ...r]) => {
            const at = meets(sizes, p, r);
            const channel = Math.floor(o! / (sizes.o / sizes.groups)) * inGroup + c!;
            if (!at) return sum;
            return sum + dataX[inner([n!, channel, ...at], rowMajor(x))]! * dataW[inner([o!, c!, ...r], rowMajor(w))]!;
          }, 0),
        );
        expect(await convolve('forward', sizes, dataX, dataW)).toEqual(wanted);
      }),
    );
  });

  it('the gradients are its adjoints: ⟨g, conv(x, w)⟩ = ⟨x, inputGrad(g, w)⟩ = ⟨w, weightGrad(x, g)⟩', async () => {
    await fc.assert(
      fc.asyncProperty(convSizes, async (sizes) => {
        const { x, w, y } = shapesOf(sizes);
        const [dataX, dataW, g] = [whole(sizeOf(x), 1), whole(sizeOf(w), 2), whole(sizeOf(y), 3)];
        const product = inner(g, await convolve('forward', sizes, dataX, dataW));
        expect(inner(dataX, await convolve('inputGrad', sizes, g, dataW))).toBe(product);
        expect(inner(dataW, await convolve('weightGrad', sizes, dataX, g))).toBe(product);
      }),
    );
  });
});

describe('pool', () => {
  const poolSizes = fc
    .tuple(fc.array(axis, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 2 }))
    .map(([axes, batch]): PoolSizes => ({ batch, ...columns(axes) }));
  const pool = (
    direction: PoolKernel['direction'],
    combine: PoolKernel['combine'],
    sizes: PoolSizes,
    a: number[],
    b?: number[],
  ) => {
    const [input, output] = [
      [sizes.batch, ...sizes.input],
      [sizes.batch, ...sizes.output],
    ];
    const [from, to] = direction === 'forward' ? [input, output] : [output, input];
    const stores = [
      store(0, to, acc(0)),
      ...(direction === 'forward' && combine === 'max' ? [store(1, to, acc(1, 'int32'))] : []),
    ];
    return run(
      { kind: 'pool', direction, combine, sizes, a: load(0, from), b: b ? load(1, output, 'int32') : null, stores },
      [floats(...a), ...(b ? [ints(...b)] : [])],
    );
  };
  const windowsOf = (sizes: PoolSizes, data: number[]) =>
    coordinates([sizes.batch, ...sizes.output]).map(([image, ...p]) =>
      coordinates(sizes.kernel).flatMap((r) => {
        const at = meets(sizes, p, r);
        if (!at) return [];
        const place = inner(at, rowMajor(sizes.input));
        return [{ place, value: data[image! * sizeOf(sizes.input) + place]! }];
      }),
    );

  it('sum adds up each window, and its gradient is the adjoint', async () => {
    await fc.assert(
      fc.asyncProperty(poolSizes, async (sizes) => {
        const x = whole(sizes.batch * sizeOf(sizes.input), 1);
        const g = whole(sizes.batch * sizeOf(sizes.output), 2);
        const [y] = await pool('forward', 'sum', sizes, x);
        expect(y).toEqual(windowsOf(sizes, x).map((window) => window.reduce((sum, { value }) => sum + value, 0)));
        const [dx] = await pool('backward', 'sum', sizes, g);
        expect(inner(x, dx!)).toBe(inner(y!, g));
      }),
    );
  });

  it('max names the first largest element of each window, and its gradient goes there', async () => {
    await fc.assert(
      fc.asyncProperty(poolSizes, async (sizes) => {
        const x = whole(sizes.batch * sizeOf(sizes.input), 1);
        const windows = windowsOf(sizes, x);
        fc.pre(windows.every((window) => window.length > 0));
        const [y, places] = await pool('forward', 'max', sizes, x);
        const best = windows.map((window) => window.reduce((a, b) => (b.value > a.value ? b : a)));
        expect(y).toEqual(best.map(({ value }) => value));
        expect(places).toEqual(best.map(({ place }) => place));
        const g = whole(windows.length, 2);
        const wanted = new Array<number>(x.length).fill(0);
        for (const [i, { place }] of best.entries()) {
          wanted[Math.floor(i / sizeOf(sizes.output)) * sizeOf(sizes.input) + place]! += g[i]!;
        }
        expect((await pool('backward', 'max', sizes, g, places))[0]).toEqual(wanted);
      }),
    );
  });

  it('max: NaN wins, and the first of several', async () => {
    const sizes = { batch: 1, input: [4], kernel: [4], output: [1], stride: [1], dilation: [1], padding: [0] };
    expect(await pool('forward', 'max', sizes, [5, Number.NaN, 7, Number.NaN])).toEqual([[Number.NaN], [1]]);
  });
});
