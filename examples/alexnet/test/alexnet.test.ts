import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as flex from '@tessera/flex';
import * as nn from '@tessera/nn';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { agrees } from '../../../tools/readme/main';
import type { makeAlexnet } from '../src/model';

describe('the program', () => {
  it('prints what its README shows, and its loss falls', async () => {
    const loader = new URL('../../../tools/loader/register.mjs', import.meta.url).href;
    const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
    const flags = ['--import', loader, '--conditions=@tessera/source'];
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, main]);
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
    const shown = /^```text\n(.*?)^```$/ms.exec(readme)?.[1] ?? '';
    expect(agrees(shown, stdout) ? shown : stdout).toBe(shown);
    const losses = [...stdout.matchAll(/loss (\d+\.\d+)/g)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(5);
    expect(losses[0]).toBeCloseTo(Math.log(1000), 1); // nothing is known yet of a thousand classes
    expect(losses.at(-1)).toBeLessThan(1);
  }, 180_000);
});

describe('the types of the cell', () => {
  it('tell the logits that it makes', () => {
    expectTypeOf<nn.MadeBy<ReturnType<typeof makeAlexnet>>>().toEqualTypeOf<[number, 1000]>();
  });

  it('refuse a layer for other channels, naming both', () => {
    const begin = () => [new nn.Input('BDHW', { sizes: [null, 3, 224, 224] }), new flex.Conv2d(96, [11, 11])] as const;
    const refused = () =>
      // @ts-expect-error layer 2 (BatchNorm2d): wants 64 channels, gets 96 from layer 1 (Conv2d)
      new nn.Sequential(...begin(), new nn.BatchNorm2d(64));
    const fits = () => new nn.Sequential(...begin(), new nn.BatchNorm2d(96));
    expect(refused).not.toThrow(); // the compiler's word; at run time shape inference says it
    expect(() => flex.shapeInference(refused(), [null, 3, 224, 224])).toThrow(/^shapeInference: 2 \(BatchNorm2d\): /);
    expect(flex.shapeInference(fits(), [null, 3, 224, 224])).toEqual([null, 96, 214, 214]);
  });
});
