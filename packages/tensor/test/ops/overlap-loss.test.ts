import { beforeAll, describe, expect, it } from 'vitest';
import { diceLoss, meta, multiMarginLoss, setBackend, sigmoidFocalLoss, type Tensor, tensor } from '../../src';
import { reference } from '../../src/reference';
import { expectNear, plain, scattered, sumOver, table, thrown } from './loops';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));
const all = async (t: Tensor) => [...(await t.data())];

describe('sigmoidFocalLoss', () => {
  const xs = [-3, -0.5, 0, 1, 4];
  const ts = [1, 0, 1, 0, 1];
  const loss = (i: number, alpha: number | null, gamma: number) => {
    const [x, t] = [xs[i] as number, ts[i] as number];
    const p = 1 / (1 + Math.exp(-x));
    const pt = t === 1 ? p : 1 - p;
    return -(alpha === null ? 1 : t === 1 ? alpha : 1 - alpha) * (1 - pt) ** gamma * Math.log(pt);
  };
  it.each<[number | null, number]>([
    [0.25, 2],
    [null, 2],
    [0.75, 1],
    [null, 0],
  ])('with alpha %s and gamma %s', async (alpha, gamma) => {
    const y = sigmoidFocalLoss(tensor(xs), tensor(ts), { alpha, gamma });
    await expectNear(
      y,
      table([5], (i) => loss(i, alpha, gamma)),
    );
  });
  it('is cross entropy with gamma 0 and no alpha, and stays finite for sure misses', async () => {
    const y = sigmoidFocalLoss(tensor([-100, 100]), tensor([1, 0]), { alpha: null, reduction: 'mean' });
    await expectNear(y, plain([], [100]));
  });
  it('refuses alpha 2', () =>
    expect(thrown(() => sigmoidFocalLoss(meta([1]), meta([1]), { alpha: 2 }))).toBe(
      'ArgumentError: sigmoidFocalLoss: alpha is 2, wants a number from 0 to 1, or null',
    ));
});

describe('diceLoss', () => {
  const p = table([2, 3, 4], (n, c, i) => ((n + 2 * c + 3 * i) % 7) / 7);
  const t = table([2, 3, 4], (n, c, i) => Number((n + c + i) % 3 === 0));
  it.each([false, true])('squared %s', async (squared) => {
    const power = squared ? 2 : 1;
    const wanted = table([2, 3], (n, c) => {
      const over = 2 * sumOver(4, (i) => p.at(n, c, i) * t.at(n, c, i)) + 0.5;
      return 1 - over / (sumOver(4, (i) => p.at(n, c, i) ** power + t.at(n, c, i) ** power) + 0.5);
    });
    await expectNear(diceLoss(p.tensor, t.tensor, { smooth: 0.5, squared, reduction: 'none' }), wanted, 1e-6);
  });
  it('of an empty map found empty is 0', async () =>
    expect(await all(diceLoss(tensor([[[0, 0]]]), tensor([[[0, 0]]])))).toEqual([0]));
  it('refuses what has no spatial axes', () =>
    expect(thrown(() => diceLoss(meta([2, 3]), meta([2, 3])))).toBe(
      'ShapeError: diceLoss: shapes [2,3] and [2,3]; wants both [N,C,…]',
    ));
  it('carries unknown sizes through', () =>
    expect(diceLoss(meta([null, 3, null, 4]), meta([null, 3, null, 4]), { reduction: 'none' }).shape).toEqual([
      null,
      3,
    ]));
});

describe('multiMarginLoss', () => {
  const x = scattered([3, 4]);
  const targets = [2, 0, 3];
  const t = tensor(targets, { dtype: 'int32' });
  it.each<[1 | 2, number]>([
    [1, 1],
    [2, 0.5],
  ])('p %s, margin %s', async (p, margin) => {
    const weight = [1, 2, 0.5, 3];
    const wanted = table([3], (n) => {
      const own = targets[n] as number;
      const missed = sumOver(4, (j) => (j === own ? 0 : Math.max(0, margin - x.at(n, own) + x.at(n, j)) ** p));
      return ((weight[own] as number) * missed) / 4;
    });
    await expectNear(multiMarginLoss(x.tensor, t, { p, margin, weight: tensor(weight), reduction: 'none' }), wanted);
  });
  it('refuses another number of targets', () =>
    expect(thrown(() => multiMarginLoss(meta([3, 4]), meta([2], 'int32')))).toBe(
      'ShapeError: multiMarginLoss: x [3,4], target [2]; wants [N,C] and [N]',
    ));
});
