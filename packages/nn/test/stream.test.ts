import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ArgumentError, LoadError, State, setBackend, type Tensor, TesseraError, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type LoadedTensors, type LoadProgress, loadSafetensors, saveSafetensors } from '../src/index';

let folder: string;
let path: string;
beforeAll(() => setBackend(reference()));
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), 'tessera-stream-'));
  path = join(folder, 'model.safetensors');
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const some = (): Record<string, Tensor> => ({
  'layer.weight': tensor([
    [1, 2.5, -3],
    [4, 5, 6],
  ]),
  'layer.bias': tensor([0.5, -0.5, 1e-7]),
  count: tensor(7, { dtype: 'int32' }),
  mask: tensor([true, false, true]),
  empty: tensor(new Float32Array(0), { shape: [0, 4] }),
});
async function contents({ tensors, metadata }: LoadedTensors) {
  const list = await Promise.all(
    [...tensors].map(async ([key, x]) => ({ key, dtype: x.dtype, shape: x.shape, data: Array.from(await x.data()) })),
  );
  return { list, metadata };
}
const streamOf = (bytes: Uint8Array, cuts: readonly number[] = []): ReadableStream<Uint8Array> => {
  const places = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])].sort((a, b) => a - b);
  return new ReadableStream({
    start(controller) {
      for (const [i, place] of places.entries()) controller.enqueue(bytes.slice(place, places[i + 1] ?? bytes.length));
      controller.close();
    },
  });
};
const base64 = (bytes: Uint8Array) => `sha256-${createHash('sha256').update(bytes).digest('base64')}`;

let server: Server;
let address: string;
/** What the server answers, by path. */
const served = new Map<string, Uint8Array>();
beforeAll(async () => {
  server = createServer((request, response) => {
    const name = (request.url ?? '').split('?')[0] as string;
    const bytes = served.get(name.replace(/^\/(cut|stall)/, ''));
    if (!bytes) return void response.writeHead(404).end('no such file');
    response.writeHead(200, { 'content-length': bytes.length });
    if (!/^\/(cut|stall)/.test(name)) return void response.end(bytes);
    response.write(bytes.subarray(0, bytes.length - 4));
    if (name.startsWith('/cut')) setTimeout(() => response.destroy(), 20);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe('loadSafetensors as the bytes come', () => {
  it('reads the same from every kind of source', async () => {
    const bytes = Uint8Array.from(await saveSafetensors(some(), { note: 'x' }));
    await fs.writeFile(path, bytes);
    served.set('/m.safetensors', bytes);
    const wanted = await contents(loadSafetensors(bytes));
    for (const source of [
      path,
      pathToFileURL(path),
      pathToFileURL(path).href,
      new URL(`${address}/m.safetensors`),
      `${address}/m.safetensors?download=true`,
      new Blob([bytes]),
      streamOf(bytes),
      `data:application/octet-stream;base64,${Buffer.from(bytes).toString('base64')}`,
    ])
      expect(await contents(await loadSafetensors(source))).toEqual(wanted);
    for (const held of [bytes, bytes.buffer]) expect(await contents(await loadSafetensors(held, {}))).toEqual(wanted);
  });

  it('reads the same, wherever the stream is cut into pieces', async () => {
    const bytes = await saveSafetensors(some());
    const wanted = await contents(loadSafetensors(bytes));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat()), async (cuts) => {
        expect(await contents(await loadSafetensors(streamOf(bytes, cuts)))).toEqual(wanted);
      }),
      { numRuns: 50 },
    );
  });

  it('grows a tensor that is longer than what a file is believed', async () => {
    const long = Float32Array.from({ length: 5_000_001 }, (_, i) => i);
    const bytes = await saveSafetensors({ long: tensor(long) });
    const { tensors } = await loadSafetensors(new Blob([Uint8Array.from(bytes)]).stream());
    const data = await tensors.get('long')?.data();
    expect([data?.length, data?.findIndex((value, i) => value !== i)]).toEqual([long.length, -1]);
  });

  it('holds no more than the bytes of one tensor beside the tensors', async () => {
    const one = 1 << 20;
    const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`t${i}`, tensor(new Float32Array(one))]));
    await saveSafetensors(many, path);
    for (const x of Object.values(many)) x.dispose();
    // what earlier tests left behind is swept beside the program
    for (let i = 0; i < 10; i++) {
      live();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const before = live();
    let most = 0;
    const { tensors } = await loadSafetensors(path, { progress: () => (most = Math.max(most, live())) });
    expect(tensors.size).toBe(10);
    expect(live() - before).toBeGreaterThan(10 * 4 * one - 1);
    expect(most - before).toBeLessThan((10 + 3) * 4 * one);
  });
  const live = () => {
    globalThis.gc?.();
    return process.memoryUsage().arrayBuffers;
  };

  it('tells how far it is, to the last byte of values', async () => {
    const bytes = await saveSafetensors(some());
    const events: LoadProgress[] = [];
    await loadSafetensors(streamOf(bytes, [3, 200, bytes.length - 5]), { progress: (event) => events.push(event) });
    const total = 6 * 4 + 3 * 4 + 4 + 3;
    expect(new Set(events.map((event) => event.total))).toEqual(new Set([total]));
    expect(events.map(({ loaded }) => loaded)).toEqual(events.map(({ loaded }) => loaded).sort((a, b) => a - b));
    expect(events.length).toBeGreaterThan(1);
    expect(events.at(-1)?.loaded).toBe(total);
  });

  it('accepts the hash that was meant, in base64 and in hex, with Node and with the library of pages', async () => {
    const bytes = await saveSafetensors(some());
    const hex = createHash('sha256').update(bytes).digest('hex');
    for (const integrity of [base64(bytes), hex, hex.toUpperCase()])
      expect((await loadSafetensors(streamOf(bytes, [5, 99]), { integrity })).tensors.size).toBe(5);
    const builtin = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined);
    try {
      expect((await loadSafetensors(streamOf(bytes, [5, 99]), { integrity: hex })).tensors.size).toBe(5);
      await expect(loadSafetensors(streamOf(bytes), { integrity: hex.replace(/^./, 'g') })).rejects.toThrow(
        ArgumentError,
      );
      await expect(loadSafetensors(bytes, { integrity: base64(bytes.subarray(1)) })).rejects.toThrow(
        `is ${hex}, wants`,
      );
    } finally {
      builtin.mockRestore();
    }
  });
});

