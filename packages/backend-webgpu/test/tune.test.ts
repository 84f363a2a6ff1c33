/** `tune: true`: candidates are run on first meeting, and what was fastest is found again by the next backend. */
import {
  BackendError,
  type ConvKernel,
  contiguous,
  type Expr,
  expr as e,
  type MapKernel,
  type MatmulKernel,
} from '@tessera/tensor/backend';
import { compareKernelCase, kernelCases, runKernelCase } from '@tessera/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Choice, Compiler, candidates } from '../src/compile';
import { findDevice, targetOf } from '../src/device';
import { webgpu } from '../src/index';
import * as rare from '../src/kernels/rare';
import { spread, type Tried, Tuner } from '../src/tune';
import { packed } from '../src/tune-pages';
import { FileStore } from '../src/tune-store';
import { emulated } from './emulated';
import { largeDevice } from './target';

const test = kernelCases.find(({ title }) => title === 'matmul 1×1 by 1×1') as (typeof kernelCases)[number];
const kernel = test.kernel as MatmulKernel;
const fs = process.getBuiltinModule('node:fs');
const { tmpdir } = process.getBuiltinModule('node:os');
let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(`${tmpdir()}/tessera-tune-`);
});
afterAll(() => fs.rmSync(folder, { recursive: true }));

