import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArgumentError, LoadError, setBackend, type Tensor, TesseraError, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Files, writeFiles } from '../src/files';
import { type LoadProgress, loadSafetensors, saveSafetensors } from '../src/index';

let folder: string;
let path: string;
const at = (name: string) => join(folder, name);
const [first, second, third] = [1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`) as [string, string, string];
beforeAll(() => setBackend(reference()));
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'tessera-shards-'));
  path = at('model.safetensors');
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

/** 8, 16, 40 and 8 bytes: at most 24 a shard makes [a b] [c] [d]. */
const some = (offset = 0): Record<string, Tensor> => ({
  a: tensor([offset + 1, 2]),
  b: tensor([3, 4, 5, 6]),
  c: tensor(Float32Array.from({ length: 10 }, (_, i) => i)),
  d: tensor([7, offset + 8]),
});
const save = (offset = 0) => saveSafetensors(some(offset), path, { maxShardSize: 24, metadata: { format: 'pt' } });
const index = () => `${path}.index.json`;
async function edit(change: (json: { weight_map: Record<string, unknown>; metadata?: unknown }) => unknown) {
  const json = JSON.parse(await fs.readFile(index(), 'utf8')) as never;
  await fs.writeFile(index(), JSON.stringify(change(json) ?? json));
}
const hashesOf = async () =>
  Object.fromEntries(
    await Promise.all(
      [first, second, third].map(async (name) => [
        name,
        createHash('sha256')
          .update(await fs.readFile(at(name)))
          .digest('hex'),
      ]),
    ),
  ) as Record<string, string>;

describe('a set in shards', () => {
  it('is laid out as Hugging Face does it', async () => {
    await save();
    expect((await fs.readdir(folder)).sort()).toEqual([first, second, third, 'model.safetensors.index.json']);
    expect(JSON.parse(await fs.readFile(index(), 'utf8'))).toEqual({
      metadata: { total_size: 72 },
      weight_map: { a: first, b: first, c: second, d: third },
    });
    const { tensors, metadata } = await loadSafetensors(at(first));
    expect([[...tensors.keys()], metadata]).toEqual([['a', 'b'], { format: 'pt' }]);
  });

  it('is read from its index, as one', async () => {
    await save();
    const events: LoadProgress[] = [];
    const { tensors, metadata } = await loadSafetensors(index(), { progress: (event) => events.push(event) });
    expect(metadata).toEqual({ format: 'pt' });
    for (const [key, x] of Object.entries(some()))
      expect(Array.from((await tensors.get(key)?.data()) ?? [])).toEqual(Array.from(await x.data()));
    expect(events.at(-1)).toEqual({ loaded: 72, total: 72 });
  });

  it('is one file where all fits, with no index', async () => {
    await saveSafetensors(some(), path, { maxShardSize: 72 });
    expect(await fs.readdir(folder)).toEqual(['model.safetensors']);
  });

  it('is loaded over the network from beside its index', async () => {
    await save();
    const asked: string[] = [];
    const stub = vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
      const url = new URL(String(input));
      asked.push(url.href);
      return new Response(new Uint8Array(await fs.readFile(at(url.pathname.split('/').pop() as string))));
    });
    try {
      const { tensors } = await loadSafetensors('https://example.org/net/main/model.safetensors.index.json?token=1');
      expect(tensors.size).toBe(4);
      expect(asked).toEqual([
        'https://example.org/net/main/model.safetensors.index.json?token=1',
        ...[first, second, third].map((name) => `https://example.org/net/main/${name}`),
      ]);
    } finally {
      stub.mockRestore();
    }
  });

  it('is checked against the hash of each shard', async () => {
    await save();
    const integrity = await hashesOf();
    expect((await loadSafetensors(index(), { integrity })).tensors.size).toBe(4);
    await expect(
      loadSafetensors(index(), { integrity: { ...integrity, [second]: integrity[first] as string } }),
    ).rejects.toThrow(`${second}: the SHA-256 is ${integrity[second]}, wants ${integrity[first]}`);
    const { [third]: _, ...short } = integrity;
    await expect(loadSafetensors(index(), { integrity: short })).rejects.toThrow(`integrity has no hash of ${third}`);
    await expect(loadSafetensors(index(), { integrity: integrity[first] as string })).rejects.toThrow(ArgumentError);
  });
});

