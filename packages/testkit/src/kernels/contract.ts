/** What a backend promises beside arithmetic (`backend.ts` of @tessera/tensor): order, copies, and memory that comes back. */
import {
  type Backend,
  contiguous,
  type DeviceBuffer,
  type Expr,
  expr as e,
  type Kernel,
  type MapKernel,
  type TypedArray,
} from '@tessera/tensor/backend';
import { describe, expect, it } from 'vitest';

const size = 1000;
const shape = [size];

/** out = in · uniform + 1 */
function affine(aliases: number[] = [-1]): MapKernel {
  const x: Expr = { op: 'load', dtype: 'float32', input: 0, view: contiguous(shape), at: null };
  const expr = e.add(e.mul(x, { op: 'uniform', dtype: 'float32', index: 0 }), e.constant(1) as Expr);
  const operand = { dtype: 'float32', size } as const;
  const parts = [{ shape, stores: [{ output: 0, view: contiguous(shape), expr }] }];
  return { kind: 'map', parts, inputs: [operand], outputs: [operand], uniforms: ['float32'], aliases };
}

const ramp = (from = 0): Float32Array => Float32Array.from({ length: size }, (_, i) => from + i);
const step = (backend: Backend, kernel: Kernel, from: number, to: number, uniform = 0) => ({
  executable: backend.compile(kernel),
  inputs: [from],
  outputs: [to],
  uniforms: [uniform],
});

