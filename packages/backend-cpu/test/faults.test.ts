import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  type Backend,
  BackendError,
  contiguous,
  type DeviceBuffer,
  type Expr,
  expr,
  type MapKernel,
  type Plan,
} from '@tessera/tensor/backend';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { algorithms } from '../src/compile';
import { type CpuOptions, cpu } from '../src/index';

/** y = x + 1 over n elements. */
function increment(n: number): MapKernel {
  const operand = { dtype: 'float32', size: n } as const;
  const x: Expr = { op: 'load', dtype: 'float32', input: 0, view: contiguous([n]), at: null };
  const sum = expr.add(x, expr.constant(1));
  return {
    kind: 'map',
    inputs: [operand],
    outputs: [operand],
    uniforms: [],
    aliases: [-1],
    parts: [{ shape: [n], stores: [{ output: 0, view: contiguous([n]), expr: sum }] }],
  };
}
const planOf = (backend: Backend, n: number): Plan => ({
  steps: [{ executable: backend.compile(increment(n)), inputs: [0], outputs: [1], uniforms: [] }],
});
function filled(backend: Backend, n: number, value: number): DeviceBuffer {
  const buffer = backend.allocate('float32', n);
  backend.upload(buffer, 'float32', new Float32Array(n).fill(value));
  return buffer;
}
async function using(options: CpuOptions, body: (backend: Awaited<ReturnType<typeof cpu>>) => Promise<void>) {
  const backend = await cpu({ threads: 2, ...options });
  try {
    await body(backend);
  } finally {
    backend.dispose();
  }
}
const residentMegabytes = () => process.memoryUsage().rss / 1e6;

describe('a worker that dies', () => {
  it('rejects the reads that wait for it, and every later one', async () => {
    const backend = await cpu({ threads: 1, workerUrl: new URL('./fixtures/dying-worker.mjs', import.meta.url) });
    const buffer = backend.allocate('float32', 4);
    backend.submit(planOf(backend, 4), [buffer, backend.allocate('float32', 4)], []);
    await expect(backend.download(buffer, 'float32', 4)).rejects.toThrow(
      'cpu: worker 1 of 1 failed: it ended with code 3; its work is lost, make a new backend with cpu()',
    );
    await expect(backend.sync()).rejects.toBeInstanceOf(BackendError);
    await expect(backend.download(buffer, 'float32', 4)).rejects.toBeInstanceOf(BackendError);
    backend.dispose();
  });

  it('rejects cpu() where its module cannot be loaded', async () => {
    await expect(cpu({ threads: 1, workerUrl: new URL('./fixtures/missing.mjs', import.meta.url) })).rejects.toThrow(
      /^cpu: worker 1 of 1 failed: Cannot find module/,
    );
  });
});

describe('memory', () => {
  it('that is used up is an error that names what was wanted and what is live', () =>
    using({ maxMemoryBytes: 64e6 }, async (backend) => {
      backend.allocate('float32', 4e6);
      expect(() => backend.allocate('float32', 20e6)).toThrow(
        /^cpu: out of memory: wanted 80\.0 MB for float32\[20000000\]; 1 buffers with 16\.0 MB are live and 1?\d\.\d MB reserved of at most 64\.0 MB; dispose/,
      );
      const buffer = filled(backend, 1000, 7);
      expect((await backend.download(buffer, 'float32', 1000))[999]).toBe(7);
    }));

  it('grows without leaving a stale view', () =>
    using({}, async (backend) => {
      const kept = filled(backend, 1000, 1);
      for (let round = 0; round < 4; round++) {
        const large = filled(backend, 8e6, round); // 32 MB: more than is reserved at first
        const out = backend.allocate('float32', 8e6);
        backend.submit(planOf(backend, 8e6), [large, out], []);
        const values = await backend.download(out, 'float32', 8e6);
        expect([values[0], values[8e6 - 1]]).toEqual([round + 1, round + 1]);
      }
      expect(await backend.download(kept, 'float32', 1000)).toEqual(new Float32Array(1000).fill(1));
    }));

  it('stays flat over 10,000 small plans whose buffers come and go', () =>
    using({}, async (backend) => {
      const plan = planOf(backend, 64);
      let x = filled(backend, 64, 0);
      let reserved = 0;
      for (let i = 0; i < 10_000; i++) {
        const y = backend.allocate('float32', 64);
        backend.submit(plan, [x, y], []);
        backend.free(x);
        x = y;
        if (i % 100 === 99) await backend.sync();
        if (i === 999) reserved = backend.memory().reserved;
      }
      expect((await backend.download(x, 'float32', 64))[63]).toBe(10_000);
      expect(backend.memory()).toMatchObject({ buffers: 1, bytes: 256, reserved });
    }));

  it('goes back to the system with trim(), and live buffers keep their values', () =>
    using({}, async (backend) => {
      const kept = filled(backend, 1000, 3);
      const large = Array.from({ length: 8 }, () => filled(backend, 8e6, 1));
      const high = residentMegabytes();
      for (const buffer of large) backend.free(buffer);
      await backend.trim();
      expect(backend.memory().reserved).toBeLessThan(20e6);
      expect((await backend.download(kept, 'float32', 1000))[999]).toBe(3);
      const out = backend.allocate('float32', 1000);
      backend.submit(planOf(backend, 1000), [kept, out], []);
      expect((await backend.download(out, 'float32', 1000))[999]).toBe(4);
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
      globalThis.gc?.();
      expect(high - residentMegabytes()).toBeGreaterThan(200);
    }));

  it('given back while queued work uses it keeps its values for that work', () =>
    using({}, async (backend) => {
      const n = 100_000;
      const plan = planOf(backend, n);
      let x = filled(backend, n, 0);
      for (let i = 0; i < 50; i++) {
        const y = backend.allocate('float32', n);
        backend.submit(plan, [x, y], []);
        backend.free(x);
        x = y;
        backend.free(filled(backend, n, -1)); // an upload that would overwrite x, were it done at once
      }
      const values = await backend.download(x, 'float32', n);
      expect(values.every((value) => value === 50)).toBe(true);
    }));
});

