import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { effectFaults } from '../effects.ts';
import { importFaults, manifestFaults, reachable } from '../imports.ts';
import { table } from '../table.ts';

const houses: string[] = [];
afterEach(() => {
  for (const home of houses.splice(0)) rmSync(home, { recursive: true });
});

/** A small house: `packages/<path>` → source. Each package declares what `declares` says of it. */
function house(files: Record<string, string>, declares: Record<string, string[]> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'house-'));
  houses.push(root);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  mkdirSync(join(root, 'node_modules/@tessera'), { recursive: true });
  for (const name of new Set(Object.keys(files).map((path) => path.split('/')[0]!))) {
    const peers = Object.fromEntries((declares[name] ?? []).map((target) => [target, '*']));
    const manifest = {
      name: `@tessera/${name}`,
      type: 'module',
      sideEffects: false,
      exports: { '.': { '@tessera/source': './src/index.ts' } },
      ...(declares[name] ? { peerDependencies: peers } : {}),
    };
    write(`packages/${name}/package.json`, JSON.stringify(manifest));
    symlinkSync(join(root, 'packages', name), join(root, 'node_modules/@tessera', name));
  }
  for (const [path, text] of Object.entries(files)) write(`packages/${path}`, text);
  return root;
}

const T = '@tessera/tensor';
const tensor = { 'tensor/src/index.ts': 'export const one = 1;\nexport type One = 1;' };
const faults = (root: string) => importFaults(root, table);

describe('arrows', () => {
  it('follow the table along a chain', () => {
    expect([...reachable(table, 'nn')]).toEqual(['autograd', 'tensor']);
    expect([...reachable(table, 'tensor')]).toEqual([]);
    for (const name of ['tensor', 'autograd', 'nn', 'flex', 'zoo', 'detect', 'interpret', 'onnx', 'data', 'testkit'])
      expect([...reachable(table, name)].filter((target) => target.startsWith('backend'))).toEqual([]);
  });

  it('pass where the table has them, in one step or two', async () => {
    const root = house(
      {
        ...tensor,
        'autograd/src/index.ts': `export { one } from '${T}';`,
        'nn/src/index.ts': `import { one } from '@tessera/autograd';\nexport const two = () => one + 1;\nexport type { One } from '${T}';`,
      },
      { autograd: [T], nn: [T, '@tessera/autograd'] },
    );
    expect(await faults(root)).toEqual([]);
  });

  it('fail upwards, even for a type', async () => {
    const root = house(
      {
        'tensor/src/index.ts': `import type { Layer } from '@tessera/nn';\nexport const f = (layer: Layer) => layer;`,
        'nn/src/index.ts': 'export type Layer = 1;',
      },
      { tensor: ['@tessera/nn'] },
    );
    expect(await faults(root)).toEqual([
      'tensor may import no package of the house\n    packages/tensor/src/index.ts → packages/nn/src/index.ts',
    ]);
  });

  it('fail sideways: no package imports a backend', async () => {
    const root = house(
      {
        'nn/src/index.ts': `export const load = () => import('@tessera/backend-cpu');`,
        'backend-cpu/src/index.ts': 'export const cpu = 1;',
      },
      { nn: ['@tessera/backend-cpu'] },
    );
    expect(await faults(root)).toEqual([
      'nn may import autograd, tensor\n    packages/nn/src/index.ts → packages/backend-cpu/src/index.ts',
    ]);
  });

  it('fail for a package that is not even installed', async () => {
    const root = house({ 'data/src/index.ts': `export { zoo } from '@tessera/zoo';` }, { data: ['@tessera/zoo'] });
    expect(await faults(root)).toEqual(['data may import tensor\n    packages/data/src/index.ts → @tessera/zoo']);
  });

  it('of backend-auto are dynamic', async () => {
    const cpu = { 'backend-cpu/src/index.ts': 'export const cpu = 1;' };
    const peers = { 'backend-auto': ['@tessera/backend-cpu'] };
    const lazy = house(
      { ...cpu, 'backend-auto/src/index.ts': `export const f = () => import('@tessera/backend-cpu');` },
      peers,
    );
    expect(await faults(lazy)).toEqual([]);
    const eager = house({ ...cpu, 'backend-auto/src/index.ts': `export { cpu } from '@tessera/backend-cpu';` }, peers);
    expect(await faults(eager)).toEqual([
      'backend-auto loads the packages it chooses from by dynamic import\n' +
        '    packages/backend-auto/src/index.ts → packages/backend-cpu/src/index.ts',
    ]);
  });

  it('fail for a package that the table does not know', async () => {
    const root = house({ 'helpers/src/index.ts': 'export const help = 1;' });
    expect(await faults(root)).toEqual(['helpers is not in the table (tools/rules/table.ts)']);
  });
});

