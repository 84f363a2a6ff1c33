import {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  hingeEmbeddingLoss,
  huberLoss,
  klDivLoss,
  l1Loss,
  logSoftmax,
  marginRankingLoss,
  mseLoss,
  setBackend,
  sigmoid,
  smoothL1Loss,
  softmax,
  sum,
  type Tensor,
  tensor,
  tripletMarginLoss,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const x = () =>
  tensor([
    [0.5, -1.25, 3],
    [0.25, -0.5, 1.75],
  ]);
const t = () => tensor([[0.125, 0.5, 2.5]]);
const signs = () => tensor([1, -1, 1]);

describe('gradients of losses', () => {
  it.each<[string, (x: Tensor, t: Tensor) => Tensor]>([
    ['mseLoss', mseLoss],
    ['l1Loss', l1Loss],
    ['smoothL1Loss', (a, b) => smoothL1Loss(a, b, { beta: 0.9 })],
    ['huberLoss', (a, b) => huberLoss(a, b, { delta: 0.7, reduction: 'none' })],
    ['binaryCrossEntropy', (a, b) => binaryCrossEntropy(sigmoid(a), sigmoid(b), { weight: tensor([1, 2, 3]) })],
    ['binaryCrossEntropyWithLogits', (a, b) => binaryCrossEntropyWithLogits(a, b, { posWeight: 2 })],
    ['klDivLoss', (a, b) => klDivLoss(logSoftmax(a, 1), softmax(b, 1), { reduction: 'batchmean' })],
    ['klDivLoss of logarithms', (a, b) => klDivLoss(a, b, { logTarget: true })],
    ['hingeEmbeddingLoss', (a) => hingeEmbeddingLoss(a, signs())],
    ['marginRankingLoss', (a, b) => marginRankingLoss(a, b, signs(), { margin: 0.3 })],
    ['tripletMarginLoss', (a, b) => tripletMarginLoss(a, b, tensor([0.5, 0.5, 1]), { margin: 3 })],
  ])('%s agrees with finite differences, twice', async (_, f) => {
    await checkGradients(f, [x(), t()]);
  });

  it('binaryCrossEntropy stays finite at sure and wrong answers', async () => {
    const slope = grad((p: Tensor) => sum(binaryCrossEntropy(p, tensor([1, 0, 1]), { reduction: 'none' })));
    const g = [...(await slope(tensor([0, 1, 1])).data())];
    expect(g.map((v) => Math.abs(v) < 1.001e12)).toEqual([true, true, true]);
    expect(g[2]).toBe(0);
  });
});
