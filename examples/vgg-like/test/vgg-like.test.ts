import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as flex from '@tessera/flex';
import { manualSeed, setBackend } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { describe, expect, it } from 'vitest';
import { agrees } from '../../../tools/readme/main';
import { makeVggLikeModel } from '../src/model';
import { draw, shapes } from '../src/shapes';

describe('the program', () => {
  it('prints what its README shows, and learns the shapes', async () => {
    const loader = new URL('../../../tools/loader/register.mjs', import.meta.url).href;
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--import',
      loader,
      '--conditions=@tessera/source',
      main,
    ]);
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const shown = /^```text\n(.*?)^accuracy/ms.exec(readme)?.[1] ?? '';
    expect(agrees(`${shown}accuracy …`, stdout) ? shown : stdout).toBe(shown);
    const losses = [...stdout.matchAll(/loss (\d+\.\d+)/g)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(4);
    expect(losses.at(-1)).toBeLessThan((losses[0] as number) / 4);
    expect(Number(/^accuracy (\d\.\d\d)$/m.exec(stdout)?.[1])).toBeGreaterThan(0.9); // a third would be chance
  }, 180_000);
});

describe('the cell', () => {
  it('takes images of 64×64 in any width, and names the pool that is too much for 32×32', () => {
    expect(flex.shapeInference(makeVggLikeModel(), [null, 3, 64, 64])).toEqual([null, 1000]);
    expect(flex.shapeInference(makeVggLikeModel(32), [null, 3, 64, 64])).toEqual([null, 1000]);
    expect(() => flex.shapeInference(makeVggLikeModel(), [null, 3, 32, 32])).toThrow(
      /41 \(MaxPool2d\): maxPool2d: windows \[2,2\] do not fit input \[\?,2048,1,1\].*; the smallest input that fits is \[\?,3,64,64\]$/,
    );
  });
});

describe('the pictures', () => {
  it('show each shape as often, a square filling more than a triangle, and are the same for the same seed', async () => {
    setBackend(reference());
    const drawn = async (seed: number) => {
      manualSeed(seed);
      return draw(60, 32);
    };
    const { image, label } = await drawn(1);
    expect(image.shape).toEqual([60, 3, 32, 32]);
    expect(shapes.map((_, i) => label.data.filter((of) => of === i).length)).toEqual([20, 20, 20]);
    const bright = shapes.map((_, of) =>
      Array.from(image.data).filter((value, i) => value > 0.3 && label.data[Math.floor(i / 3072)] === of),
    );
    expect(bright[1]?.length).toBeGreaterThan(bright[2]?.length ?? Infinity);
    expect((await drawn(1)).image.data).toEqual(image.data);
    expect((await drawn(2)).image.data).not.toEqual(image.data);
  });
});