describe('imports', () => {
  it('enter another package by its name', async () => {
    const root = house({ ...tensor, 'data/src/index.ts': `export { one } from '../../tensor/src/index';` });
    expect(await faults(root)).toEqual([
      'a package is entered by its name, not by a path\n    packages/data/src/index.ts → ../../tensor/src/index',
    ]);
  });

  it('are declared in package.json', async () => {
    const root = house({
      ...tensor,
      'data/src/index.ts': `export { one } from '${T}';\nexport { zip } from 'zippy/fast';`,
    });
    expect(await faults(root)).toEqual([
      `data imports ${T}, which its package.json does not declare\n    packages/data/src/index.ts`,
      'data imports zippy, which its package.json does not declare\n    packages/data/src/index.ts',
    ]);
  });

  it("leave Node's modules to the packages that may", async () => {
    const read = `export { readFileSync } from 'node:fs';`;
    const root = house({ 'nn/src/index.ts': read, 'backend-cpu/src/index.ts': read });
    expect(await faults(root)).toEqual([
      "only backend-cpu, backend-webgpu, testkit may import Node's modules\n    packages/nn/src/index.ts → fs",
    ]);
  });

  it('do not make a dependency of tensor', () => {
    expect(manifestFaults(house(tensor, { tensor: ['left-pad'] }))).toEqual(['tensor has no dependencies']);
  });
});

describe('cycles', () => {
  it('fail between files of a package', async () => {
    const root = house({
      'tensor/src/index.ts': `export { a } from './a';`,
      'tensor/src/a.ts': `import { b } from './b';\nexport const a = () => b;`,
      'tensor/src/b.ts': `import { a } from './a';\nexport const b = () => a;`,
    });
    const found = await faults(root);
    expect(found.length).toBeGreaterThan(0);
    expect(found.join()).toContain('packages/tensor/src/a.ts → packages/tensor/src/b.ts → packages/tensor/src/a.ts');
  });

  it.each(["import type { A } from './a';", "import { type A } from './a';"])(
    'pass where only types are mutual: %s',
    async (mutual) => {
      const root = house({
        'tensor/src/index.ts': `export { a } from './a';`,
        'tensor/src/a.ts': `import { b } from './b';\nexport interface A { b: typeof b }\nexport const a = () => b;`,
        'tensor/src/b.ts': `${mutual}\nexport const b = (a: A) => a;`,
      });
      expect(await faults(root)).toEqual([]);
    },
  );
});

describe('effects at import', () => {
  const effects = (files: Record<string, string>) => effectFaults(house(files), table);

  it('are none in functions, classes, constants and pure calls', async () => {
    const source = [
      'export function f() { console.log(1); }',
      "export class Fault extends Error { override name = 'Fault'; }",
      'export const names = { a: 1, b: [2] } as const;',
      'const make = () => Object.create(null);',
      'export const op = /* @__PURE__ */ make();',
    ].join('\n');
    expect(await effects({ 'tensor/src/index.ts': source })).toEqual([]);
  });

  it.each([
    ['an unmarked call', 'export const made = Object.create(globalThis.process ?? null);\nmade.x?.();'],
    ['a global that is set', 'globalThis.tessera = {};'],
    ['a registry that fills itself', 'const table = new Map();\ntable.set(1, 2);\nexport const get = () => table;'],
  ])('fail: %s', async (_, source) => {
    const [fault, ...rest] = await effects({
      'tensor/src/index.ts': `export { f } from './inner';`,
      'tensor/src/inner.ts': `export const f = 1;\n${source}`,
    });
    expect(rest).toEqual([]);
    expect(fault).toMatch(/^@tessera\/tensor acts at import: packages\/tensor\/src\/inner\.ts\n/);
  });

  it('are what the manifest says only if the code agrees', async () => {
    // `sideEffects: false` alone would let a bundler drop this silently.
    expect(
      await effects({
        'nn/src/index.ts': `import './patch';\nexport const n = 1;`,
        'nn/src/patch.ts': 'Array.prototype.at = () => 0;',
      }),
    ).toHaveLength(1);
  });
});
