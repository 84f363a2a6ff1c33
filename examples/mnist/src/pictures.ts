/** Small grey pictures as PNG data URIs, for the report. */
import { PNG } from 'pngjs';

/** Values [height·width] from `low` (black) to `high` (white). */
export function greyPng(values: ArrayLike<number>, width: number, low: number, high: number): string {
  const height = values.length / width;
  const png = new PNG({ width, height });
  for (let i = 0; i < values.length; i++) {
    const grey = Math.round((255 * ((values[i] as number) - low)) / (high - low || 1));
    png.data.fill(Math.min(255, Math.max(0, grey)), 4 * i, 4 * i + 3);
    png.data[4 * i + 3] = 255;
  }
  return `data:image/png;base64,${PNG.sync.write(png, { colorType: 0 }).toString('base64')}`;
}
