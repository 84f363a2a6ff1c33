import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { type Grey, readPng, toDigit } from '../src/classify';

/** A PNG of one colour with a bar of another, `alpha` for what is not the bar. */
function bar(width: number, height: number, { paper = 255, ink = 0, alpha = 255 } = {}): Uint8Array {
  const png = new PNG({ width, height });
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const inside = x >= width * 0.4 && x < width * 0.6 && y >= height * 0.2 && y < height * 0.8;
      png.data.set(inside ? [ink, ink, ink, 255] : [paper, paper, paper, alpha], 4 * (y * width + x));
    }
  return PNG.sync.write(png);
}
const inkAt = ({ data, width }: Grey, x: number, y: number) => data[y * width + x];

describe('readPng', () => {
  it.each([
    ['dark on light', {}],
    ['light on dark', { paper: 0, ink: 255 }],
    ['grey on grey', { paper: 200, ink: 60 }],
    ['black on transparent', { paper: 0, alpha: 0 }],
  ])('makes the ink of %s bright', (_, colors) => {
    const grey = readPng(bar(50, 40, colors));
    expect(inkAt(grey, 25, 20)).toBeCloseTo(255, 3);
    expect(inkAt(grey, 2, 2)).toBeCloseTo(0, 3);
  });

  it('names what is no picture', () => {
    expect(() => readPng(new TextEncoder().encode('GIF89a'))).toThrow(/it is no PNG that can be read/);
  });
});

describe('toDigit', () => {
  it('leaves 28×28 as it is', () => {
    const grey = readPng(bar(28, 28));
    expect(Array.from(toDigit(grey))).toEqual(Array.from(grey.data, Math.round));
  });

  it.each([
    [300, 400],
    [31, 57],
    [14, 14],
  ])('fits the ink of %s×%s into 20×20, its centre of mass in the middle', (width, height) => {
    const digit = toDigit(readPng(bar(width, height)));
    const rows = Array.from({ length: 28 }, (_, y) => Math.max(...digit.subarray(y * 28, (y + 1) * 28)));
    expect(rows.filter((value) => value > 0).length).toBe(20);
    let [mass, x, y] = [0, 0, 0];
    digit.forEach((value, i) => {
      mass += value;
      x += value * ((i % 28) + 0.5);
      y += value * (Math.floor(i / 28) + 0.5);
    });
    expect(Math.abs(x / mass - 14)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(y / mass - 14)).toBeLessThanOrEqual(0.5);
  });

  it('answers an empty picture with an empty digit', () => {
    expect(toDigit({ data: new Float32Array(900), width: 30, height: 30 })).toEqual(new Uint8Array(784));
  });
});