describe('loadSafetensors refuses, as the bytes come,', () => {
  it.each<[string, (bytes: Uint8Array) => Promise<unknown>, string]>([
    [
      'a file with another hash',
      (bytes) => loadSafetensors(streamOf(bytes), { integrity: base64(Uint8Array.of(1)) }),
      'loadSafetensors: the stream: the SHA-256 is ',
    ],
    [
      'a file that ends early, naming the tensor',
      (bytes) => loadSafetensors(streamOf(bytes.subarray(0, -2))),
      'the stream: the file ends in the values of "mask"',
    ],
    [
      'bytes that follow',
      (bytes) => loadSafetensors(streamOf(Uint8Array.of(...bytes, 0))),
      'something follows the values',
    ],
    [
      'a path that is not there',
      () => loadSafetensors(join(folder, 'none.safetensors')),
      'none.safetensors: could not be read after 0 bytes (ENOENT',
    ],
    [
      'an address that is not there',
      () => loadSafetensors(`${address}/none`),
      '/none: the server answers 404 Not Found',
    ],
    [
      'a server that is not there',
      () => loadSafetensors('http://127.0.0.1:1/m.safetensors'),
      'http://127.0.0.1:1/m.safetensors: could not be read after 0 bytes (fetch failed: ',
    ],
    [
      'a connection that breaks',
      () => loadSafetensors(`${address}/cut/m.safetensors`),
      '/cut/m.safetensors: could not be read after ',
    ],
    [
      'a stream that fails',
      () =>
        loadSafetensors(
          new ReadableStream<Uint8Array>({
            start: (controller) => controller.error(new Error('the disk is gone')),
          }),
        ),
      'the stream: could not be read after 0 bytes (the disk is gone)',
    ],
    [
      'a page that is no safetensors file',
      () => loadSafetensors(streamOf(new TextEncoder().encode('<!doctype html><title>Sign in</title>'))),
      'at most 100000000 are allowed; is it a safetensors file?',
    ],
  ])('%s', async (_, load, message) => {
    const bytes = await saveSafetensors(some());
    served.set('/m.safetensors', bytes);
    const error = await load(bytes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(LoadError);
    expect(String(error)).toContain(message);
  });

  it.each(['a stalled server', 'a stalled stream', 'a file', 'what was aborted before'])(
    '%s that is aborted',
    async (what) => {
      const bytes = await saveSafetensors(some());
      served.set('/m.safetensors', bytes);
      await fs.writeFile(path, bytes);
      const abort = new AbortController();
      if (what.endsWith('before')) abort.abort(new Error('changed my mind'));
      const stalled = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(bytes.subarray(0, 40)),
      });
      const source =
        what === 'a stalled server' ? `${address}/stall/m.safetensors` : what === 'a stalled stream' ? stalled : path;
      const loading = loadSafetensors(source, {
        signal: abort.signal,
        progress: () => abort.abort(new Error('changed my mind')),
      }).catch((e: unknown) => e);
      setTimeout(() => abort.abort(new Error('changed my mind')), 100);
      const error = await loading;
      expect(error).toBeInstanceOf(LoadError);
      expect(String(error)).toMatch(/: aborted after \d+ bytes/);
    },
  );

  it('a stream of other things than bytes, and what is no source, as arguments', async () => {
    const texts = new ReadableStream({ start: (controller) => controller.enqueue('text') });
    await expect(loadSafetensors(texts)).rejects.toThrow('the stream gives pieces of string; wants Uint8Array');
    await expect(loadSafetensors(5 as unknown as string)).rejects.toThrow(ArgumentError);
    await expect(loadSafetensors('https://')).rejects.toThrow('"https://" is no URL');
  });
});

