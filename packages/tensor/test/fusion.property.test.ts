/** Whatever is fused, inlined, recomputed or written in place: a graph run as one plan gives what its nodes give one by one. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { compile } from '../src/compile';
import { add, mul } from '../src/ops/arithmetic';
import { gridSample } from '../src/ops/grid';
import { interpolate } from '../src/ops/interpolate';
import { cat } from '../src/ops/join';
import { reshape } from '../src/ops/shape';
import { reference } from '../src/reference';
import { setBackend } from '../src/runtime';
import { realize, type Tensor, tensor } from '../src/tensor';
import { builds, each, grow, inputs, programs, train } from './programs';

beforeEach(() => setBackend(reference({ dtype: 'float64' })));

const expectClose = (saw: readonly number[][], wanted: readonly number[][]): void => {
  for (const [i, values] of saw.entries())
    for (const [k, value] of values.entries()) expect(value).toBeCloseTo(wanted[i]?.[k] ?? Number.NaN, 9);
};
/** The function itself, not compiled. */
const eagerly = ((f: unknown) => f) as typeof compile;

describe('one plan', () => {
  it('gives what its nodes give one by one', async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        const oneByOne = await each(await grow(program, true));
        const targets = await grow(program, false);
        await realize(...targets);
        expectClose(await each(targets), oneByOne);
      }),
      { numRuns: 300, seed: 7 },
    );
  });
});

describe('a compiled step', () => {
  it('updates several states as the same function does eagerly, step after step', async () => {
    await fc.assert(
      fc.asyncProperty(programs, async (program) => {
        expectClose(await train(program, compile), await train(program, eagerly));
      }),
      { numRuns: 150, seed: 11 },
    );
  });
});

describe('a kernel', () => {
  // 4 is the least: a scatter reads what it adds to, places and values, and writes
  /** Compiles kernels that bind at most so many buffers; what is written in place is bound once. */
  const strict = (maxBuffers: number, inPlace: boolean) => {
    const backend = reference({ dtype: 'float64', limits: { maxBuffers, inPlace } });
    const { compile: make } = backend;
    backend.compile = (kernel) => {
      const bound = kernel.inputs.length + kernel.aliases.filter((alias) => alias < 0).length;
      expect(bound).toBeLessThanOrEqual(maxBuffers);
      return make.call(backend, kernel);
    };
    return backend;
  };

  it('of an op that alone binds more than the backend takes is refused by name', async () => {
    setBackend(strict(3, true));
    const [x, y] = inputs() as [Tensor, Tensor];
    await expect(realize(builds.scatter?.((i) => [x, y][i] as Tensor, 0) as Tensor)).rejects.toThrow(
      'scatter: its kernel binds 4 buffers, the backend has 3; give it fewer inputs',
    );
  });

  it('is one of several that write one value where what it joins is too much', async () => {
    setBackend(strict(8, true));
    const parts = Array.from({ length: 30 }, (_, i) => tensor([i, i + 0.5]));
    const values = await cat(parts.map((part) => mul(part, 2))).data(); // biome-ignore format: one thing
    expect([...values]).toEqual(Array.from({ length: 60 }, (_, i) => i));
  });

  it('adds up at most what it can bind at once', async () => {
    setBackend(strict(4, true));
    const parts = Array.from({ length: 30 }, (_, i) => tensor([i]));
    expect(await parts.reduce((sum, part) => add(sum, part)).item()).toBe(435);
  });

  it.each([
    ['interpolate', (x: Tensor) => interpolate(x, { size: [5, 7], mode: 'bicubic', antialias: true })],
    ['gridSample', (x: Tensor) => gridSample(x, cat([x, x], 3), { mode: 'bicubic' })],
  ])('of %s binds few', async (_, op) => {
    const make = () => op(reshape(tensor(Float32Array.from({ length: 8 }, (_, i) => Math.sin(i))), [1, 2, 4, 1]));
    setBackend(reference({ dtype: 'float64' }));
    const wanted = await make().data();
    setBackend(strict(5, true));
    expectClose([[...(await make().data())]], [[...wanted]]);
  });

  it('binds no more buffers than the backend takes, and the values are the same', async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.integer({ min: 4, max: 10 }), async (program, most) => {
        setBackend(reference({ dtype: 'float64' }));
        const oneByOne = await each(await grow(program, true));
        setBackend(strict(most, true));
        const targets = await grow(program, false);
        await realize(...targets);
        expectClose(await each(targets), oneByOne);
      }),
      { numRuns: 300, seed: 13 },
    );
  });

  it('of a compiled step does so too, with its state in place or not', async () => {
    await fc.assert(
      fc.asyncProperty(programs, fc.integer({ min: 4, max: 10 }), fc.boolean(), async (program, most, inPlace) => {
        setBackend(reference({ dtype: 'float64' }));
        const eager = await train(program, eagerly);
        setBackend(strict(most, inPlace));
        expectClose(await train(program, compile), eager);
      }),
      { numRuns: 150, seed: 17 },
    );
  });
});