describe('a set in shards is refused', () => {
  it.each<[string, () => unknown, string | RegExp]>([
    ['where a shard is missing', () => fs.rm(at(second)), `${second}: could not be read after 0 bytes (ENOENT`],
    ['where a shard is cut', () => fs.truncate(at(second), 80), new RegExp(`${second}: .*truncated`)],
    [
      'where the index names a tensor that its shard lacks',
      () => edit((json) => void (json.weight_map['e'] = first)),
      `${first}: the index has "e" here, it is missing`,
    ],
    [
      'where a shard has a tensor that the index lacks',
      () => edit((json) => void delete json.weight_map['b']),
      `${first}: "b" is here, the index lacks it`,
    ],
    [
      'where a tensor is in two shards',
      async () => fs.writeFile(at(third), await saveSafetensors({ d: tensor([7, 8]), a: tensor([9, 9]) })),
      `${third}: "a" is here and, says the index, in ${first}; which is it?`,
    ],
    [
      'where the index is no JSON',
      () => fs.writeFile(index(), '{"weight_map":'),
      'model.safetensors.index.json: it is no JSON',
    ],
    ['where the index has no map', () => edit(() => ({ weight_map: ['a'] })), 'wants an object weight_map'],
    [
      'where the index leads to another folder',
      () => edit((json) => void (json.weight_map['a'] = '../secret.safetensors')),
      '"a" is in "../secret.safetensors", wants the name of a .safetensors file beside it',
    ],
    ['where the index leads nowhere', () => edit((json) => void (json.weight_map['a'] = null)), '"a" is in "null"'],
  ])('%s', async (_, damage, message) => {
    await save();
    await damage();
    const error = await loadSafetensors(index()).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LoadError);
    if (typeof message === 'string') expect(String(error)).toContain(message);
    else expect(String(error)).toMatch(message);
  });
});

describe('writing a set in shards', () => {
  it('leaves the old set whole until all of the new one is written', async () => {
    await save();
    const before = await hashesOf();
    const gone = tensor([1]);
    gone.dispose();
    await expect(saveSafetensors({ ...some(100), gone }, path, { maxShardSize: 24 })).rejects.toThrow(TesseraError);
    expect(await hashesOf()).toEqual(before);
    expect((await loadSafetensors(index())).tensors.size).toBe(4);
    expect((await fs.readdir(folder)).length).toBe(4);
    await save(100);
    expect((await (await loadSafetensors(index())).tensors.get('d')?.data())?.[1]).toBe(108);
  });

  const files = () =>
    [first, second, `${path}.index.json`].map((name) => ({
      path: join(folder, name.replace(folder, '')),
      chunks: [Uint8Array.of(2)],
    }));
  it.each([1, 2, 3])('leaves all old files where the disk takes no more at file %s', async (which) => {
    for (const { path } of files()) await fs.writeFile(path, 'old');
    let opened = 0;
    const full: Files = {
      ...fs,
      open: async (...args) => {
        if (++opened === which) throw new Error('ENOSPC: no space left on device');
        return fs.open(...args);
      },
    };
    await expect(writeFiles('save', files(), full)).rejects.toThrow('what was there before is untouched');
    for (const { path } of files()) expect(await fs.readFile(path, 'utf8')).toBe('old');
    expect((await fs.readdir(folder)).length).toBe(3);
  });

  it.each([1, 2, 3])('leaves no index to a mixture where it dies at renaming %s', async (which) => {
    for (const { path } of files()) await fs.writeFile(path, 'old');
    let renamed = 0;
    const broken: Files = {
      ...fs,
      rename: async (...args) => {
        if (++renamed === which) throw new Error('EIO: the disk is gone');
        return fs.rename(...args);
      },
    };
    await expect(writeFiles('save', files(), broken)).rejects.toThrow('only partly in place; write them again');
    expect(await fs.readdir(folder)).not.toContain('model.safetensors.index.json');
  });

  it.each([0, -1, Number.NaN])('refuses shards of at most %s bytes', async (maxShardSize) => {
    await expect(saveSafetensors(some(), path, { maxShardSize })).rejects.toThrow(ArgumentError);
  });
  it('refuses to cut a stream in shards', async () => {
    await expect(saveSafetensors(some(), new WritableStream(), { maxShardSize: 24 })).rejects.toThrow('leave it out');
  });
});
