/** The one augmentation of the MNIST recipe; the package `augment` has the others. */
import { ArgumentError } from '@tessera/tensor';
import type { HostArray } from './array';
import type { Draw } from './batches';

/**
 * Each image [N,…,H,W] moved by whole pixels, dy and dx uniform in −pixels … pixels and drawn for each image by itself; what
 * comes in from outside is 0. Equal to torchvision's RandomCrop([H, W], padding = pixels).
 */
export function randomShift(images: HostArray, pixels: number, draw: Draw): HostArray {
  const [rows = 0, ...rest] = images.shape;
  const [height, width] = rest.slice(-2);
  if (height === undefined || width === undefined || !Number.isInteger(pixels) || pixels < 0)
    throw new ArgumentError(
      `randomShift: images [${images.shape}] by ${pixels} pixels; wants images [N,…,H,W] and an integer ≥ 0`,
    );
  const planes = rest.slice(0, -2).reduce((product, size) => product * size, 1);
  const moved = new (images.data.constructor as new (length: number) => HostArray['data'])(images.data.length);
  for (let row = 0; row < rows; row++) {
    const [a = 0, b = 0] = draw.words(row);
    const dy = (a % (2 * pixels + 1)) - pixels;
    const dx = (b % (2 * pixels + 1)) - pixels;
    for (let plane = row * planes; plane < (row + 1) * planes; plane++) {
      const start = plane * height * width;
      for (let y = Math.max(0, dy); y < Math.min(height, height + dy); y++) {
        const from = start + (y - dy) * width + Math.max(0, -dx);
        const seen = Math.max(0, width - Math.abs(dx));
        moved.set(images.data.subarray(from, from + seen), start + y * width + Math.max(0, dx));
      }
    }
  }
  return { ...images, data: moved };
}
