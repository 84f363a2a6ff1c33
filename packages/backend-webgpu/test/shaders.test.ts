/** What the generators write, to be read in review: a file for each, made anew by `vitest -u`. */
import type { Kernel } from '@tessera/tensor/backend';
import { kernelCases } from '@tessera/testkit';
import { describe, expect, it } from 'vitest';
import { type Choice, candidates, generate } from '../src/compile';
import * as by from '../src/kernels/matrix';
import * as rare from '../src/kernels/rare';
import { occupancy, sharedOf, type Tile, threadsOf, tiles } from '../src/kernels/tiles';
import type { Target } from '../src/shader';
import { largeDevice as target } from './target';

const kernelOf = (title: string) => kernelCases.find((test) => test.title === title)?.kernel as Kernel;
const sourceOf = (title: string, choice?: Choice, of: Target = target) =>
  generate(kernelOf(title), of, choice)
    .dispatches.map(({ source }) => source)
    .join('\n');
const tileOf = (m: number, n: number) =>
  tiles.find((tile) => tile.m === m && tile.n === n && tile.staging === 'once') as Tile;

describe('shaders', () => {
  const table: readonly (readonly [file: string, title: string, choice: Choice])[] = [
    ['matmul', 'matmul 64×64 by 64×64', { way: 'tiles', tile: tileOf(32, 32), splits: 1 }],
    ['matmul-transposed', 'matmul 65×67 by 67×130, both transposed', { way: 'tiles', tile: tileOf(32, 32), splits: 1 }],
    ['matmul-split', 'matmul 64×64 by 64×64', { way: 'tiles', tile: tileOf(32, 32), splits: 2 }],
    [
      'matmul-ahead',
      'matmul 64×64 by 64×64',
      { way: 'tiles', tile: { ...tileOf(32, 32), k: 8, staging: 'ahead' }, splits: 1 },
    ],
    [
      'conv-forward',
      'conv forward: 3×3, 64 to 64 channels on 14²',
      { way: 'tiles', tile: tileOf(32, 32), splits: 1, order: 'taps' },
    ],
    [
      'conv-strided-input-gradient',
      'conv inputGrad: 7×7 stride 2, as ResNet begins',
      { way: 'tiles', tile: tileOf(32, 32), splits: 1, order: 'taps' },
    ],
    [
      'conv-weight-gradient',
      'conv weightGrad: 3×3, 64 to 64 channels on 14²',
      { way: 'tiles', tile: tileOf(32, 32), splits: 1, order: 'flat' },
    ],
    ['conv-depthwise', 'conv forward: depthwise 3×3', { way: 'direct', threads: 128, each: 1 }],
    ['conv-depthwise-weights', 'conv weightGrad: depthwise 3×3', { way: 'direct', threads: 64, each: 1 }],
    ['conv-depthwise-stacked', 'conv forward: depthwise 3×3', { way: 'direct', threads: 128, each: 2 }],
  ];
  it.each(table)('%s', async (file, title, choice) => {
    await expect(sourceOf(title, choice)).toMatchFileSnapshot(`shaders/${file}.wgsl`);
  });

  const others: readonly (readonly [file: string, title: string, choice: Choice])[] = [
    [
      'softmax',
      'softmax of [7,1000] along [1], in two stages and a write-back',
      { way: 'rows', lanes: 128, rows: 1, across: false, chunks: 1 },
    ],
    [
      'batch-norm-chunks',
      'batch norm of [4,3,9,11] with statistics out, running means and its gain in place',
      { way: 'rows', lanes: 64, rows: 1, across: false, chunks: 2 },
    ],
    [
      'sum-across',
      'sum, max, min and their places of [4,33,65] along [1]',
      { way: 'rows', lanes: 4, rows: 32, across: true, chunks: 1 },
    ],
    ['pool-max', 'pool max forward: 3×3 stride 2, padded, as ResNet begins', { way: 'windows', each: 4 }],
    ['pool-max-gradient', 'pool max backward: 3×3 stride 2, padded, as ResNet begins', { way: 'windows', each: 4 }],
    ['scan', 'scan sum of [3000] along 0', { way: 'only' }],
    ['sort', 'sort [5,33] along 1, descending, the first 33', { way: 'only' }],
  ];
  it.each(others)('%s, with subgroups', async (file, title, choice) => {
    await expect(sourceOf(title, choice, { ...target, subgroup: 32, rare })).toMatchFileSnapshot(
      `shaders/${file}.wgsl`,
    );
  });

  it('of tensor cores', async () => {
    const kernel = kernelOf('matmul 64×64 by 64×64') as Extract<Kernel, { kind: 'matmul' }>;
    const inputs = kernel.inputs.map((one) => ({ ...one, dtype: 'float16' as const }));
    const matrix = { m: 16, n: 16, k: 16, lanes: 32, by };
    const tile = by.matrixTiles.find(({ m, n }) => m === 64 && n === 64) as (typeof by.matrixTiles)[number];
    for (const splits of [1, 2]) {
      const { dispatches } = generate({ ...kernel, inputs }, { ...target, matrix }, { way: 'matrix', tile, splits });
      await expect(dispatches.map(({ source }) => source).join('\n')).toMatchFileSnapshot(
        `shaders/matmul-matrix${splits > 1 ? '-split' : ''}.wgsl`,
      );
    }
  });
});

