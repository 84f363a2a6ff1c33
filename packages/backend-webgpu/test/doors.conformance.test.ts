/** Buffers and textures of the user's in and out; pictures from a page's own sources are in page.browser.test.ts. */
import { add, mul, setBackend, sum, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromGPUBuffer, fromImage, toCanvas, toGPUBuffer, type Webgpu, webgpu } from '../src/index';
import { emulated } from './emulated';

let backend: Webgpu;
beforeAll(async () => {
  backend = await webgpu(await emulated());
  setBackend(backend);
});
afterAll(() => backend.dispose());

const usage = { copySrc: 4, copyDst: 8, storage: 128 };
const texture = { copySrc: 1, copyDst: 2, binding: 4, attachment: 16 };

function bufferOf(values: readonly number[], flags: number): GPUBuffer {
  const buffer = backend.device.createBuffer({ size: values.length * 4, usage: flags, mappedAtCreation: true });
  new Float32Array(buffer.getMappedRange()).set(values);
  buffer.unmap();
  return buffer;
}

/** The texels of an rgba8unorm texture of 64 columns. */
async function texels(source: GPUTexture): Promise<Uint8Array> {
  const { device } = backend;
  const size = 256 * source.height;
  const staging = device.createBuffer({ size, usage: usage.copyDst | 1 });
  const encoder = device.createCommandEncoder();
  encoder.copyTextureToBuffer({ texture: source }, { buffer: staging, bytesPerRow: 256 }, [64, source.height]);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  return new Uint8Array(staging.getMappedRange().slice(0));
}

describe('fromGPUBuffer', () => {
  it('copies on the device: the buffer may change afterwards', async () => {
    const buffer = bufferOf([9, 1, 2, 3, 4], usage.copySrc | usage.copyDst);
    const x = fromGPUBuffer(buffer, { shape: [2, 2], offset: 4 });
    backend.device.queue.writeBuffer(buffer, 0, new Float32Array(5));
    buffer.destroy();
    expect(await add(x, 1).toArray()).toEqual([
      [2, 3],
      [4, 5],
    ]);
  });

  it('takes a buffer over without a copy, and destroys it with the tensor', async () => {
    const buffer = bufferOf([1, 2, 3], usage.storage | usage.copySrc | usage.copyDst);
    const before = backend.memory();
    const x = fromGPUBuffer(buffer, { shape: [3], ownership: 'take' });
    expect(backend.memory().bytes).toBe(before.bytes + 12);
    expect(await sum(x).item()).toBe(6);
    x.dispose();
    expect(backend.memory().bytes).toBe(before.bytes);
    expect(await sum(tensor([1, 2])).item()).toBe(3); // what was destroyed is bound nowhere
  });

  it('says what does not fit', () => {
    const buffer = bufferOf([1, 2, 3], usage.copySrc);
    expect(() => fromGPUBuffer(buffer, { shape: [4] })).toThrow(
      'fromGPUBuffer: float32 [4] takes 16 bytes from offset 0, the buffer has 12; offsets are multiples of 4, bool and uint8 take 4 bytes an element',
    );
    expect(() => fromGPUBuffer(buffer, { shape: [3], ownership: 'take' })).toThrow(
      /has not the usage STORAGE, COPY_SRC/,
    );
    const other = reference({ dtype: 'float32' });
    expect(() => fromGPUBuffer(buffer, { shape: [3], backend: other })).toThrow(
      /wants a backend made by webgpu\(\), the chosen one is reference/,
    );
  });
});

describe('toGPUBuffer', () => {
  it('gives a buffer that the tensor has nothing to do with any more', async () => {
    const x = mul(tensor([1, 2, 3]), 2);
    const buffer = await toGPUBuffer(x);
    x.dispose();
    mul(tensor([7, 7, 7]), 1).data();
    expect([...(await fromGPUBuffer(buffer, { shape: [3] }).data())]).toEqual([2, 4, 6]);
  });

  it('writes into a buffer of yours', async () => {
    const into = bufferOf([0, 0, 0, 5], usage.copySrc | usage.copyDst);
    expect(await toGPUBuffer(tensor([1, 2]), { into, offset: 4 })).toBe(into);
    expect([...(await fromGPUBuffer(into, { shape: [4] }).data())]).toEqual([0, 1, 2, 5]);
    await expect(toGPUBuffer(tensor([1, 2]), { into, offset: 12 })).rejects.toThrow(/takes 8 bytes from offset 12/);
  });
});

describe('pictures', () => {
  it('come from a texture as planes, and are drawn into one', async () => {
    const { device } = backend;
    const source = device.createTexture({
      size: [64, 2],
      format: 'rgba8unorm',
      usage: texture.binding | texture.copyDst,
    });
    const data = Uint8Array.from({ length: 64 * 2 * 4 }, (_, i) => (i * 7) % 256);
    device.queue.writeTexture({ texture: source }, data, { bytesPerRow: 256 }, [64, 2]);
    const x = fromImage(source);
    expect(x.shape).toEqual([3, 2, 64]);
    const values = await x.data();
    for (const [c, y, column] of [
      [0, 0, 0],
      [1, 0, 5],
      [2, 1, 63],
    ] as const)
      expect(values[c * 128 + y * 64 + column]).toBeCloseTo((data[(y * 64 + column) * 4 + c] as number) / 255, 6);

    const target = device.createTexture({
      size: [64, 4],
      format: 'rgba8unorm',
      usage: texture.attachment | texture.copySrc,
    });
    await toCanvas(x, target); // each row twice
    const drawn = await texels(target);
    for (const [row, column] of [
      [0, 0],
      [1, 9],
      [3, 63],
    ] as const) {
      const at = ((row >> 1) * 64 + column) * 4;
      expect([...drawn.slice((row * 64 + column) * 4, (row * 64 + column) * 4 + 4)]).toEqual([
        ...data.slice(at, at + 3),
        255,
      ]);
    }
  });

  it('are refused where they are none', async () => {
    await expect(toCanvas(tensor([1, 2]), {} as GPUTexture)).rejects.toThrow(
      'toCanvas: shape [2]; wants [C,H,W] or [H,W,C] with 1, 3 or 4 channels',
    );
    expect(() => fromImage({ width: 0, height: 4 } as GPUTexture)).toThrow(/is 4 high and 0 wide/);
  });
});
