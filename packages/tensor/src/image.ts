/** Pictures out of tensors, for a canvas. */
import { ShapeError } from './errors';
import { type ImageLike, knownShape, type Tensor } from './tensor';

/**
 * The pixels of a picture [H,W,C] or [C,H,W], C of 1 (grey), 3 (RGB) or 4 (RGBA), as what `new ImageData(data, width)` takes.
 * uint8 as it is; floats count from 0 to 1 and are rounded and clamped. [H,W,C] where both readings fit.
 * @throws ShapeError for any other shape
 */
export async function toImage(x: Tensor): Promise<ImageLike> {
  const shape = knownShape(x, 'toImage');
  const isChannels = (size: number | undefined) => size === 1 || size === 3 || size === 4;
  const last = isChannels(shape[2]);
  if (shape.length !== 3 || !(last || isChannels(shape[0])))
    throw new ShapeError(`toImage: shape [${shape}]; wants [H,W,C] or [C,H,W] with 1, 3 or 4 channels`);
  const [height, width, channels] = (last ? shape : [shape[1], shape[2], shape[0]]) as [number, number, number];
  const values = await x.data();
  const scale = x.dtype === 'float32' || x.dtype === 'float16' || x.dtype === 'bool' ? 255 : 1;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  const [pixelStride, channelStride] = last ? [channels, 1] : [1, width * height];
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let c = 0; c < Math.max(3, channels); c++) {
      const value = values[pixel * pixelStride + (channels === 1 ? 0 : c) * channelStride] as number;
      data[pixel * 4 + c] = value * scale;
    }
  }
  return { data, width, height };
}