export function describeContract(get: () => Promise<Backend>): void {
  /** Runs a body with buffers of `size` floats, the first of them holding a ramp, and frees them all. */
  const withBuffers = async (count: number, body: (backend: Backend, buffers: DeviceBuffer[]) => Promise<void>) => {
    const backend = await get();
    const buffers = Array.from({ length: count }, () => backend.allocate('float32', size));
    backend.upload(buffers[0] as DeviceBuffer, 'float32', ramp());
    await body(backend, buffers);
    for (const buffer of buffers) backend.free(buffer);
  };
  const read = async (backend: Backend, buffer: DeviceBuffer | undefined, count = size): Promise<TypedArray> =>
    backend.download(buffer as DeviceBuffer, 'float32', count);

  describe('contract', () => {
    it('copies what is uploaded: the array may change at once', () =>
      withBuffers(1, async (backend, [buffer]) => {
        const data = ramp(5);
        backend.upload(buffer as DeviceBuffer, 'float32', data);
        data.fill(-1);
        expect(await read(backend, buffer)).toEqual(ramp(5));
      }));

    it('downloads a copy of the first elements', () =>
      withBuffers(1, async (backend, [buffer]) => {
        const first = await read(backend, buffer, 3);
        expect(first).toEqual(Float32Array.of(0, 1, 2));
        first.fill(-1);
        expect(await read(backend, buffer, 3)).toEqual(Float32Array.of(0, 1, 2));
        expect(await read(backend, buffer, 0)).toEqual(new Float32Array(0));
      }));

    it('uploads less than a buffer holds, and leaves the rest', () =>
      withBuffers(1, async (backend, [buffer]) => {
        backend.upload(buffer as DeviceBuffer, 'float32', Float32Array.of(7, 8));
        expect(await read(backend, buffer, 4)).toEqual(Float32Array.of(7, 8, 2, 3));
      }));

    it('keeps each dtype: bool as 0 and 1, uint8, int32 and float16', async () => {
      const backend = await get();
      const columns = {
        bool: Uint8Array.of(1, 0, 1),
        uint8: Uint8Array.of(0, 200, 255),
        int32: Int32Array.of(-5, 0x7fffffff, -0x80000000),
        float16: Float32Array.of(0.5, -65504, 2 ** -24),
      };
      for (const [dtype, data] of Object.entries(columns) as [keyof typeof columns, TypedArray][]) {
        if (!backend.limits.dtypes.includes(dtype)) continue;
        const buffer = backend.allocate(dtype, 3);
        backend.upload(buffer, dtype, data);
        expect(await backend.download(buffer, dtype, 3)).toEqual(data);
        backend.free(buffer);
      }
    });

    it('runs the steps of a plan in order, each with its own uniforms', () =>
      withBuffers(3, async (backend, buffers) => {
        const steps = [
          step(backend, affine(), 0, 1, 1),
          step(backend, affine(), 1, 2, 0),
          step(backend, affine(), 2, 1, 1),
        ];
        backend.submit({ steps }, buffers, [2, 0.5]);
        expect(await read(backend, buffers[2])).toEqual(ramp().map((x) => (x / 2 + 1) * 2 + 1));
        expect(await read(backend, buffers[1])).toEqual(ramp().map((x) => ((x / 2 + 1) * 2 + 1) / 2 + 1));
      }));

    it('submits a plan again with other numbers and other buffers', () =>
      withBuffers(4, async (backend, [a, b, c, d]) => {
        const plan = { steps: [step(backend, affine(), 0, 1)] };
        backend.submit(plan, [a, b] as DeviceBuffer[], [2]);
        backend.submit(plan, [a, c] as DeviceBuffer[], [3]);
        backend.submit(plan, [b, d] as DeviceBuffer[], [10]);
        expect(await read(backend, b)).toEqual(ramp().map((x) => x * 2 + 1));
        expect(await read(backend, c)).toEqual(ramp().map((x) => x * 3 + 1));
        expect(await read(backend, d)).toEqual(ramp().map((x) => (x * 2 + 1) * 10 + 1));
      }));

    it('downloads what was there when it was asked, whatever is submitted after', () =>
      withBuffers(2, async (backend, buffers) => {
        const plan = { steps: [step(backend, affine(), 0, 1)] };
        const reads: Promise<TypedArray>[] = [];
        for (let i = 1; i <= 5; i++) {
          backend.submit(plan, buffers, [i]);
          reads.push(read(backend, buffers[1]));
        }
        backend.upload(buffers[1] as DeviceBuffer, 'float32', ramp(-9));
        for (const [i, result] of (await Promise.all(reads)).entries())
          expect(result).toEqual(ramp().map((x) => x * (i + 1) + 1));
        expect(await read(backend, buffers[1])).toEqual(ramp(-9));
      }));

    it('uploads after the work submitted before', () =>
      withBuffers(2, async (backend, buffers) => {
        backend.submit({ steps: [step(backend, affine(), 0, 1)] }, buffers, [2]);
        backend.upload(buffers[0] as DeviceBuffer, 'float32', ramp(100));
        expect(await read(backend, buffers[1])).toEqual(ramp().map((x) => x * 2 + 1));
        expect(await read(backend, buffers[0])).toEqual(ramp(100));
      }));

    it('frees a buffer only when the work submitted so far is through with it', async () => {
      const backend = await get();
      const plan = { steps: [step(backend, affine(), 0, 1)] };
      const reads = Array.from({ length: 8 }, (_, i) => {
        const buffers = [backend.allocate('float32', size), backend.allocate('float32', size)];
        backend.upload(buffers[0] as DeviceBuffer, 'float32', ramp(i));
        backend.submit(plan, buffers, [2]);
        const result = read(backend, buffers[1]);
        for (const buffer of buffers) backend.free(buffer);
        return result;
      });
      for (const [i, result] of (await Promise.all(reads)).entries())
        expect(result).toEqual(ramp(i).map((x) => x * 2 + 1));
    });

    it('updates a buffer in place, time and again, where its limits say so', () =>
      withBuffers(1, async (backend, buffers) => {
        if (!backend.limits.inPlace) return;
        const plan = { steps: [step(backend, affine([0]), 0, 0), step(backend, affine([0]), 0, 0)] };
        for (let i = 0; i < 3; i++) backend.submit(plan, buffers, [1]);
        expect(await read(backend, buffers[0])).toEqual(ramp(6));
      }));

    it('sync waits for the work and rejects nothing that went well', () =>
      withBuffers(2, async (backend, buffers) => {
        backend.submit({ steps: [step(backend, affine(), 0, 1)] }, buffers, [2]);
        await expect(backend.sync()).resolves.toBeUndefined();
        await expect(backend.sync()).resolves.toBeUndefined();
      }));

    it('counts live buffers and their bytes, and takes no more memory for work that repeats', async () => {
      const backend = await get();
      const before = backend.memory();
      const buffers = [backend.allocate('float32', size), backend.allocate('float32', size)];
      const during = backend.memory();
      expect(during.buffers - before.buffers).toBe(2);
      expect(during.bytes - before.bytes).toBeGreaterThanOrEqual(8 * size);
      expect(during.peak).toBeGreaterThanOrEqual(during.bytes);
      expect(during.reserved).toBeGreaterThanOrEqual(during.bytes);
      backend.upload(buffers[0] as DeviceBuffer, 'float32', ramp());
      const plan = { steps: [step(backend, affine(), 0, 1)] };
      backend.submit(plan, buffers, [2]);
      await backend.sync();
      const { reserved } = backend.memory();
      for (let i = 0; i < 20; i++) backend.submit(plan, buffers, [i]);
      await backend.sync();
      expect(backend.memory().reserved).toBe(reserved);
      for (const buffer of buffers) backend.free(buffer);
      expect(backend.memory()).toMatchObject({ bytes: before.bytes, buffers: before.buffers });
    });

    it('tells the time of each kernel while someone listens, if it can', () =>
      withBuffers(2, async (backend, buffers) => {
        if (!backend.onKernel) return;
        const kernels: Kernel[] = [];
        backend.onKernel(({ kernel, milliseconds }) => {
          expect(milliseconds).toBeGreaterThanOrEqual(0);
          kernels.push(kernel);
        });
        const first = step(backend, affine(), 0, 1);
        backend.submit({ steps: [first, first] }, buffers, [2]);
        await backend.sync();
        backend.onKernel(null);
        backend.submit({ steps: [first] }, buffers, [2]);
        await backend.sync();
        expect(kernels).toEqual([first.executable.kernel, first.executable.kernel]);
      }));
  });
}
