/** The convolution of networks whose convolutions are followed by batch norm. */
import { Conv2d } from '@tessera/nn';
import { kaimingFanOut } from './initial';

/** Without bias, padded so that stride 1 keeps the size, weight ~ N(0, 2/(O·size²)). */
export function conv(
  inChannels: number,
  out: number,
  size: number,
  { stride = 1, groups = 1, dilation = 1 } = {},
): Conv2d {
  const padding = (dilation * (size - 1)) / 2;
  const layer = new Conv2d(inChannels, out, size, { stride, padding, dilation, groups, bias: false });
  kaimingFanOut(layer);
  return layer;
}
