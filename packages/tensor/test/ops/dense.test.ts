import { beforeAll, describe, expect, it } from 'vitest';
import {
  add,
  compile,
  diagEmbed,
  eigh,
  eye,
  inverse,
  matmul,
  meta,
  setBackend,
  solve,
  tensor,
  transpose,
} from '../../src';
import { reference } from '../../src/reference';
import { expectNear, type Plain, plain, sumOver, table } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
/** Results are float32, so products of them miss by about n·2⁻²⁴ times their size. */
const precision = 1e-4;
/** Numbers between −2 and 2 that no lattice holds: those of scattered make matrices of low rank. */
const mixed = (shape: readonly number[], seed = 0): Plain => {
  let next = seed * 1000;
  return table(shape, () => Math.fround(4 * ((Math.abs(Math.sin(++next)) * 43758.5453) % 1) - 2));
};
const symmetric = (n: number, seed = 0): Plain => {
  const x = mixed([n, n], seed);
  return table([n, n], (i, j) => x.at(i, j) + x.at(j, i));
};
const identity = (n: number) => table([n, n], (i, j) => Number(i === j));

describe('solve', () => {
  it.each([1, 2, 5, 24])('a·x is b again, N %s', async (n) => {
    const [a, b] = [mixed([n, n], 3), mixed([n, 3], 1)];
    await expectNear(matmul(a.tensor, await solve(a.tensor, b.tensor)), b, precision);
  });
  it('of stacks solves each by itself, and of a vector gives one', async () => {
    const [a, b] = [mixed([2, 3, 4, 4]), mixed([2, 3, 4, 2], 1)];
    await expectNear(matmul(a.tensor, await solve(a.tensor, b.tensor)), b, precision);
    expect(
      await (
        await solve(
          tensor([
            [0, 2],
            [4, 0],
          ]),
          tensor([6, 8]),
        )
      ).toArray(),
    ).toEqual([2, 3]);
  });
  it('exchanges rows where a pivot is 0 or tiny', async () => {
    const x = await solve(
      tensor([
        [1e-20, 1],
        [1, 1],
      ]),
      tensor([1, 2]),
    );
    await expectNear(x, plain([2], [1, 1]));
  });
  it('minds no units: rows and columns of any size', async () => {
    const a = [2e-12, 1, 1e-12, 3].map((x, i) => x * (i % 2 ? 1 : 1e-12));
    const [x, y] = await (await solve(tensor(a, { shape: [2, 2] }), tensor([1, 2]))).data();
    // 2e-24·x + y = 1, 1e-24·x + 3·y = 2
    expect([(x as number) * 1e-24, y]).toEqual([expect.closeTo(0.2, 6), expect.closeTo(0.6, 6)]);
  });
  it('refuses matrices that are singular but for rounding', () =>
    expect(inverse(tensor([1, 2, 3, 4, 5, 6, 7, 8, 9], { shape: [3, 3] }))).rejects.toThrow(
      'inverse: the matrix is singular',
    ));
  it('refuses singular matrices, and what does not fit', async () => {
    await expect(
      solve(
        tensor([
          [1, 2],
          [2, 4],
        ]),
        tensor([1, 2]),
      ),
    ).rejects.toThrow('solve: the matrix is singular (pivot 0 in column 1); add a multiple of eye(2) to it');
    await expect(solve(meta([2, 3]), meta([2]))).rejects.toThrow('solve: a [2,3]; wants square matrices [...,N,N]');
    await expect(solve(eye(2), tensor([1, 2, 3]))).rejects.toThrow(
      'solve: a [2,2], b [3]; wants b [...,N,K] beside a, or [N]',
    );
  });
  it('cannot stand in compiled code', async () => {
    let inside: Promise<unknown> = Promise.resolve();
    compile((x: ReturnType<typeof tensor>) => {
      inside = solve(x, x);
      return add(x, 1);
    })(eye(2));
    await expect(inside).rejects.toThrow();
  });
});

describe('inverse', () => {
  it.each([1, 3, 20])('times the matrix is the identity, N %s', async (n) => {
    const a = mixed([n, n], 5).tensor;
    await expectNear(matmul(a, await inverse(a)), identity(n), precision);
    await expectNear(matmul(await inverse(a), a), identity(n), precision);
  });
  it('of an empty stack is empty', async () => expect((await inverse(meta0())).shape).toEqual([0, 2, 2]));
});
const meta0 = () => tensor([], { shape: [0, 2, 2] });

describe('eigh', () => {
  it.each([1, 2, 3, 8, 30])('V·diag(values)·Vᵀ is the matrix, V orthogonal, values ascending, N %s', async (n) => {
    const a = symmetric(n, 2);
    const [values, v] = await eigh(a.tensor);
    await expectNear(matmul(matmul(v, diagEmbed(values)), transpose(v)), a, precision);
    await expectNear(matmul(transpose(v), v), identity(n), precision);
    const found = [...(await values.data())];
    expect(found).toEqual([...found].sort((x, y) => x - y));
    expect(Math.abs(sumOver(n, (i) => found[i] as number) - sumOver(n, (i) => a.at(i, i)))).toBeLessThan(1e-4);
  });
  it('knows the values of [[2,1],[1,2]], signs settled', async () => {
    const [values, vectors] = await eigh(
      tensor([
        [2, 1],
        [1, 2],
      ]),
    );
    await expectNear(values, plain([2], [1, 3]), 1e-6);
    const half = Math.SQRT1_2;
    await expectNear(
      vectors,
      plain(
        [2, 2],
        [half, half, -half, half].map((x, i) => (i === 0 ? half : x)),
      ),
      1e-6,
    );
  });
  it('of equal values, of a diagonal, of zeros', async () => {
    await expectNear((await eigh(eye(3)))[0], plain([3], [1, 1, 1]));
    await expectNear(
      (
        await eigh(
          tensor([
            [3, 0],
            [0, -1],
          ]),
        )
      )[0],
      plain([2], [-1, 3]),
    );
    const [values, vectors] = await eigh(
      tensor([
        [0, 0],
        [0, 0],
      ]),
    );
    await expectNear(values, plain([2], [0, 0]));
    await expectNear(vectors, identity(2));
  });
  it('reads the lower triangle of each of a stack', async () => {
    const [values] = await eigh(
      tensor([
        [
          [2, 99],
          [1, 2],
        ],
        [
          [1, 0],
          [0, 5],
        ],
      ]),
    );
    await expectNear(values, plain([2, 2], [1, 3, 1, 5]), 1e-6);
  });
  it('refuses NaN', async () =>
    await expect(eigh(tensor([[Number.NaN]]))).rejects.toThrow(
      'eigh: the matrix holds NaN or infinity; wants finite numbers',
    ));
});