describe('the tuner', () => {
  it('measures a kernel once, and not again where its choice is kept', { timeout: 60_000 }, async () => {
    const { device, adapter } = await findDevice(await emulated());
    const target = targetOf(device);
    const made = (adapter: string) =>
      new Tuner(device, new Compiler(device, target), target, adapter, new FileStore(`${folder}/tessera`), 2);
    const ways = candidates(kernel, target);
    expect(ways.length).toBeGreaterThan(1);

    const first = made(adapter);
    const executable = first.compile(kernel);
    expect(executable.waiting).not.toBeNull();
    await executable.waiting;
    expect(executable.waiting).toBeNull();
    expect(first.measured).toEqual({ kernels: 1, candidates: 2 });

    const second = made(adapter);
    await second.compile(kernel).waiting;
    expect(second.measured.kernels).toBe(0);

    const elsewhere = made('another adapter');
    await elsewhere.compile(kernel).waiting;
    expect(elsewhere.measured.kernels).toBe(1);
    device.destroy();
  });

  it('passes over a way whose shader the driver refuses, and says so where it refuses all', {
    timeout: 60_000,
  }, async () => {
    const { device, adapter } = await findDevice(await emulated());
    const target = targetOf(device);
    const tried: Tried[][] = [];
    const store = new FileStore(`${folder}/refused`);
    const made = (refused: readonly Choice[]) => {
      const compiler = new Compiler(device, target);
      const compile = compiler.compile.bind(compiler);
      compiler.compile = (kernel, choice) => {
        const executable = compile(kernel, choice);
        const broken = refused.some((each) => JSON.stringify(each) === JSON.stringify(choice));
        if (broken)
          Object.defineProperty(executable, 'waiting', { get: () => Promise.reject(new BackendError('refused')) });
        return executable;
      };
      return new Tuner(device, compiler, target, adapter, store, 2, (_, all) => tried.push([...all]));
    };
    const two = spread(candidates(kernel, target), 2);
    const [first, second] = two as [Choice, Choice];
    await expect(made(two).compile(kernel).choosing).rejects.toThrow('refused');
    await made([second]).compile(kernel).choosing;
    expect(tried.map((all) => all.map(({ choice }) => choice))).toEqual([[first]]);
    device.destroy();
  });

  const dtypeOf = (i: number) => (i % 2 ? 'int32' : 'float32');
  const load = (input: number, shape: readonly number[]): Expr => ({
    op: 'load',
    dtype: dtypeOf(input),
    input,
    view: contiguous(shape),
    at: null,
  });
  const sizes = Array.from({ length: 20 }, (_, i) => 100 * i + 1);
  const apart = sizes.map((size, i) => ({ dtype: dtypeOf(i), size }) as const);
  const map: MapKernel = {
    kind: 'map',
    parts: sizes.map((size, i) => {
      const x = load(i, [size]);
      return { shape: [size], stores: [{ output: i, view: contiguous([size]), expr: e.add(x, x) }] };
    }),
    inputs: apart,
    outputs: apart,
    uniforms: [],
    aliases: apart.map(() => -1),
  };
  const square = [16, 16];
  const squares = sizes.slice(0, 4).map((_, i) => ({ dtype: dtypeOf(i), size: 256 }) as const);
  const product: MatmulKernel = {
    ...{ kind: 'matmul', batch: [], m: 16, n: 16, k: 16, a: load(0, square), b: load(2, square) },
    stores: squares.map(({ dtype }, i) => {
      const expr = e.add(load(i, square), e.cast(e.acc(0), dtype));
      return { output: i, view: contiguous(square), expr };
    }),
    inputs: squares,
    outputs: squares,
    uniforms: [],
    aliases: squares.map(() => -1),
  };
  it.each([
    { kind: 'map', kernel: map, most: 3 },
    { kind: 'matmul', kernel: product, most: 2 },
  ])(
    'measures a kernel whose tensors lie in pages, each way with a table of its own: $kind',
    { timeout: 60_000 },
    async ({ kind, kernel, most }) => {
      const { device, adapter } = await findDevice(await emulated());
      const { room, ...rest } = targetOf(device);
      const target = { ...rest, room: { ...room, buffers: 8 } };
      const tried: Tried[] = [];
      const compiler = new Compiler(device, target);
      const store = new FileStore(`${folder}/paged-${kind}`);
      const made = () => new Tuner(device, compiler, target, adapter, store, most, (_, all) => tried.push(...all));
      device.pushErrorScope('validation');
      const executable = made().compile(kernel);
      expect(executable.bindings.paged.length).toBeGreaterThan(0);
      await executable.waiting;
      expect(await device.popErrorScope()).toBeNull();
      expect(tried.map(({ choice }) => choice)).toEqual(spread(candidates(kernel, { ...target, rare }), most));
      for (const { milliseconds } of tried) expect(milliseconds).toBeGreaterThan(0);
      await made().compile(kernel).waiting;
      expect(tried).toHaveLength(most); // kept
      device.destroy();
    },
  );

  it('tries each way of a convolution, and each value of what ways differ in, before more of those that should be fast', () => {
    const { kernel } = kernelCases.find(({ title }) => title === 'conv forward: 3×3, 64 to 64 channels on 14²') as {
      kernel: ConvKernel;
    };
    const sizes = { ...kernel.sizes, n: 32, input: [56, 56], output: [56, 56] };
    const ways = candidates({ ...kernel, sizes }, largeDevice);
    const some = spread(ways, 12);
    expect(some).toHaveLength(12);
    expect(some[0]).toBe(ways[0]);
    for (const trait of [
      { way: 'winograd', outputs: 2 },
      { way: 'winograd', outputs: 4 },
      { order: 'flat' },
      { tile: expect.objectContaining({ staging: 'ahead' }) },
      { tile: expect.objectContaining({ staging: 'none' }) },
      { shares: expect.any(Number) },
    ])
      expect(some).toContainEqual(expect.objectContaining(trait));
    const narrow = kernelCases.find(({ title }) => title === 'conv forward: depthwise 3×3')?.kernel as ConvKernel;
    const direct = spread(candidates(narrow, largeDevice), 12).filter(({ way }) => way === 'direct');
    expect(direct).toHaveLength(9); // workgroups of three sizes, with one, two and four results a thread
  });

  it('packs pages as full as they may be, and gives up where a kernel binds fewer', () => {
    const sizes = [100, 30, 70, 60];
    const operands = sizes.map((size) => ({ dtype: 'float32' as const, size }));
    const kernel = { inputs: operands, outputs: [] } as unknown as MapKernel;
    const paged = sizes.map((_, index) => ({ type: 'in' as const, index, dtype: 'float32' as const }));
    const bound = { own: [], paged, halves: 0 };
    expect(packed(kernel, { ...bound, words: 2 }, 1024)).toEqual({
      pages: [1024, 512],
      places: [
        { page: 0, offset: 0 },
        { page: 0, offset: 512 },
        { page: 1, offset: 0 },
        { page: 0, offset: 768 },
      ],
    });
    expect(packed(kernel, { ...bound, words: 1 }, 1024)).toBeNull();
    expect(packed(kernel, { ...bound, words: 9 }, 256)).toBeNull();
  });

  it('loses nothing of what backends of one program write at once', async () => {
    const stores = [new FileStore(`${folder}/many`), new FileStore(`${folder}/many`)];
    await Promise.all(Array.from({ length: 20 }, (_, i) => stores[i % 2]?.keep(`key ${i}`, 'value')));
    expect((await new FileStore(`${folder}/many`).load()).size).toBe(20);
  });

  it('reads a whole file at any time, while two programs write it', { timeout: 60_000 }, async () => {
    const { execFile } = process.getBuiltinModule('node:child_process');
    const { promisify } = process.getBuiltinModule('node:util');
    const write = (name: string) => `
      import { FileStore } from ${JSON.stringify(new URL('../src/tune-store.ts', import.meta.url).href)};
      const store = new FileStore(${JSON.stringify(`${folder}/both`)});
      for (let i = 0; i < 30; i++) await store.keep('${name} ' + i, 'value '.repeat(200));`;
    const programs = ['one', 'two'].map((name) =>
      promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', write(name)]),
    );
    let [ended, reads] = [false, 0];
    const both = Promise.all(programs).finally(() => {
      ended = true;
    });
    const file = `${folder}/both/webgpu-tuning.json`;
    while (!ended) {
      if (fs.existsSync(file)) {
        JSON.parse(fs.readFileSync(file, 'utf8'));
        reads++;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await both;
    expect(reads).toBeGreaterThan(1);
    const kept = [...(await new FileStore(`${folder}/both`).load()).keys()];
    expect(kept.filter((key) => /^(one|two) 29$/.test(key)).length).toBeGreaterThan(0); // the last to write
    expect(fs.readdirSync(`${folder}/both`)).toEqual(['webgpu-tuning.json']);
  });

  it('reads nothing from a file that is not its own, and writes it anew', async () => {
    fs.mkdirSync(`${folder}/other`);
    fs.writeFileSync(`${folder}/other/webgpu-tuning.json`, '{ broken');
    const store = new FileStore(`${folder}/other`);
    expect(await store.load()).toEqual(new Map());
    await store.keep('a', 'b');
    expect(await store.load()).toEqual(new Map([['a', 'b']]));
  });

  it('keeps what it had where the disk is full, and leaves nothing half-written', async () => {
    const store = new FileStore(`${folder}/full`);
    await store.keep('a', 'b');
    fs.symlinkSync('/dev/full', `${folder}/full/webgpu-tuning.json.${process.pid}`);
    await store.keep('c', 'd');
    expect(await store.load()).toEqual(new Map([['a', 'b']]));
    expect(fs.readdirSync(`${folder}/full`)).toEqual(['webgpu-tuning.json']);
  });

  it('gives a backend that finds what was kept, and whose kernels are right', { timeout: 150_000 }, async () => {
    process.env['XDG_CACHE_HOME'] = folder;
    const backend = await webgpu({ ...(await emulated()), tune: true, probe: false }); // else tuned, too, in 12 s
    expect(await compareKernelCase(test, await runKernelCase(backend, test), { accuracy: 'shader' })).toEqual([]);
    backend.dispose();
    delete process.env['XDG_CACHE_HOME'];
  });
});
