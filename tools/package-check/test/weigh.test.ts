import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { weigh } from '../weigh.ts';

const folder = mkdtempSync(join(tmpdir(), 'weigh-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, code: string): string {
  const file = join(folder, name);
  writeFileSync(file, code);
  return file;
}

it('a bundle weighs what it loads at once; what it loads on demand is told apart, and unused code is gone', async () => {
  write('big.ts', `export const big = '${'abcdefghij'.repeat(200)}';\nexport const unused = '${'xyz'.repeat(9000)}';`);
  write('later.ts', `export const later = '${'0123456789'.repeat(50)}';`);
  const app = write('app.ts', `export { big } from './big';\nexport const load = () => import('./later');`);
  const { minified, gzip, lazy, heaviest } = await weigh(app);
  expect(minified).toBeGreaterThan(2000);
  expect(minified).toBeLessThan(3000);
  expect(gzip).toBeLessThan(minified);
  expect(lazy).toBeGreaterThan(20);
  expect(heaviest[0]).toMatch(/big\.ts$/);
  expect(heaviest.join()).not.toContain('later.ts');
});