describe('saveSafetensors, as the bytes go,', () => {
  it('writes to a path and to a stream what it gives as bytes', async () => {
    const bytes = await saveSafetensors(some(), { a: 'b' });
    await saveSafetensors(some(), path, { metadata: { a: 'b' } });
    expect(new Uint8Array(await fs.readFile(path))).toEqual(bytes);
    const pieces: Uint8Array[] = [];
    await saveSafetensors(some(), new WritableStream({ write: (piece) => void pieces.push(piece) }), {
      metadata: { a: 'b' },
    });
    expect(new Uint8Array(Buffer.concat(pieces))).toEqual(bytes);
    expect(pieces.length).toBeGreaterThan(3);
    expect(await fs.readdir(folder)).toEqual(['model.safetensors']);
  });

  it('writes the values of the call, whatever is assigned meanwhile', async () => {
    const [a, b] = [new State(tensor([1, 2])), new State(tensor([3, 4]))];
    const pieces: Uint8Array[] = [];
    await saveSafetensors(
      { a, b },
      new WritableStream({
        write(piece) {
          pieces.push(piece);
          a.assign(tensor([-1, -1]));
          b.assign(tensor([-2, -2]));
        },
      }),
    );
    const { list } = await contents(loadSafetensors(new Uint8Array(Buffer.concat(pieces))));
    expect(list.map(({ data }) => data)).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it('leaves the old file where a value cannot be had or the stream takes no more', async () => {
    await saveSafetensors({ old: tensor([1]) }, path);
    const gone = tensor([1]);
    gone.dispose();
    await expect(saveSafetensors({ fine: tensor([1, 2]), gone }, path)).rejects.toThrow('this tensor was disposed');
    expect(await fs.readdir(folder)).toEqual(['model.safetensors']);
    expect([...(await loadSafetensors(path)).tensors.keys()]).toEqual(['old']);
    let aborted: unknown;
    const full = new WritableStream({
      write() {
        throw new Error('quota exceeded');
      },
      abort: (reason) => void (aborted = reason),
    });
    const error = await saveSafetensors({ x: tensor([1]) }, full).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TesseraError);
    expect(String(error)).toContain('the stream takes no more (quota exceeded)');
    expect(aborted).toBeUndefined(); // it failed by itself
  });
});
