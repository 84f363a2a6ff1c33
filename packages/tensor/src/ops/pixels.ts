/** Channels as pixels and back: moves only. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { permute, reshape } from './shape';

/** x [...,C,H,W] as its leading axes and the three sizes. */
function image(op: string, like: TensorLike, factor: number) {
  const x = toTensor(like, op);
  if (!Number.isInteger(factor) || factor < 1)
    throw new ArgumentError(`${op}: factor ${factor}; wants a whole number from 1`);
  if (x.rank < 3) throw new ShapeError(`${op}: input ${showShape(x.shape)}; wants [...,C,H,W]`);
  const lead = x.shape.slice(0, -3);
  const [c, h, w] = x.shape.slice(-3) as [number | null, number | null, number | null];
  /** Split, the axes behind `lead` exchanged, merged. */
  const moved = (split: Shape, axes: readonly number[], merged: Shape): Tensor => {
    const leading = lead.map((_, axis) => axis);
    const exchanged = permute(reshape(x, [...lead, ...split]), [...leading, ...axes.map((axis) => lead.length + axis)]);
    return reshape(exchanged, [...lead, ...merged]);
  };
  return { shape: x.shape, c, h, w, moved };
}
const times = (size: number | null, n: number): number | null => (size === null ? null : size * n);
/** @throws ShapeError where the size is no multiple */
function over(op: string, shape: Shape, size: number | null, n: number): number | null {
  if (size === null) return null;
  if (size % n !== 0) throw new ShapeError(`${op}: ${size} in ${showShape(shape)}; wants a multiple of ${n}`);
  return size / n;
}

/** y[c, r·h+i, r·w+j] = x[r²·c + r·i + j, h, w].  [...,C·r²,H,W] → [...,C,H·r,W·r]. torch.nn.functional.pixel_shuffle
 *  (Shi 2016). @throws ShapeError unless r² divides the channels. */
export function pixelShuffle(x: TensorLike, upscaleFactor: number): Tensor {
  const r = upscaleFactor;
  const { shape, c, h, w, moved } = image('pixelShuffle', x, r);
  const channels = over('pixelShuffle', shape, c, r * r);
  return moved([channels, r, r, h, w], [0, 3, 1, 4, 2], [channels, times(h, r), times(w, r)]);
}

/** The way back: [...,C,H·r,W·r] → [...,C·r²,H,W]. torch.nn.functional.pixel_unshuffle.
 *  @throws ShapeError unless r divides height and width. */
export function pixelUnshuffle(x: TensorLike, downscaleFactor: number): Tensor {
  const r = downscaleFactor;
  const { shape, c, h, w, moved } = image('pixelUnshuffle', x, r);
  const [rows, columns] = [over('pixelUnshuffle', shape, h, r), over('pixelUnshuffle', shape, w, r)];
  return moved([c, rows, r, columns, r], [0, 2, 4, 1, 3], [times(c, r * r), rows, columns]);
}

/** Channels dealt out in turn to the groups: channel g·(C/groups) + k goes to k·groups + g.  [...,C,H,W], the same shape.
 *  torch.nn.functional.channel_shuffle (Zhang 2018). @throws ShapeError unless the groups divide the channels. */
export function channelShuffle(x: TensorLike, groups: number): Tensor {
  const { shape, c, h, w, moved } = image('channelShuffle', x, groups);
  return moved([groups, over('channelShuffle', shape, c, groups), h, w], [1, 0, 2, 3], [c, h, w]);
}
