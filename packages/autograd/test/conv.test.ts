import {
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
  type Tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, it } from 'vitest';
import { checkGradients } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });
type Sizes = readonly number[];

describe('gradients of convolution', () => {
  it.each<[string, Sizes, Sizes, number, (x: Tensor, w: Tensor, bias: Tensor) => Tensor]>([
    ['1d with stride', [2, 2, 7], [3, 2, 3], 3, (x, w, bias) => conv1d(x, w, { bias, stride: 2, padding: 1 })],
    ['2d', [1, 2, 4, 5], [3, 2, 2, 3], 3, (x, w, bias) => conv2d(x, w, { bias })],
    [
      '2d in groups with all options',
      [1, 4, 6, 5],
      [2, 2, 3, 2],
      2,
      (x, w, bias) => conv2d(x, w, { bias, groups: 2, stride: [2, 1], padding: [1, 2], dilation: [1, 2] }),
    ],
    ['2d depthwise', [2, 3, 4, 4], [3, 1, 2, 2], 3, (x, w, bias) => conv2d(x, w, { bias, groups: 3 })],
    [
      "2d 'same' with an even window",
      [1, 1, 4, 5],
      [2, 1, 2, 4],
      2,
      (x, w, bias) => conv2d(x, w, { bias, padding: 'same' }),
    ],
    ['2d unbatched', [2, 4, 4], [1, 2, 3, 3], 1, (x, w, bias) => conv2d(x, w, { bias })],
    ['3d', [1, 1, 3, 4, 3], [2, 1, 2, 2, 2], 2, (x, w, bias) => conv3d(x, w, { bias, stride: [1, 2, 1], padding: 1 })],
    [
      'transposed 1d',
      [2, 3, 4],
      [3, 2, 3],
      2,
      (x, w, bias) => convTranspose1d(x, w, { bias, stride: 2, outputPadding: 1 }),
    ],
    [
      'transposed 2d in groups',
      [1, 4, 3, 2],
      [4, 1, 3, 2],
      2,
      (x, w, bias) => convTranspose2d(x, w, { bias, groups: 2, stride: 2, padding: 1, outputPadding: [0, 1] }),
    ],
    [
      'transposed 3d',
      [1, 2, 2, 2, 2],
      [2, 1, 2, 2, 2],
      1,
      (x, w, bias) => convTranspose3d(x, w, { bias, dilation: 2 }),
    ],
  ])('agree with finite differences: %s', async (_, x, w, outs, conv) => {
    await checkGradients(conv, [scattered(x), scattered(w, 1), scattered([outs], 2)], { backend });
  });
});
