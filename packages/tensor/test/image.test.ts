import { beforeAll, describe, expect, it } from 'vitest';
import { toImage } from '../src/image';
import { reference } from '../src/reference';
import { setBackend } from '../src/runtime';
import { tensor } from '../src/tensor';

describe('toImage', () => {
  beforeAll(() => setBackend(reference()));

  it('gives back the pixels that tensor() took', async () => {
    const image = { data: Uint8ClampedArray.of(1, 2, 3, 255, 4, 5, 6, 128), width: 2, height: 1 };
    expect(await toImage(tensor(image))).toEqual(image);
  });

  it.each([
    ['grey floats [1,H,W]', tensor([[[0, 1.5]]]), [0, 0, 0, 255, 255, 255, 255, 255]],
    ['RGB floats [3,H,W]', tensor([[[1, 0]], [[0, 0.5]], [[-1, 0]]]), [255, 0, 0, 255, 0, 128, 0, 255]],
    ['RGB bytes [H,W,3]', tensor(Uint8Array.of(9, 8, 7, 6, 5, 4), { shape: [1, 2, 3] }), [9, 8, 7, 255, 6, 5, 4, 255]],
  ])('reads %s', async (_, x, pixels) => expect([...(await toImage(x)).data]).toEqual(pixels));

  it('refuses other shapes', async () => {
    await expect(toImage(tensor([1, 2]))).rejects.toThrow(
      'toImage: shape [2]; wants [H,W,C] or [C,H,W] with 1, 3 or 4 channels',
    );
  });
});