describe('a read', () => {
  it('sees what was there when it was asked for, whatever is submitted behind it', () =>
    using({}, async (backend) => {
      const plan = planOf(backend, 1000);
      const [a, b] = [filled(backend, 1000, 0), filled(backend, 1000, 0)];
      const reads: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        backend.submit(plan, i % 2 ? [b, a] : [a, b], []);
        reads.push(backend.download(i % 2 ? a : b, 'float32', 1000).then((values) => values[500]));
      }
      expect(await Promise.all(reads)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    }));

  it('rejects when the backend is disposed of first', () =>
    using({}, async (backend) => {
      const [a, b] = [filled(backend, 1e6, 0), backend.allocate('float32', 1e6)];
      for (let i = 0; i < 50; i++) backend.submit(planOf(backend, 1e6), [a, b], []);
      const read = backend.download(b, 'float32', 1e6);
      backend.dispose();
      await expect(read).rejects.toThrow('cpu: the backend was disposed of; make a new one with cpu()');
      await expect(backend.sync()).rejects.toBeInstanceOf(BackendError);
    }));

  it('holds the process, and an idle backend lets it go', async () => {
    const program = fileURLToPath(new URL('./fixtures/idle.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, program], { timeout: 20_000 });
    expect(stdout).toBe('read 1,2,3,4\n');
  });
});

describe('a policy that forbids WebAssembly', () => {
  let warn: MockInstance<typeof console.warn>;
  beforeEach(() => {
    warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.spyOn(WebAssembly, 'Module').mockImplementation(function refuse() {
      throw new WebAssembly.CompileError('Refused to compile: unsafe-eval is not an allowed source of script');
    });
  });
  afterEach(() => vi.restoreAllMocks());
  const none = { threads: 1, algorithms, simd: false, relaxed: false, shared: false, reference: true };

  it('leaves the reference backend in a worker, which says how to allow more', () =>
    using({}, async (backend) => {
      expect(backend.info()).toEqual({ ...none, inPlace: false });
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/takes over, in a worker; .*'wasm-unsafe-eval'/)]]);
      const times: string[] = [];
      backend.onKernel?.(({ kernel }) => times.push(kernel.kind));
      const [x, y] = [filled(backend, 4, 1), backend.allocate('float32', 4)];
      backend.submit(planOf(backend, 4), [x, y], []);
      backend.free(x);
      expect(backend.memory()).toMatchObject({ buffers: 1, bytes: 16, peak: 32 });
      expect(await backend.download(y, 'float32', 4)).toEqual(new Float32Array(4).fill(2));
      expect(times).toEqual(['map']);
      await expect(backend.download(x, 'float32', 4)).rejects.toThrow(/freed/);
      const late = backend.sync();
      backend.dispose();
      await expect(late).rejects.toThrow(/disposed of/);
      expect(() => backend.allocate('float32', 4)).toThrow(BackendError);
    }));

  it('keeps within the memory that it may take', () =>
    using({ maxMemoryBytes: 100 }, async (backend) => {
      const kept = backend.allocate('float32', 20);
      expect(() => backend.allocate('float32', 6)).toThrow(/^cpu: out of memory: wanted 24 bytes for float32\[6\]/);
      backend.free(kept);
      backend.allocate('float32', 25);
    }));

  it('reports a worker that fails to every read', () =>
    using({}, async (backend) => {
      const x = filled(backend, 4, 1);
      backend.submit(planOf(backend, 4), [x, x], []); // an output may not be an input that aliases do not name
      await expect(backend.download(x, 'float32', 4)).rejects.toThrow(
        /^cpu: worker 1 of 1 failed: reference: output 0/,
      );
      await expect(backend.sync()).rejects.toBeInstanceOf(BackendError);
    }));

  it('computes in place where no worker starts either, and says so', () =>
    using({ interpreterUrl: new URL('./fixtures/missing.mjs', import.meta.url) }, async (backend) => {
      expect(backend.info()).toEqual({ ...none, inPlace: true });
      expect(warn.mock.calls).toEqual([[expect.stringMatching(/on the thread that called .*Cannot find module/)]]);
      const [x, y] = [filled(backend, 4, 1), backend.allocate('float32', 4)];
      backend.submit(planOf(backend, 4), [x, y], []);
      expect((await backend.download(y, 'float32', 4))[3]).toBe(2);
    }));
});

describe('a queue', () => {
  it('takes more than its ring holds without blocking', () =>
    using({}, async (backend) => {
      const plan = planOf(backend, 16);
      const [a, b] = [filled(backend, 16, 1), backend.allocate('float32', 16)];
      for (let i = 0; i < 30_000; i++) backend.submit(plan, [a, b], []);
      expect((await backend.download(b, 'float32', 16))[15]).toBe(2);
    }));

  it('reports the time of each kernel', () =>
    using({}, async (backend) => {
      const times: number[] = [];
      backend.onKernel?.(({ kernel, milliseconds }) => kernel.kind === 'map' && times.push(milliseconds));
      const [a, b] = [filled(backend, 16, 1), backend.allocate('float32', 16)];
      for (let i = 0; i < 5; i++) backend.submit(planOf(backend, 16), [a, b], []);
      await backend.sync();
      expect(times.length).toBe(5);
      expect(times.every((ms) => ms >= 0 && ms < 1000)).toBe(true);
    }));
});
