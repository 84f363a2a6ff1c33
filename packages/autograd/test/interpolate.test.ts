import { type InterpolateOptions, interpolate, square } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, it } from 'vitest';
import { checkGradients } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });

describe('gradients of interpolation', () => {
  it.each<[readonly number[], InterpolateOptions]>([
    [[1, 2, 5], { size: 8 }],
    [[1, 1, 4, 5], { size: [7, 3], mode: 'nearest-exact' }],
    [[2, 1, 5], { scaleFactor: 1.7, mode: 'linear' }],
    [[1, 1, 4, 3], { size: [7, 5], mode: 'bilinear' }],
    [[1, 1, 4, 3], { size: [2, 7], mode: 'bilinear', alignCorners: true }],
    [[1, 1, 9, 8], { size: [3, 3], mode: 'bilinear', antialias: true }],
    [[1, 1, 4, 5], { size: [6, 3], mode: 'bicubic' }],
    [[1, 1, 9, 7], { size: [4, 9], mode: 'bicubic', antialias: true }],
    [[1, 1, 3, 2, 3], { size: [2, 4, 5], mode: 'trilinear' }],
    [[1, 1, 2], { size: 40, mode: 'linear' }],
    [[1, 1, 5, 4], { size: [3, 3], mode: 'area' }],
  ])('agree with finite differences: %j %j', async (shape, options) => {
    await checkGradients((x) => square(interpolate(x, options)), [scattered(shape)], { backend });
  });
});
