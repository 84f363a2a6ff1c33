import { affineGrid, type GridSampleOptions, gridSample, mul, square, type Tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, it } from 'vitest';
import { checkGradients } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });
const options: GridSampleOptions[] = (['bilinear', 'bicubic'] as const).flatMap((mode) =>
  (['zeros', 'border', 'reflection'] as const).flatMap((paddingMode) =>
    [true, false].map((alignCorners) => ({ mode, paddingMode, alignCorners })),
  ),
);

describe('gradients of sampling at a grid', () => {
  it.each(options)('agree with finite differences: %j', async (how) => {
    const inputs = [scattered([2, 2, 4, 5]), mul(scattered([2, 2, 3, 2], 1), 0.8)];
    await checkGradients((x, grid) => gridSample(x as Tensor, grid as Tensor, how), inputs, { backend });
  });

  it('agree with finite differences: the nearest pixel', async () => {
    const grid = mul(scattered([1, 2, 3, 2], 1), 0.8);
    await checkGradients((x) => square(gridSample(x, grid, { mode: 'nearest' })), [scattered([1, 2, 4, 5])], {
      backend,
    });
  });

  it('agree with finite differences: over three axes', async () => {
    const inputs = [scattered([1, 2, 3, 3, 2]), mul(scattered([1, 2, 2, 2, 3], 1), 0.8)];
    await checkGradients((x, grid) => gridSample(x as Tensor, grid as Tensor), inputs, { backend });
  });

  it('reach the angle of an affine map', async () => {
    const x = scattered([1, 1, 5, 5]);
    await checkGradients(
      (theta) => gridSample(x, affineGrid(theta, [1, 1, 3, 4]), { alignCorners: true }),
      [mul(scattered([1, 2, 3], 2), 0.5)],
      { backend },
    );
  });
});