describe('the choice of tiles', () => {
  const fits = (tile: Tile, { threads, shared }: Target) => threadsOf(tile) <= threads && sharedOf(tile) <= shared;
  const matmul = (m: number, n: number, k: number): Kernel => {
    const kernel = kernelOf('matmul 64×64 by 64×64') as Extract<Kernel, { kind: 'matmul' }>;
    return { ...kernel, m, n, k };
  };
  const first = (kernel: Kernel, of = target) => candidates(kernel, of)[0] as Extract<Choice, { way: 'tiles' }>;

  it('takes large tiles for large products, and cuts k where there are few of them', () => {
    const large = first(matmul(4096, 4096, 4096));
    expect([large.tile.m, large.tile.n, large.splits]).toEqual([128, 128, 1]);
    const long = first(matmul(64, 64, 100_000));
    expect(long.splits).toBeGreaterThan(8);
    expect(first(matmul(1, 4096, 4096)).tile.m).toBe(4);
    expect(first(matmul(4096, 1, 4096)).tile.n).toBe(4);
  });
  it('offers only what the device has room for', () => {
    const small = { ...target, threads: 64, shared: 16384 };
    const ways = candidates(matmul(512, 512, 512), small) as readonly Extract<Choice, { way: 'tiles' }>[];
    expect(ways.length).toBeGreaterThan(0);
    for (const { tile } of ways) expect(fits(tile, small)).toBe(true);
  });
  it('goes straight to storage where workgroup memory is no faster than a cache, and only there by default', () => {
    const cached = { ...target, cached: true };
    expect(first(matmul(512, 512, 512), cached).tile.staging).toBe('none');
    expect(first(matmul(512, 512, 512)).tile.staging).not.toBe('none');
  });
  it('gives a row whole lanes', () => {
    for (const cached of [true, false]) {
      for (const { kernel } of kernelCases) {
        if (kernel.kind !== 'reduce') continue;
        const ways = candidates(kernel, { ...target, cached }) as readonly Extract<Choice, { way: 'rows' }>[];
        for (const { lanes, rows, chunks } of ways)
          for (const count of [lanes, rows, chunks]) expect(Number.isInteger(count) && count > 0).toBe(true);
      }
    }
  });
  it('is a pure function', () => {
    expect(candidates(matmul(512, 512, 512), target)).toEqual(candidates(matmul(512, 512, 512), target));
  });
  it('knows tiles of which a multiprocessor holds several', () => {
    for (const tile of tiles) expect(occupancy(tile), JSON.stringify(tile)).toBeGreaterThanOrEqual(2);
  });
});
