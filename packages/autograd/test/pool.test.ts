import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool2d,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  maxUnpool2d,
  setBackend,
  square,
  type Tensor,
  tensor,
} from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import { checkGradients, vjp } from '../src/index';
import { scattered } from './inputs';

const backend = reference({ dtype: 'float64' });

describe('gradients of pooling', () => {
  it.each<[string, readonly number[], (x: Tensor) => Tensor]>([
    ['max 1d', [2, 2, 7], (x) => maxPool1d(x, 3, { stride: 2, padding: 1 })],
    ['max 2d, windows that overlap', [1, 2, 5, 6], (x) => maxPool2d(x, [3, 2], { stride: 1, dilation: [1, 2] })],
    ['max 2d, a last window that hangs over', [1, 1, 5, 6], (x) => maxPool2d(x, 2, { padding: 1, ceilMode: true })],
    ['max 3d', [1, 1, 4, 3, 4], (x) => maxPool3d(x, 2, { stride: 1 })],
    ['average 1d', [1, 2, 7], (x) => avgPool1d(x, 3, { stride: 2, padding: 1 })],
    [
      'average 2d, counting pixels',
      [1, 1, 6, 5],
      (x) => avgPool2d(x, 3, { stride: 2, padding: 1, ceilMode: true, countIncludePad: false }),
    ],
    ['average 2d, counting padding', [1, 1, 6, 5], (x) => avgPool2d(x, 3, { stride: 2, padding: 1, ceilMode: true })],
    ['average 3d by a divisor', [1, 1, 3, 4, 3], (x) => avgPool3d(x, 2, { stride: 1, divisorOverride: 5 })],
    ['adaptive average, equal bins', [1, 2, 6, 4], (x) => adaptiveAvgPool2d(x, [3, 2])],
    ['adaptive average, bins that overlap', [1, 2, 7, 5], (x) => adaptiveAvgPool2d(x, [3, 4])],
    ['adaptive average, more bins than elements', [2, 3, 3], (x) => adaptiveAvgPool1d(x, 5)],
    ['adaptive average 3d', [1, 1, 3, 4, 5], (x) => adaptiveAvgPool3d(x, [2, null, 3])],
    ['adaptive max, equal bins', [1, 2, 6, 4], (x) => adaptiveMaxPool2d(x, [3, 2])],
    ['adaptive max, bins that overlap', [1, 2, 7, 5], (x) => adaptiveMaxPool2d(x, [3, 4])],
    [
      'unpooling',
      [1, 2, 4, 4],
      (x) => {
        const [y, places] = maxPool2d(x, 2, { returnIndices: true });
        return maxUnpool2d(square(y), places, 2);
      },
    ],
  ])('agree with finite differences: %s', async (_, shape, pool) => {
    await checkGradients((x) => square(pool(x)), [scattered(shape)], { backend });
  });

  it('of max pooling go to the first of equals', async () => {
    setBackend(backend);
    const { pullback } = vjp(
      (x) => maxPool2d(x, 2),
      [
        tensor([
          [
            [3, 3],
            [3, 3],
          ],
        ]),
      ],
    );
    const before = [
      [
        [1, 0],
        [0, 0],
      ],
    ];
    expect(await (pullback(tensor([[[1]]]))[0] as Tensor).toArray()).toEqual(before);
  });
});
