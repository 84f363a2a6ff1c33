import { beforeEach, describe, expect, it } from 'vitest';
import {
  bernoulli,
  compile,
  dropout,
  manualSeed,
  meta,
  normal,
  ones,
  rand,
  randint,
  randn,
  randomState,
  randperm,
  setBackend,
  type Tensor,
  tensor,
  uniform,
} from '../../src';
import { philox4x32 } from '../../src/philox';
import { reference } from '../../src/reference';

beforeEach(() => {
  setBackend(reference());
  manualSeed(7);
});

const list = async (t: Tensor) => [...(await t.data())];
const mean = (x: number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const deviation = (x: number[]) => Math.sqrt(mean(x.map((v) => (v - mean(x)) ** 2)));

describe('draws', () => {
  it('are words of Philox: the seed its key, the number of the draw its stream', async () => {
    manualSeed(2 ** 40 + 5);
    const [first, second] = [await list(rand([6])), await list(rand([2]))];
    const words = new Uint32Array(4);
    const word = (stream: number, i: number) => {
      philox4x32(5, 2 ** 8, i >>> 2, 0, stream, 0, words);
      return Math.floor((words[i & 3] as number) / 256) / 2 ** 24;
    };
    expect(first).toEqual([0, 1, 2, 3, 4, 5].map((i) => word(0, i)));
    expect(second).toEqual([0, 1].map((i) => word(1, i)));
  });

  it('begin anew with the seed, and differ from draw to draw and seed to seed', async () => {
    const [a, b] = [await list(rand([8])), await list(rand([8]))];
    manualSeed(7);
    expect(await list(rand([8]))).toEqual(a);
    expect(b).not.toEqual(a);
    manualSeed(8);
    expect(await list(rand([8]))).not.toEqual(a);
  });

  it('are the same compiled, and go on from call to call', async () => {
    const eager = [await list(rand([4])), await list(randn([4])), await list(rand([4])), await list(randn([4]))];
    manualSeed(7);
    const step = compile(() => [rand([4]), randn([4])] as const);
    const compiled = [];
    for (let i = 0; i < 2; i++) for (const t of step()) compiled.push(await list(t));
    expect(compiled).toEqual(eager);
    manualSeed(7); // the key is data too
    expect(await list(step()[0])).toEqual(eager[0]);
  });

  it('go on where a saved cell was', async () => {
    await rand([3]).data();
    const saved = await randomState().data();
    const next = await list(rand([3]));
    randomState().assign(tensor(saved));
    expect(await list(rand([3]))).toEqual(next);
  });

  it('do not depend on the shape, only on the place', async () => {
    const flat = await list(rand([12]));
    manualSeed(7);
    expect(await list(rand([3, 4]))).toEqual(flat);
  });
});

describe('distributions', () => {
  const n = 4_000;

  it('rand is uniform in [0, 1)', async () => {
    const x = await list(rand([n]));
    expect(mean(x)).toBeCloseTo(0.5, 2);
    expect(deviation(x)).toBeCloseTo(Math.sqrt(1 / 12), 2);
    expect(Math.min(...x)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...x)).toBeLessThan(1);
  });

  it('randn is normal, its neighbours independent', async () => {
    manualSeed(1); // with seed 7 the fourth moment of so few is 3.6
    const x = await list(randn([n]));
    expect(Math.abs(mean(x))).toBeLessThan(0.06);
    expect(deviation(x)).toBeCloseTo(1, 1);
    expect(mean(x.map((v) => v ** 4))).toBeCloseTo(3, 0);
    expect(Math.abs(mean(x.map((v, i) => v * (x[i ^ 1] as number))))).toBeLessThan(0.06);
    expect(x.filter((v) => Math.abs(v) < 1).length / n).toBeCloseTo(0.683, 1);
  });

  it('uniform and normal take bounds, mean and deviation', async () => {
    const u = await list(uniform(-2, 4, [n]));
    expect(mean(u)).toBeCloseTo(1, 1);
    expect(Math.min(...u)).toBeGreaterThanOrEqual(-2);
    const z = await list(normal(5, 0.5, [n]));
    expect(mean(z)).toBeCloseTo(5, 1);
    expect(deviation(z)).toBeCloseTo(0.5, 1);
    expect(normal(tensor([1, 2]), tensor([[1], [2]])).shape).toEqual([2, 2]);
  });

  it('randint has every whole number of its range alike', async () => {
    const x = randint(-2, 3, [n]);
    expect(x.dtype).toBe('int32');
    const counts = new Map<number, number>();
    for (const value of await list(x)) counts.set(value, (counts.get(value) ?? 0) + 1);
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    for (const count of counts.values()) expect(count / n).toBeCloseTo(0.2, 1);
    expect(() => randint(3, 3, [1])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: randint: low 3 and high 3; wants whole numbers, low below high, less than 2^31 apart]`,
    );
  });

  it('bernoulli is 1 as often as its p says', async () => {
    expect(mean(await list(bernoulli(0.25, [n])))).toBeCloseTo(0.25, 1);
    expect(await bernoulli(tensor([0, 1, 0, 1])).toArray()).toEqual([0, 1, 0, 1]);
  });

  it('randperm orders 0 … n−1 anew', async () => {
    const x = await list(randperm(100));
    expect([...x].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(x).not.toEqual([...x].sort((a, b) => a - b));
    expect(await randperm(0).toArray()).toEqual([]);
  });
});

describe('dropout', () => {
  it('drops a part p and scales the rest', async () => {
    const y = await list(dropout(ones([2_000]), { p: 0.2 }));
    expect([...new Set(y)].sort()).toEqual([0, 1.25]);
    expect(y.filter((v) => v === 0).length / 2_000).toBeCloseTo(0.2, 1);
  });

  it('is the input out of training and at p = 0, and nothing at p = 1', async () => {
    const x = tensor([1, 2]);
    expect(dropout(x, { training: false })).toBe(x);
    expect(dropout(x, { p: 0 })).toBe(x);
    expect(await dropout(x, { p: 1 }).toArray()).toEqual([0, 0]);
    expect(() => dropout(x, { p: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: dropout: p is 1.5, wants a probability between 0 and 1]`,
    );
    expect(dropout(meta([null, 4])).shape).toEqual([null, 4]);
  });
});

describe('seeds and shapes', () => {
  it('are checked', () => {
    expect(() => manualSeed(-1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: manualSeed: seed is -1, wants a whole number from 0 to 2^53 - 1]`,
    );
    expect(() => rand([2, 0.5])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: rand: shape [2,0.5] holds 0.5; sizes are whole numbers]`,
    );
    expect(() => rand([2], { dtype: 'int32' })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: rand: dtype is int32, wants float32 or float16; use randint for integers]`,
    );
  });
});
