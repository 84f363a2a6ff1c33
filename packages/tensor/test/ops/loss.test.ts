import { beforeAll, describe, expect, it } from 'vitest';
import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  hingeEmbeddingLoss,
  huberLoss,
  klDivLoss,
  l1Loss,
  log,
  marginRankingLoss,
  meta,
  mseLoss,
  setBackend,
  sigmoid,
  smoothL1Loss,
  type Tensor,
  tensor,
  tripletMarginLoss,
} from '../../src';
import { reference } from '../../src/reference';
import { near } from './near';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

type Options = { reduction?: 'none' | 'sum' | 'mean' };
const xs = [0.5, -1, 3, 0.25];
const ts = [0.25, 1, 3, 0.75];
const gaps = xs.map((x, i) => Math.abs(x - (ts[i] as number)));
const likely = (x: number) => -Math.log1p(Math.exp(-x)); // ln σ(x)

describe('losses of elements', () => {
  it.each<[string, (x: Tensor, t: Tensor, options: Options) => Tensor, number[]]>([
    ['mseLoss', mseLoss, gaps.map((d) => d * d)],
    ['l1Loss', l1Loss, gaps],
    ['smoothL1Loss', smoothL1Loss, gaps.map((d) => (d < 1 ? (d * d) / 2 : d - 0.5))],
    ['smoothL1Loss with beta 4', (x, t, o) => smoothL1Loss(x, t, { beta: 4, ...o }), gaps.map((d) => (d * d) / 8)],
    ['smoothL1Loss with beta 0', (x, t, o) => smoothL1Loss(x, t, { beta: 0, ...o }), gaps],
    ['huberLoss', huberLoss, gaps.map((d) => (d < 1 ? (d * d) / 2 : d - 0.5))],
    [
      'huberLoss with delta 0.25',
      (x, t, o) => huberLoss(x, t, { delta: 0.25, ...o }),
      gaps.map((d) => (d <= 0.25 ? (d * d) / 2 : 0.25 * (d - 0.125))),
    ],
    [
      'binaryCrossEntropyWithLogits',
      binaryCrossEntropyWithLogits,
      xs.map((x, i) => -(ts[i] as number) * likely(x) - (1 - (ts[i] as number)) * likely(-x)),
    ],
    [
      'binaryCrossEntropyWithLogits with weights',
      (x, t, o) => binaryCrossEntropyWithLogits(x, t, { weight: tensor([1, 2, 3, 4]), posWeight: 3, ...o }),
      xs.map((x, i) => (i + 1) * (-3 * (ts[i] as number) * likely(x) - (1 - (ts[i] as number)) * likely(-x))),
    ],
    ['klDivLoss', klDivLoss, xs.map((x, i) => (ts[i] as number) * (Math.log(ts[i] as number) - x))],
    [
      'klDivLoss of logarithms',
      (x, t, o) => klDivLoss(x, t, { logTarget: true, ...o }),
      xs.map((x, i) => Math.exp(ts[i] as number) * ((ts[i] as number) - x)),
    ],
  ])('%s: none, sum and mean', async (_, loss, wanted) => {
    const [x, t] = [tensor(xs), tensor(ts)];
    const total = wanted.reduce((a, b) => a + b, 0);
    expect(await loss(x, t, { reduction: 'none' }).toArray()).toEqual(near(wanted));
    expect(await loss(x, t, { reduction: 'sum' }).item()).toBeCloseTo(total, 12);
    expect(await loss(x, t, {}).item()).toBeCloseTo(total / 4, 12);
  });

  it('broadcast, and carry unknown sizes through', () => {
    expect(mseLoss(meta([null, 3]), meta([3]), { reduction: 'none' }).shape).toEqual([null, 3]);
    expect(mseLoss(meta([null, 3]), 0).shape).toEqual([]);
  });

  it('refuse other words for a reduction, and settings without sense', () => {
    expect(() => mseLoss(tensor([1]), 0, { reduction: 'batch' as 'mean' })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: mseLoss: reduction is 'batch', wants 'mean', 'sum' or 'none']`,
    );
    expect(() => smoothL1Loss(tensor([1]), 0, { beta: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: smoothL1Loss: beta is -1, wants a number from 0 on]`,
    );
    expect(() => huberLoss(tensor([1]), 0, { delta: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: huberLoss: delta is 0, wants a number above 0]`,
    );
  });
});

describe('binary cross entropy', () => {
  it('is the same of probabilities as of logits', async () => {
    const [x, t] = [tensor([0.5, -1, 3]), tensor([0, 0.5, 1])];
    expect(await binaryCrossEntropy(sigmoid(x), t).item()).toBeCloseTo(
      await binaryCrossEntropyWithLogits(x, t).item(),
      12,
    );
    expect(() => binaryCrossEntropy(tensor(new Int32Array([1])), 1)).toThrow(
      'binaryCrossEntropy: the inputs are int32',
    );
  });

  it('holds logarithms at −100, where logits need not', async () => {
    expect(await binaryCrossEntropy(tensor([0, 1]), 1, { reduction: 'none' }).toArray()).toEqual(near([100, 0]));
    expect(await binaryCrossEntropyWithLogits(tensor([-1000]), tensor([1])).item()).toBe(1000);
  });
});

describe('other losses', () => {
  it('klDivLoss is 0 where the target is, and divides by the batch on demand', async () => {
    const [x, t] = [log(tensor([[0.5, 0.5]])), tensor([[0, 1]])];
    expect(await klDivLoss(x, t, { reduction: 'none' }).toArray()).toEqual(near([[0, Math.LN2]], 1e-12));
    expect(await klDivLoss(x, t, { reduction: 'batchmean' }).item()).toBeCloseTo(Math.LN2, 12);
  });

  it('hingeEmbeddingLoss pulls alike together and pushes others apart', async () => {
    const y = hingeEmbeddingLoss(tensor([0.5, 0.5, 3]), tensor([1, -1, -1]), { reduction: 'none' });
    expect(await y.toArray()).toEqual([0.5, 0.5, 0]);
  });

  it('marginRankingLoss wants one above the other', async () => {
    const y = marginRankingLoss(tensor([1, 1]), tensor([2, 2]), tensor([1, -1]), { margin: 0.5, reduction: 'none' });
    expect(await y.toArray()).toEqual([1.5, 0]);
  });

  it('tripletMarginLoss wants the positive nearer than the negative by a margin', async () => {
    const [anchor, positive, negative] = [tensor([[0, 0]]), tensor([[3, 4]]), tensor([[0, 2]])];
    expect(await tripletMarginLoss(anchor, positive, negative).item()).toBeCloseTo(4, 5);
    expect(await tripletMarginLoss(anchor, negative, positive).item()).toBe(0);
    // with swap the negative is as near as it is to the positive: 5 − min(√32, 1) + 1
    const far = tensor([[4, 4]]);
    expect(await tripletMarginLoss(anchor, positive, far).item()).toBeCloseTo(6 - Math.sqrt(32), 5);
    expect(await tripletMarginLoss(anchor, positive, far, { swap: true }).item()).toBeCloseTo(5, 5);
  });
});
