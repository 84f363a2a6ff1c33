/** A picture of a digit, from wherever it comes, as the network knows digits. */

import { loadSafetensors, readFile } from '@tessera/nn';
import { type Tensor, TesseraError, tensor } from '@tessera/tensor';
import { PNG } from 'pngjs';
import { predictor, softmax } from './evaluate';
import { digitNet } from './model';

/** A grey picture, ink towards 255. */
export interface Grey {
  readonly data: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** The probability of each digit. @throws LoadError where weights or picture cannot be read. */
export async function classify(weights: string, picture: string): Promise<number[]> {
  const model = digitNet();
  model.loadStateDict(loadSafetensors(await readFile(weights)).tensors);
  model.eval();
  const pixels = toDigit(readPng(await readFile(picture)));
  const scores: Tensor = predictor(model)(tensor(pixels, { shape: [1, 1, 28, 28] }));
  return softmax(Array.from(await scores.data()));
}

/** Grey on white paper, by transparency and ITU-R BT.601 weights; inverted where the paper is light. */
export function readPng(bytes: Uint8Array): Grey {
  let png: PNG;
  try {
    png = PNG.sync.read(Buffer.from(bytes));
  } catch (cause) {
    throw new TesseraError(`image: it is no PNG that can be read (${(cause as Error).message}); convert it first`, {
      cause,
    });
  }
  const { width, height, data } = png;
  const grey = new Float32Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    const [r = 0, g = 0, b = 0, a = 0] = data.subarray(4 * i, 4 * i + 4);
    grey[i] = ((0.299 * r + 0.587 * g + 0.114 * b) * a) / 255 + 255 - a;
  }
  return inkOnBlack({ data: grey, width, height });
}

/** What most of the picture's edge is, is paper: it becomes 0 and the ink bright. */
function inkOnBlack({ data, width, height }: Grey): Grey {
  const edge = Array.from(data).filter((_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return x === 0 || y === 0 || x === width - 1 || y === height - 1;
  });
  const paper = edge.sort((a, b) => a - b)[edge.length >> 1] as number;
  const away = data.map((value) => Math.abs(value - paper));
  const most = away.reduce((a, b) => Math.max(a, b), 0);
  return { data: away.map((value) => (255 * value) / (most || 1)), width, height };
}

/**
 * As MNIST was made: the ink's box scaled into 20×20, placed in 28×28 with its centre of mass in the middle. A picture that is
 * 28×28 already stays as it is.
 */
export function toDigit(grey: Grey): Uint8Array {
  if (grey.width === 28 && grey.height === 28) return Uint8Array.from(grey.data, Math.round);
  const { data, width, height, left, top } = inkBox(grey);
  const scale = 20 / Math.max(width, height);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  const small = new Float32Array(w * h);
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const value = areaMean(
        data,
        grey.width,
        left + (x * width) / w,
        left + ((x + 1) * width) / w,
        top + (y * height) / h,
        top + ((y + 1) * height) / h,
      );
      small[y * w + x] = value;
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
    }
  // Nothing drawn has no centre of mass.
  const moveX = Math.round(14 - (mass ? sumX / mass : w / 2));
  const moveY = Math.round(14 - (mass ? sumY / mass : h / 2));
  const digit = new Uint8Array(784);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const [toX, toY] = [x + moveX, y + moveY];
      if (toX >= 0 && toX < 28 && toY >= 0 && toY < 28) digit[toY * 28 + toX] = Math.round(small[y * w + x] as number);
    }
  return digit;
}

/** The box of all that is at least a quarter as dark as the darkest ink. */
function inkBox({ data, width, height }: Grey) {
  let [left, right, top, bottom] = [width, -1, height, -1];
  data.forEach((value, i) => {
    if (value < 64) return;
    const [x, y] = [i % width, Math.floor(i / width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  if (right < 0) return { data, width, height, left: 0, top: 0 };
  return { data, width: right - left + 1, height: bottom - top + 1, left, top };
}

/** The mean over a rectangle whose edges may cut pixels: no pixel is left out when a picture shrinks. */
function areaMean(data: Float32Array, stride: number, x0: number, x1: number, y0: number, y1: number): number {
  let [sum, area] = [0, 0];
  for (let y = Math.floor(y0); y < y1; y++)
    for (let x = Math.floor(x0); x < x1; x++) {
      const part = (Math.min(x + 1, x1) - Math.max(x, x0)) * (Math.min(y + 1, y1) - Math.max(y, y0));
      sum += part * (data[y * stride + x] ?? 0);
      area += part;
    }
  return sum / area;
}
