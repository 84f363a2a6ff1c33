import { DTypeError, meta, ShapeError, setBackend, type Tensor, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import * as presets from '../src/presets';
import { imagenet, type Preset, preprocess } from '../src/presets';
import { torchvision } from './torchvision';

beforeAll(() => setBackend(reference()));

const plain: Preset = { resize: null, interpolation: 'bilinear', crop: null, mean: [0], std: [1], labels: null };
const row = async (x: Tensor) => Array.from(await x.data());

/** Specification of a resize with antialiasing: a triangle as wide as a pixel of the smaller picture, weights that add to 1. */
function antialiased(line: readonly number[], size: number): number[] {
  const scale = line.length / size;
  const support = Math.max(scale, 1);
  return Array.from({ length: size }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const taps = line.map((value, j) => [value, Math.max(0, 1 - Math.abs(j + 0.5 - centre) / support)] as const);
    const total = taps.reduce((sum, [, weight]) => sum + weight, 0);
    return taps.reduce((sum, [value, weight]) => sum + value * weight, 0) / total;
  });
}

describe('preprocess', () => {
  it('normalises as torchvision does', async () => {
    const { x, normalize } = await torchvision();
    const y = await preprocess({ ...imagenet, resize: null, crop: null })(x).data();
    for (const [i, value] of (await normalize.data()).entries()) expect(y[i]).toBeCloseTo(value, 5);
  });

  it('brings the shorter side to its length, the longer to ⌊size·longer/shorter⌋, and cuts the middle', () => {
    const [C, N] = [3, 2];
    expect(preprocess(imagenet)(tensor(new Uint8Array(3 * 40 * 61), { shape: [C, 40, 61] })).shape).toEqual([
      3, 224, 224,
    ]);
    const sized = (h: number, w: number) =>
      preprocess({ ...imagenet, resize: 20, crop: null })(
        tensor(new Uint8Array(N * C * h * w), { shape: [N, C, h, w] }),
      ).shape;
    expect(sized(40, 61)).toEqual([2, 3, 20, 30]);
    expect(sized(61, 40)).toEqual([2, 3, 30, 20]);
    expect(sized(20, 33)).toEqual([2, 3, 20, 33]);
  });

  it('averages over what a pixel of the smaller picture covers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 9 }),
        fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: 9, maxLength: 24 }),
        async (size, line) => {
          // a square of equal rows: each row of the result is the line resized
          const y = await row(
            preprocess({ ...plain, resize: size })(tensor([Array.from({ length: line.length }, () => line)])),
          );
          const wanted = antialiased(line, size);
          for (const [i, value] of wanted.entries()) expect(y[i]).toBeCloseTo(value, 5);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('rounds uint8 images again after resizing, halves to the even side', async () => {
    const image = tensor(Uint8Array.of(10, 11, 12, 15), { shape: [1, 2, 2] });
    const [mean] = await row(preprocess({ ...plain, resize: 1 })(image));
    expect((mean as number) * 255).toBeCloseTo(12, 4);
    const half = tensor(Uint8Array.of(10, 11, 10, 11), { shape: [1, 2, 2] });
    expect(((await row(preprocess({ ...plain, resize: 1 })(half)))[0] as number) * 255).toBeCloseTo(10, 4);
    const float = tensor([
      [
        [0.1, 0.2],
        [0.1, 0.2],
      ],
    ]);
    expect((await row(preprocess({ ...plain, resize: 1 })(float)))[0]).toBeCloseTo(0.15, 6);
  });

  it('keeps cubic overshoot within uint8', async () => {
    const edge = tensor(
      Uint8Array.from({ length: 64 }, (_, i) => (i % 8 < 4 ? 0 : 255)),
      { shape: [1, 8, 8] },
    );
    const y = await row(preprocess({ ...plain, resize: 16, interpolation: 'bicubic' })(edge));
    expect([Math.min(...y), Math.max(...y)]).toEqual([0, 1]);
  });

  it('gives uint8 and [0,1] the same, and a batch what it gives each', async () => {
    const bytes = Uint8Array.from({ length: 2 * 3 * 8 * 8 }, (_, i) => (i * 37) % 256);
    const ready = preprocess({ ...imagenet, resize: null, crop: 5 });
    const whole = await row(ready(tensor(bytes, { shape: [2, 3, 8, 8] })));
    const floats = await row(
      ready(
        tensor(
          Float32Array.from(bytes, (b) => b / 255),
          { shape: [2, 3, 8, 8] },
        ),
      ),
    );
    for (const [i, value] of whole.entries()) expect(floats[i]).toBeCloseTo(value, 5);
    expect(await row(ready(tensor(bytes.slice(0, 192), { shape: [3, 8, 8] })))).toEqual(whole.slice(0, 75));
  });

  it.each<[Tensor, new (message: string) => Error, string]>([
    [meta([8, 8, 3]), ShapeError, 'images of shape [8,8,3], the preset has 3 channels; is the order [C,H,W]?'],
    [meta([3, 8]), ShapeError, 'images of shape [3,8], wants [C,H,W] or [N,C,H,W]'],
    [meta([3, 8, 8], 'int32'), DTypeError, 'images are int32, wants uint8, or float32 in [0,1]'],
    [meta([3, null, 8]), ShapeError, 'with known sizes'],
  ])('refuses what is no image: %s', (images, kind, message) => {
    expect(() => preprocess(imagenet)(images)).toThrow(kind);
    expect(() => preprocess(imagenet)(images)).toThrow(message);
  });

  it('has presets with a mean and a deviation for each channel', () => {
    const all = Object.values(presets).filter((value): value is Preset => typeof value === 'object');
    expect(all.map(({ resize, crop }) => [resize, crop])).toEqual(
      expect.arrayContaining([
        [256, 224],
        [232, 224],
        [342, 299],
      ]),
    );
    for (const { mean, std } of all) expect(mean.length).toBe(std.length);
  });
});
