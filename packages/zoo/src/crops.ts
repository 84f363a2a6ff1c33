/** Crops of a fixed size, and the average over several of them, as networks are tested. torchvision.transforms.v2 */
import type { Module } from '@tessera/nn';
import {
  ArgumentError,
  cat,
  flip,
  mean,
  pad,
  reshape,
  ShapeError,
  slice,
  softmax,
  type Tensor,
  unsqueeze,
} from '@tessera/tensor';

/** One length, or height and width. */
export type CropSize = number | readonly [height: number, width: number];

/**
 * The middle of images x [...,H,W] → [...,h,w], from ⌊(H−h)/2⌉ on, halves to the even side; zeros around images that are smaller.
 * torchvision.transforms.v2.CenterCrop
 */
export function centerCrop(x: Tensor, size: CropSize): Tensor {
  const [h, w] = lengths('centerCrop', size);
  const [height, width] = extent('centerCrop', x);
  const [down, right] = [Math.max(0, h - height), Math.max(0, w - width)];
  const before = (extra: number) => Math.floor(extra / 2);
  const after = (extra: number) => extra - before(extra);
  const wide = down || right ? pad(x, [before(right), after(right), before(down), after(down)]) : x;
  return crop(wide, halfEven((height + down - h) / 2), halfEven((width + right - w) / 2), h, w);
}

/**
 * Five crops of x [...,H,W]: top left, top right, bottom left, bottom right, centre. torchvision.transforms.v2.FiveCrop
 * @throws ShapeError where the images are smaller.
 */
export function fiveCrop(x: Tensor, size: CropSize): Tensor[] {
  const [h, w] = lengths('fiveCrop', size);
  const [height, width] = extent('fiveCrop', x);
  if (h > height || w > width)
    throw new ShapeError(`fiveCrop: crops of ${h}×${w} from images [${x.shape}]; resize them first`);
  const [bottom, right] = [height - h, width - w];
  const corners = [
    [0, 0],
    [0, right],
    [bottom, 0],
    [bottom, right],
  ] as const;
  return [...corners.map(([top, left]) => crop(x, top, left, h, w)), centerCrop(x, [h, w])];
}

export interface TenCropOptions {
  /** Turn upside down instead of mirroring. Default false. */
  readonly verticalFlip?: boolean;
}
/** `fiveCrop` of x [...,H,W] and then of its mirror image. torchvision.transforms.v2.TenCrop. @throws ShapeError */
export const tenCrop = (x: Tensor, size: CropSize, { verticalFlip = false }: TenCropOptions = {}): Tensor[] => [
  ...fiveCrop(x, size),
  ...fiveCrop(flip(x, verticalFlip ? -2 : -1), size),
];

/**
 * mean over crops of softmax(model(crop)). Crops [N,C,h,w] or [C,h,w], all of one shape and made ready for the model →
 * [N,classes], N 1 for single images. The test of AlexNet, section 4.1 (Krizhevsky 2012).
 */
export function averageCrops(model: Module, crops: readonly Tensor[]): Tensor {
  const [first] = crops;
  if (!first) throw new ArgumentError('averageCrops: no crops; wants those of fiveCrop or tenCrop');
  const batches = crops.map((one) => (one.rank === 3 ? unsqueeze(one, 0) : one));
  const logits = model.forward(cat(batches, 0));
  const [rows, classes] = logits.shape as [number, number];
  return mean(reshape(softmax(logits, 1), [crops.length, rows / crops.length, classes]), 0);
}

const crop = (x: Tensor, top: number, left: number, h: number, w: number): Tensor =>
  slice(x, [...x.shape.slice(0, -2).map(() => null), [top, top + h], [left, left + w]]);

/** Python's round: of two nearest the even one. */
const halfEven = (value: number): number => {
  const down = Math.floor(value);
  return value - down === 0.5 ? down + (down % 2) : Math.round(value);
};

function lengths(op: string, size: CropSize): readonly [number, number] {
  const [h, w] = typeof size === 'number' ? [size, size] : size;
  if (!(Number.isInteger(h) && Number.isInteger(w) && h > 0 && w > 0))
    throw new ArgumentError(`${op}: size [${size}], wants whole numbers above 0`);
  return [h, w];
}

/** Height and width. @throws ShapeError where there are none. */
export function extent(op: string, x: Tensor): readonly [number, number] {
  const [height, width] = x.shape.slice(-2);
  if (typeof height !== 'number' || typeof width !== 'number')
    throw new ShapeError(`${op}: images of shape [${x.shape}], wants [...,H,W] with known sizes`);
  return [height, width];
}
