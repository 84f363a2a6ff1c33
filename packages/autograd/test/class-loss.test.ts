import {
  type CrossEntropyOptions,
  crossEntropy,
  logSoftmax,
  nllLoss,
  permute,
  reshape,
  setBackend,
  softmax,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { programsOf } from '@tessera/tensor/inspect';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkGradients, grad, valueAndGrad } from '../src/index';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

const x = () =>
  tensor([
    [1, -2, 0.5],
    [0.25, 3, -1],
    [-0.5, 0.75, 2],
    [1.5, 0, 1],
  ]);
const target = () => tensor([2, 0, 1, 2], { dtype: 'int32' });
const weight = () => tensor([0.5, 2, 1.25]);

describe('gradients of cross entropy', () => {
  it.each<[string, CrossEntropyOptions]>([
    ['mean', {}],
    ['sum', { reduction: 'sum' }],
    ['none', { reduction: 'none' }],
    ['label smoothing', { labelSmoothing: 0.2 }],
    ['class weights', { weight: weight() }],
    ['an ignored class', { ignoreIndex: 2 }],
    ['all of them', { labelSmoothing: 0.2, weight: weight(), ignoreIndex: 2 }],
  ])('%s agrees with finite differences, twice', async (_, options) => {
    await checkGradients((t) => crossEntropy(t, target(), options), [x()]);
  });

  it('agrees for pixels, for vectors and for probabilities', async () => {
    const pixels = (t: Tensor) => permute(reshape(t, [2, 2, 3]), [0, 2, 1]);
    await checkGradients((t) => crossEntropy(pixels(t), reshape(target(), [2, 2])), [x()]);
    await checkGradients((t) => crossEntropy(t, tensor(1, { dtype: 'int32' })), [tensor([1, -2, 0.5])]);
    await checkGradients(
      (t, p) => crossEntropy(t, softmax(p, 1), { labelSmoothing: 0.1, weight: weight() }),
      [x(), x()],
    );
  });

  it('is softmax − onehot, over the count', async () => {
    const g = grad((t: Tensor) => crossEntropy(t, target()))(x());
    const p = (await softmax(x(), 1).toArray()) as number[][];
    const classes = [2, 0, 1, 2];
    expect(await g.toArray()).toEqual(
      p.map((row, n) => row.map((value, c) => expect.closeTo((value - Number(classes[n] === c)) / 4, 12))),
    );
  });

  it('is 0 in an ignored row, whatever stands there', async () => {
    const wild = tensor([
      [1, 2],
      [Number.POSITIVE_INFINITY, Number.NaN],
    ]);
    const ignoring = tensor([0, -100], { dtype: 'int32' });
    const g = (await grad((t: Tensor) => crossEntropy(t, ignoring))(wild).toArray()) as number[][];
    expect(g[1]).toEqual([0, 0]);
    expect(g[0]?.every(Number.isFinite)).toBe(true);
  });

  it('takes one kernel more than the loss', () => {
    const logits = x();
    const { value, grads } = valueAndGrad(() => crossEntropy(logits, target()), logits);
    const steps = programsOf([value, grads]).flatMap(({ program }) => program.steps);
    expect(steps.map(({ kernel }) => kernel.kind)).toEqual(['reduce', 'reduce', 'map']);
  });
});

describe('gradients of nllLoss', () => {
  it.each<[string, object]>([
    ['mean', {}],
    ['weights', { weight: weight() }],
    ['an ignored class', { ignoreIndex: 2, reduction: 'sum' }],
  ])('%s agrees with finite differences, twice', async (_, options) => {
    await checkGradients((t) => nllLoss(logSoftmax(t, 1), target(), options), [x()]);
  });
});
