import { LoadError } from '@tessera/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readIdx } from '../src/index';

/** An IDX file: magic, sizes, values. */
function idx(type: number, shape: number[], values: Uint8Array<ArrayBuffer> | number[] = []): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4 + 4 * shape.length + values.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (type << 8) | shape.length);
  shape.forEach((size, axis) => {
    view.setUint32(4 + 4 * axis, size);
  });
  bytes.set(values, 4 + 4 * shape.length);
  return bytes;
}
async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}
const refused = async (file: Uint8Array, options = {}) => {
  const error = await readIdx(file, options).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(LoadError);
  return (error as LoadError).message;
};

describe('readIdx', () => {
  it('reads images without copying them', async () => {
    const file = idx(0x08, [2, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
    const { data, shape } = await readIdx(file);
    expect(shape).toEqual([2, 2, 3]);
    expect(data).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255));
    expect(data.buffer).toBe(file.buffer);
  });

  it.each([
    [0x09, [0xff, 0x7f], Int32Array.of(-1, 127)],
    [0x0b, [0xff, 0xfe, 0x7f, 0xff], Int32Array.of(-2, 32767)],
    [0x0c, [0x80, 0, 0, 0, 0, 0, 0, 5], Int32Array.of(-(2 ** 31), 5)],
    [0x0d, [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0], Float32Array.of(1, -2.5)],
    [0x0e, [0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0], Float32Array.of(1, -2.5)],
  ])('reads big-endian values of type 0x%s', async (type, bytes, values) => {
    expect((await readIdx(idx(type, [2], bytes))).data).toEqual(values);
  });

  it('unpacks gzip', async () => {
    const values = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
    expect((await readIdx(await gzip(idx(0x08, [50, 100], values)))).data).toEqual(values);
  });

  it('reads an empty data set', async () => {
    expect(await readIdx(idx(0x08, [0, 28, 28]))).toEqual({ data: new Uint8Array(0), shape: [0, 28, 28] });
  });

  it('refuses another format, naming what it saw', async () => {
    expect(await refused(new TextEncoder().encode('<html>not found</html>'), { name: 'train-images' })).toBe(
      'readIdx: train-images begins with 0x3c68746d, an IDX file with 0x0000 and a type of 08, 09, 0b, 0c, 0d or 0e; is it another format?',
    );
    expect(await refused(Uint8Array.of(0, 0))).toContain('begins with 2 bytes');
    expect(await refused(idx(0x0a, [1], [0]))).toContain('0x00000a01');
  });

  it('refuses a file that is cut off, or goes on behind its values', async () => {
    expect(await refused(idx(0x08, [3, 3], [1, 2, 3]))).toBe(
      'readIdx: file is 15 bytes long, its header [3,3] wants 21; it is truncated: download it again',
    );
    expect(await refused(idx(0x08, [2], [1, 2, 3]))).toContain('something follows the values');
    expect(await refused(idx(0x08, [3, 3]).subarray(0, 7))).toContain('ends inside its header');
  });

  it('refuses sizes no memory could hold, before taking any', async () => {
    expect(await refused(idx(0x0e, [2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1]))).toContain('truncated');
  });

  it('stops a gzip bomb at the size its header promises', async () => {
    const bomb = await gzip(idx(0x08, [10], new Uint8Array(20_000_000)));
    expect(bomb.length).toBeLessThan(100_000);
    expect(await refused(bomb)).toContain('unpacks to more than the 18 bytes');
  });

  it('refuses a broken gzip stream', async () => {
    const packed = await gzip(
      idx(
        0x08,
        [3000],
        new Uint8Array(3000).map((_, i) => i * 37),
      ),
    );
    expect(await refused(packed.subarray(0, packed.length - 12))).toContain('does not unpack');
  });

  it('refuses labels where images are wanted', async () => {
    expect(await refused(idx(0x08, [3], [1, 2, 3]), { shape: [null, 28, 28] })).toBe(
      'readIdx: file has shape [3], wanted [?,28,28]; are images and labels mixed up?',
    );
  });

  it('answers any bytes with values or a LoadError, nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 40 }),
        fc.constantFrom(0, 8, 9, 11, 12, 13, 14),
        async (bytes, type) => {
          if (bytes.length > 3 && type) bytes.set([0, 0, type, (bytes[3] ?? 0) % 4]);
          const read = await readIdx(bytes).catch((error: unknown) => error);
          if (!(read instanceof LoadError)) expect(read).toHaveProperty('shape');
        },
      ),
    );
  });
});
