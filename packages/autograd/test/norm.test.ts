import {
  batchNorm,
  batchNormTraining,
  groupNorm,
  instanceNorm,
  layerNorm,
  localResponseNorm,
  mul,
  normalize,
  rmsNorm,
  setBackend,
  square,
  standardize,
  sum,
  type Tensor,
  zeros,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import { checkGradients, grad } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });
type Affine = { readonly weight: Tensor; readonly bias: Tensor };

describe('gradients of normalisation', () => {
  it.each<[string, readonly number[], readonly number[], (x: Tensor, affine: Affine) => Tensor]>([
    ['batchNorm', [3, 2, 2, 2], [2], (x, affine) => batchNorm(x, { ...affine, training: true })],
    ['batchNorm of vectors', [4, 3], [3], (x, affine) => batchNorm(x, { ...affine, training: true, eps: 0.1 })],
    ['layerNorm', [2, 3, 4], [3, 4], (x, affine) => layerNorm(x, [3, 4], affine)],
    ['groupNorm', [2, 4, 3], [4], (x, affine) => groupNorm(x, 2, affine)],
    ['instanceNorm', [2, 2, 3, 2], [2], (x, affine) => instanceNorm(x, affine)],
    ['rmsNorm', [3, 4], [4], (x, { weight }) => rmsNorm(x, [4], { weight })],
  ])('agree with finite differences: %s', async (_, shape, affine, norm) => {
    const inputs = [scattered(shape), scattered(affine, 1), scattered(affine, 2)];
    await checkGradients((x, weight, bias) => square(norm(x as Tensor, { weight, bias } as Affine)), inputs, {
      backend,
    });
  });

  it.each<[string, readonly number[], (x: Tensor) => Tensor]>([
    ['batchNorm without weight and bias', [3, 2, 2], (x) => batchNorm(x, { training: true })],
    ['layerNorm without weight and bias', [3, 4], (x) => layerNorm(x, [4])],
    ['local response, odd size', [1, 5, 2, 2], (x) => localResponseNorm(x, 3, { alpha: 0.5, k: 2 })],
    ['local response, even size', [1, 5, 3], (x) => localResponseNorm(x, 4, { alpha: 0.5, beta: 0.5 })],
    ['normalize', [2, 3, 2], (x) => normalize(x)],
    ['normalize by sums', [2, 3], (x) => normalize(x, { p: 1, dim: 0 })],
    ['normalize by cubes', [2, 3], (x) => normalize(x, { p: 3 })],
  ])('agree with finite differences: %s', async (_, shape, norm) => {
    await checkGradients((x) => mul(norm(x), square(norm(x))), [scattered(shape)], { backend });
  });

  it('reach through the statistics that a layer keeps', async () => {
    const inputs = [scattered([3, 2, 2]), scattered([2], 1)];
    await checkGradients(
      (x, weight) => batchNormTraining(x as Tensor, { weight: weight as Tensor }).map(square),
      inputs,
      { backend },
    );
  });

  it('are refused through what is there for kernels alone', () => {
    setBackend(backend);
    const scale = (x: Tensor) => standardize(x, [0, 2], 1e-5, null, null, 'standardize', true)[3] as Tensor;
    expect(() => grad((x: Tensor) => sum(scale(x)))(zeros([3, 2, 2]))).toThrow('scale or shift');
  });

  it('are finite for a vector of zeros', async () => {
    setBackend(backend);
    const dx = grad((x: Tensor) => sum(normalize(x)))(zeros([1, 2]));
    expect(await dx.toArray()).toEqual([[1e12, 1e12]]);
  });
});
