/** What images go through before a network sees them, as data, and the function that it comes to. */
import {
  cast,
  clamp,
  DTypeError,
  div,
  interpolate,
  round,
  ShapeError,
  squeeze,
  sub,
  type Tensor,
  tensor,
  unsqueeze,
} from '@tessera/tensor';
import { centerCrop, extent } from './crops';

export interface Preset {
  /** Length that the shorter side is brought to; null: none. */
  readonly resize: number | null;
  readonly interpolation: 'nearest' | 'bilinear' | 'bicubic';
  /** Side of the square that is cut from the middle; null: none. */
  readonly crop: number | null;
  /** Subtracted from [0,1], a number a channel. */
  readonly mean: readonly number[];
  /** Divided by, after that. */
  readonly std: readonly number[];
  /** Names of the classes, where they are few: ImageNet's are on a path of their own, `@tessera/zoo/imagenet-labels`. */
  readonly labels: readonly string[] | null;
}

const ofImageNet = (resize: number, crop: number): Preset => ({
  resize,
  interpolation: 'bilinear',
  crop,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  labels: null,
});
/** torchvision's first weights (IMAGENET1K_V1) of all families but Inception v3. */
export const imagenet: Preset = /* @__PURE__ */ ofImageNet(256, 224);
/** Its second (IMAGENET1K_V2) of ResNets and MobileNet v2. */
export const imagenetV2: Preset = /* @__PURE__ */ ofImageNet(232, 224);
/** Inception v3's. */
export const imagenetInception: Preset = /* @__PURE__ */ ofImageNet(342, 299);
/** CIFAR-10, images of 32×32 as they are. */
export const cifar10: Preset = {
  resize: null,
  interpolation: 'bilinear',
  crop: null,
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.247, 0.2435, 0.2616],
  labels: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
};
/** MNIST, images of 28×28 as they are. */
export const mnist: Preset = {
  resize: null,
  interpolation: 'bilinear',
  crop: null,
  mean: [0.1307],
  std: [0.3081],
  labels: ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
};

/**
 * → a function of images [C,H,W] or [N,C,H,W], uint8 or float in [0,1], to what the network takes, float32 [C,h,w] or
 * [N,C,h,w]: the shorter side resized with antialiasing (uint8 rounded again, halves to even), the middle cut out, (x − mean)/std.
 * torchvision.transforms._presets.ImageClassification
 * @throws ShapeError for other shapes, or channels of another number than the preset has; DTypeError for other dtypes.
 */
export function preprocess(preset: Preset): (images: Tensor) => Tensor {
  const { resize, crop, mean, std } = preset;
  const perChannel = (values: readonly number[]) => tensor(values.map((value) => [[value]]));
  return (images) => {
    if (images.dtype === 'int32' || images.dtype === 'bool')
      throw new DTypeError(`preprocess: images are ${images.dtype}, wants uint8, or float32 in [0,1]; cast them first`);
    if (images.rank !== 3 && images.rank !== 4)
      throw new ShapeError(`preprocess: images of shape [${images.shape}], wants [C,H,W] or [N,C,H,W]`);
    if (images.shape.at(-3) !== mean.length)
      throw new ShapeError(
        `preprocess: images of shape [${images.shape}], the preset has ${mean.length} channels; is the order [C,H,W]?`,
      );
    const sized = resize === null ? images : shorterSide(images, resize, preset.interpolation);
    const cut = crop === null ? sized : centerCrop(sized, crop);
    const unit = cut.dtype === 'uint8' ? div(cast(cut, 'float32'), 255) : cast(cut, 'float32');
    return div(sub(unit, perChannel(mean)), perChannel(std));
  };
}

/** The shorter side `size` long, the longer ⌊size·longer/shorter⌋; the dtype stays. torchvision.transforms.v2.Resize */
function shorterSide(images: Tensor, size: number, mode: Preset['interpolation']): Tensor {
  const [height, width] = extent('preprocess', images);
  const long = Math.floor((size * Math.max(height, width)) / Math.min(height, width));
  const to = height <= width ? [size, long] : [long, size];
  if (to[0] === height && to[1] === width) return images;
  const batch = images.rank === 3 ? unsqueeze(images, 0) : images;
  const y = interpolate(cast(batch, 'float32'), { size: to, mode, antialias: mode !== 'nearest' });
  const sized = images.dtype === 'uint8' ? cast(clamp(round(y), 0, 255), 'uint8') : y;
  return images.rank === 3 ? squeeze(sized, 0) : sized;
}
