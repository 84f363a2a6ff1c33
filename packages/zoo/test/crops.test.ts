import { Lambda } from '@tessera/nn';
import { ArgumentError, mul, reshape, ShapeError, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { averageCrops, centerCrop, fiveCrop, tenCrop } from '../src/crops';
import { torchvision } from './torchvision';

beforeAll(() => setBackend(reference()));
const row = async (x: Tensor) => Array.from(await x.data());
const counted = (h: number, w: number) =>
  tensor(
    Float32Array.from({ length: h * w }, (_, i) => i),
    { shape: [1, h, w] },
  );

/** [N,1,1,1] → [N,1]. */
const flat = (x: Tensor) => reshape(x, [-1, 1]);

describe('crops', () => {
  it('cuts the middle as torchvision does, zeros around what is smaller', async () => {
    const { x, center_crop } = await torchvision();
    expect(centerCrop(x, [20, 60]).shape).toEqual([3, 20, 60]);
    expect(await row(centerCrop(x, [20, 60]))).toEqual(await row(center_crop));
  });

  it.each([
    [3, 0],
    [5, 2],
    [7, 2],
    [9, 4],
  ])('begins in the middle of %s − 2 pixels at %s, a half rounded to the even side', async (width, first) => {
    expect((await row(centerCrop(counted(1, width), [1, 2])))[0]).toBe(first);
  });

  it('makes ten crops in torchvision’s order: corners, centre, then those of the mirror image', async () => {
    const { x, ten_crop } = await torchvision();
    const crops = tenCrop(x, [20, 24]);
    expect(crops.map(({ shape }) => shape)).toEqual(Array(10).fill([3, 20, 24]));
    expect((await Promise.all(crops.map(row))).flat()).toEqual(await row(ten_crop));
    expect(await Promise.all(fiveCrop(x, [20, 24]).map(row))).toEqual(await Promise.all(crops.slice(0, 5).map(row)));
  });

  it('turns upside down where asked', async () => {
    const crops = tenCrop(counted(2, 2), 1, { verticalFlip: true });
    expect((await Promise.all(crops.map(row))).flat()).toEqual([0, 1, 2, 3, 0, 2, 3, 0, 1, 2]);
  });

  it('averages probabilities, not logits', async () => {
    const crops = [tensor([[[[0]]]]), tensor([[[[10]]]])];
    const model = new Lambda((x: Tensor) => mul(tensor([[0, 1]]), flat(x)));
    const [a, b] = await row(averageCrops(model, crops));
    const second = 1 / (1 + Math.exp(-10));
    expect(a).toBeCloseTo((0.5 + 1 - second) / 2, 6);
    expect(b).toBeCloseTo((0.5 + second) / 2, 6);
  });
  it('takes single images as a batch of one, and keeps the rows of batches apart', async () => {
    const model = new Lambda((x: Tensor) => mul(tensor([[0, 1]]), flat(x)));
    const batches = [tensor([[[[0]]], [[[3]]]]), tensor([[[[0]]], [[[3]]]])];
    const rows = await row(averageCrops(model, batches));
    expect(rows[1]).toBeCloseTo(0.5, 6);
    expect(rows[3]).toBeCloseTo(1 / (1 + Math.exp(-3)), 6);
    expect(averageCrops(model, [tensor([[[1]]])]).shape).toEqual([1, 2]);
  });

  it('refuses crops larger than the images, sizes that are none, and no crops', () => {
    expect(() => fiveCrop(counted(4, 8), 5)).toThrow(ShapeError);
    expect(() => fiveCrop(counted(4, 8), 5)).toThrow('crops of 5×5 from images [1,4,8]; resize them first');
    expect(() => centerCrop(counted(4, 8), 0)).toThrow(ArgumentError);
    expect(() => centerCrop(tensor([1]), 1)).toThrow('images of shape [1], wants [...,H,W]');
    expect(() => averageCrops(new Lambda((x: Tensor) => x), [])).toThrow(ArgumentError);
  });
});
