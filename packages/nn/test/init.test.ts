import { ArgumentError, arange, conv2d, manualSeed, randn, reshape, setBackend, zeros } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { init, Parameter } from '../src/index';

beforeAll(() => setBackend(reference()));
beforeEach(() => manualSeed(1));

const conv = () => new Parameter(zeros([64, 16, 3, 3]));
async function moments(parameter: Parameter) {
  const values = Array.from(await parameter.data());
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  return { mean, std, most: Math.max(...values.map(Math.abs)), least: Math.min(...values) };
}

describe('init', () => {
  it('assigns the parameter it is given, and returns it', async () => {
    const parameter = new Parameter(zeros([2, 2]));
    expect(init.constant(parameter, 3)).toBe(parameter);
    expect(Array.from(await parameter.data())).toEqual([3, 3, 3, 3]);
    expect(Array.from(await init.ones(parameter).data())).toEqual([1, 1, 1, 1]);
    expect(Array.from(await init.zeros(parameter).data())).toEqual([0, 0, 0, 0]);
  });

  it.each<[string, (p: Parameter) => Parameter, number]>([
    ['xavierUniform', (p) => init.xavierUniform(p), Math.sqrt(6 / (80 * 9))],
    ['xavierUniform with a gain', (p) => init.xavierUniform(p, 5 / 3), (5 / 3) * Math.sqrt(6 / (80 * 9))],
    ['kaimingUniform', (p) => init.kaimingUniform(p), Math.sqrt(6 / (16 * 9))],
    ['kaimingUniform of a layer', (p) => init.kaimingUniform(p, { a: Math.sqrt(5) }), 1 / Math.sqrt(16 * 9)],
    [
      'kaimingUniform by fanOut',
      (p) => init.kaimingUniform(p, { mode: 'fanOut', nonlinearity: 'tanh' }),
      (5 / 3) * Math.sqrt(3 / (64 * 9)),
    ],
    ['uniform', (p) => init.uniform(p, -0.5, 0.5), 0.5],
  ])('%s is uniform within its bound', async (_, draw, bound) => {
    const { mean, std, most } = await moments(draw(conv()));
    expect(most).toBeLessThanOrEqual(bound * (1 + 1e-6));
    expect(most).toBeGreaterThan(0.998 * bound);
    expect(Math.abs(mean)).toBeLessThan((5 * bound) / Math.sqrt(3 * 9216));
    expect(std / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });

  it.each<[string, (p: Parameter) => Parameter, number]>([
    ['xavierNormal', (p) => init.xavierNormal(p), Math.sqrt(2 / (80 * 9))],
    ['kaimingNormal', (p) => init.kaimingNormal(p), Math.sqrt(2 / (16 * 9))],
    [
      'kaimingNormal of torchvision’s nets',
      (p) => init.kaimingNormal(p, { mode: 'fanOut', nonlinearity: 'relu' }),
      Math.sqrt(2 / (64 * 9)),
    ],
    ['normal', (p) => init.normal(p, { std: 0.01 }), 0.01],
    ['truncNormal with bounds far out', (p) => init.truncNormal(p, { std: 0.1 }), 0.1],
  ])('%s has its deviation', async (_, draw, std) => {
    const seen = await moments(draw(conv()));
    // The deviation of a sample deviation is 1/√(2n): 0.7 % of it here.
    expect(Math.abs(seen.std / std - 1)).toBeLessThan(0.04);
    expect(Math.abs(seen.mean)).toBeLessThan((5 * std) / Math.sqrt(9216));
    expect(seen.most).toBeLessThan(6 * std);
  });

  it('truncNormal cuts at absolute bounds', async () => {
    // Within ±1 deviation the variance is 1 − 2φ(1)/(2Φ(1) − 1) = 0.29112.
    const { std, most } = await moments(init.truncNormal(conv(), { a: -1, b: 1 }));
    expect(most).toBeLessThanOrEqual(1);
    expect(std).toBeCloseTo(Math.sqrt(0.29112), 1);
    const shifted = await moments(init.truncNormal(conv(), { mean: 3, a: 2.5, b: 9 }));
    expect(shifted.least).toBeGreaterThanOrEqual(2.5);
    expect(() => init.truncNormal(conv(), { a: 2, b: 1 })).toThrow(ArgumentError);
  });

  it('eye and dirac make layers that give what they get', async () => {
    expect(
      await init
        .eye(new Parameter(zeros([2, 3])))
        .read()
        .toArray(),
    ).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    const x = reshape(arange(0, 40, 1, { dtype: 'float32' }), [1, 2, 4, 5]);
    const weight = init.dirac(new Parameter(zeros([2, 2, 3, 5])));
    expect(await conv2d(x, weight, { padding: 'same' }).toArray()).toEqual(await x.toArray());
    const grouped = init.dirac(new Parameter(zeros([4, 1, 3, 3])), 2);
    const y = await conv2d(x, grouped, { padding: 1, groups: 2 }).toArray();
    const [[first, second]] = (await x.toArray()) as [[unknown, unknown]];
    const nothing = await zeros([4, 5]).toArray();
    expect(y).toEqual([[first, nothing, second, nothing]]);
    const even = await init
      .dirac(new Parameter(zeros([1, 1, 2])))
      .read()
      .toArray();
    expect(even).toEqual([[[0, 1]]]);
    expect(() => init.eye(conv())).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: eye: [64,16,3,3] is no matrix, wants [O,I]; take dirac for a convolution]`,
    );
    expect(() => init.dirac(conv(), 3)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: dirac: [64,16,3,3], 3 groups; wants [O,I,…window] and groups that divide O]`,
    );
  });

  it('knows PyTorch’s gains', () => {
    expect(init.calculateGain('relu')).toBeCloseTo(Math.SQRT2, 12);
    expect(init.calculateGain('tanh')).toBeCloseTo(5 / 3, 12);
    expect(init.calculateGain('leakyRelu', 0.2)).toBeCloseTo(Math.sqrt(2 / 1.04), 12);
    expect(init.calculateGain('selu')).toBe(0.75);
    expect(() => init.calculateGain('swish' as never)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: calculateGain: 'swish'; wants one of linear, conv, sigmoid, tanh, relu, leakyRelu, selu]`,
    );
  });

  it('wants fans, and a mode that there is', () => {
    expect(() => init.kaimingNormal(conv(), { mode: 'fan_in' as 'fanIn' })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: kaimingNormal: mode is 'fan_in', wants 'fanIn' or 'fanOut']`,
    );
    expect(() => init.kaimingNormal(new Parameter(zeros([3])))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: kaimingNormal: [3] has no fans, wants [O,I,…]; take normal or constant for it]`,
    );
  });
});

describe('init.orthogonal', () => {
  const rowsOf = async (parameter: Parameter, rows: number): Promise<number[][]> => {
    const data = Array.from(await parameter.data());
    const columns = data.length / rows;
    return Array.from({ length: rows }, (_, i) => data.slice(i * columns, (i + 1) * columns));
  };
  const turned = (m: number[][]): number[][] => (m[0] as number[]).map((_, j) => m.map((row) => row[j] as number));
  /** a·bᵀ */
  const products = (a: number[][], b: number[][]): number[][] =>
    a.map((x) => b.map((y) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0)));

  it.each([
    ['rows, where they are fewer', [4, 6], 1],
    ['columns, where they are fewer', [6, 4], 1],
    ['rows of a square, as long as the gain', [5, 5], Math.SQRT2],
    ['kernels of a convolution', [8, 3, 3, 3], 1],
  ] as const)('makes orthogonal %s', async (_, shape, gain) => {
    const parameter = new Parameter(zeros(shape));
    expect(await init.orthogonal(parameter, gain)).toBe(parameter);
    expect(parameter.shape).toEqual(shape);
    const matrix = await rowsOf(parameter, shape[0]);
    const vectors = matrix.length <= (matrix[0] as number[]).length ? matrix : turned(matrix);
    for (const [i, row] of products(vectors, vectors).entries())
      for (const [j, value] of row.entries()) expect(value).toBeCloseTo(i === j ? gain ** 2 : 0, 5);
  });

  it('is Q of the QR of the next draw, R’s diagonal being positive', async () => {
    manualSeed(5);
    const drawn = Array.from(await randn([4, 6]).data());
    const g = [0, 1, 2, 3].map((i) => drawn.slice(6 * i, 6 * i + 6));
    manualSeed(5);
    const q = await rowsOf(await init.orthogonal(new Parameter(zeros([4, 6]))), 4);
    const r = turned(products(g, q)); // gᵀ = qᵀ·r
    for (const [i, row] of r.entries())
      for (const [j, value] of row.entries())
        if (j < i) expect(value).toBeCloseTo(0, 5);
        else if (j === i) expect(value).toBeGreaterThan(0);
  });

  it('wants rows and columns, and leaves alone what is empty', async () => {
    await expect(init.orthogonal(new Parameter(zeros([3])))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: orthogonal: [3] has no rows and columns, wants [O,I,…]; take normal for it]`,
    );
    expect((await init.orthogonal(new Parameter(zeros([0, 3])))).shape).toEqual([0, 3]);
  });
});

describe('init.sparse', () => {
  it('has the same share of zeros in each column, elsewhere a normal draw', async () => {
    const [rows, columns] = [101, 40];
    const values = Array.from(await init.sparse(new Parameter(zeros([rows, columns])), 0.25, { std: 0.1 }).data());
    const zerosOf = (column: number) =>
      Array.from({ length: rows }, (_, row) => row).filter((row) => values[row * columns + column] === 0);
    for (let column = 0; column < columns; column++) expect(zerosOf(column)).toHaveLength(26);
    expect(zerosOf(0)).not.toEqual(zerosOf(1));
    const drawn = values.filter((value) => value !== 0);
    const std = Math.sqrt(drawn.reduce((sum, value) => sum + value ** 2, 0) / drawn.length);
    expect(std).toBeGreaterThan(0.095);
    expect(std).toBeLessThan(0.105);
  });
  it('is of matrices', () => {
    expect(() => init.sparse(conv(), 0.1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: sparse: [64,16,3,3] is no matrix, wants [O,I]; reshape it first]`,
    );
    expect(() => init.sparse(new Parameter(zeros([2, 2])), 2)).toThrow(ArgumentError);
  });
});
