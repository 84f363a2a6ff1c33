import { LoadError, State, setBackend, tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Buffer, loadSafetensors, saveSafetensors } from '../src/index';

/** A file from its header's text and its data, the length as it is or as a lie. */
function file(header: string | object, data: ArrayLike<number> = [], length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}
const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
async function values(bytes: Uint8Array, key = 'x') {
  const x = loadSafetensors(bytes).tensors.get(key);
  return x && { dtype: x.dtype, shape: x.shape, data: Array.from(await x.data()) };
}

describe('loadSafetensors', () => {
  it.each([
    ['F32', 'float32', Float32Array.of(1.5, -2), [1.5, -2]],
    ['F64', 'float32', Float64Array.of(0.1, -1e300), [Math.fround(0.1), Number.NEGATIVE_INFINITY]],
    [
      'F16',
      'float32',
      Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555),
      [1, -2, 2 ** -24, Infinity, 0.333251953125],
    ],
    ['BF16', 'float32', Uint16Array.of(0x3f80, 0xc040, 0x7f80), [1, -3, Infinity]],
    ['I64', 'int32', BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n), [-(2 ** 31), 2 ** 31 - 1]],
    ['U64', 'int32', BigUint64Array.of(0n, 7n), [0, 7]],
    ['I32', 'int32', Int32Array.of(-5, 6), [-5, 6]],
    ['U32', 'int32', Uint32Array.of(5, 2 ** 31 - 1), [5, 2 ** 31 - 1]],
    ['I16', 'int32', Int16Array.of(-5, 6), [-5, 6]],
    ['U16', 'int32', Uint16Array.of(65535), [65535]],
    ['I8', 'int32', Int8Array.of(-128, 127), [-128, 127]],
    ['U8', 'uint8', Uint8Array.of(0, 255), [0, 255]],
    ['BOOL', 'bool', Uint8Array.of(0, 1, 1), [0, 1, 1]],
  ] as const)('reads %s as %s', async (dtype, kept, array, wanted) => {
    const data = bytesOf(array);
    expect(await values(file({ x: entry(dtype, [array.length], 0, data.length) }, data))).toEqual({
      dtype: kept,
      shape: [array.length],
      data: wanted,
    });
  });

  it('reads NaN of every width as NaN', async () => {
    const all = { h: entry('F16', [1], 0, 2), b: entry('BF16', [1], 2, 4), d: entry('F64', [1], 4, 12) };
    const nan = [0, 0x7e, 0xc0, 0x7f, ...bytesOf(Float64Array.of(Number.NaN))];
    for (const key of 'hbd') expect((await values(file(all, nan), key))?.data).toEqual([Number.NaN]);
  });

  it('reads tensors that are empty, scalar, unaligned, or in another order than the data', async () => {
    const header = {
      u: entry('U8', [1], 8, 9),
      x: entry('F32', [], 4, 8),
      e: entry('F32', [0, 3], 4, 4),
      y: entry('I32', [1], 0, 4),
    };
    const bytes = file(header, [9, 0, 0, 0, ...bytesOf(Float32Array.of(2.5)), 7]);
    const moved = new Uint8Array(bytes.length + 3).subarray(3);
    moved.set(bytes);
    expect(await values(moved)).toEqual({ dtype: 'float32', shape: [], data: [2.5] });
    expect(await values(moved, 'e')).toEqual({ dtype: 'float32', shape: [0, 3], data: [] });
    expect([...loadSafetensors(moved).tensors.keys()]).toEqual(['u', 'x', 'e', 'y']);
  });

  it('reads metadata, escapes, and keys that JavaScript objects trip over', () => {
    const text =
      '{ "__metadata__":{"fo\\u0072mat":"pt","__proto__":"p"},"__proto__":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}   ';
    const { tensors, metadata } = loadSafetensors(file(text));
    expect(metadata['format']).toBe('pt');
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect(Object.hasOwn(metadata, '__proto__')).toBe(true);
  });
});

const x = entry('F32', [2], 0, 8);
const eight = new Uint8Array(8);
const xText = JSON.stringify(x);
describe('loadSafetensors refuses', () => {
  it.each<[string, Uint8Array, string]>([
    ['an empty file', new Uint8Array(0), 'the file has 0 bytes, wants at least 8; it is truncated'],
    [
      'a header longer than the file',
      file({ x }, eight, 4000n),
      'the header wants 4000 bytes, the file has 62 behind its length; it is truncated',
    ],
    [
      'a header of 2^60 bytes',
      file({ x }, eight, 2n ** 60n),
      'the header is 1152921504606846976 bytes long, at most 100000000 are allowed',
    ],
    ['a header that is no UTF-8', Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe), 'the header is no UTF-8'],
    ['an array as header', file('[]'), 'wants {, saw "[]"'],
    ['a header that ends', file('{"x":'), 'wants {, saw its end'],
    ['a string that ends', file('{"x'), 'the string of a key does not end'],
    ['text behind the header', file('{} {}'), 'something follows the header: "{}"'],
    ['a duplicate key', file(`{"x":${xText},"x":${xText}}`, eight), 'key "x" occurs twice'],
    ['a duplicate key in disguise', file(`{"x":${xText},"\\u0078":${xText}}`, eight), 'key "x" occurs twice'],
    [
      'a duplicate field',
      file('{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', eight),
      'dtype of "x" occurs twice',
    ],
    ['two metadata', file('{"__metadata__":{},"__metadata__":{}}'), '__metadata__ occurs twice'],
    ['metadata that is no text', file('{"__metadata__":{"a":1}}'), 'wants metadata "a" as a string, saw "1}}"'],
    [
      'an unknown field',
      file({ x: { ...x, more: 1 } }, eight),
      '"x" has the field "more", wants dtype, shape and data_offsets',
    ],
    [
      'a field left out',
      file({ x: { dtype: 'F32', shape: [2] } }, eight),
      '"x" wants dtype, shape and data_offsets [begin, end]',
    ],
    [
      'one offset',
      file({ x: { ...x, data_offsets: [0] } }, eight),
      '"x" wants dtype, shape and data_offsets [begin, end]',
    ],
    [
      'three offsets',
      file({ x: { ...x, data_offsets: [0, 4, 8] } }, eight),
      'data_offsets of "x" has more than 2 numbers',
    ],
    [
      'negative sizes',
      file({ x: { ...x, shape: [-2] } }, eight),
      'shape of "x" wants integers from 0 to 2^53 − 1, saw "-2]',
    ],
    [
      'fractional sizes',
      file('{"x":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', eight),
      'shape of "x" wants integers',
    ],
    [
      'sizes in exponents',
      file('{"x":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}', eight),
      'shape of "x" wants integers',
    ],
    [
      'sizes beyond 2^53',
      file('{"x":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,8]}}', eight),
      'shape of "x" wants integers',
    ],
    [
      'a thousand axes',
      file({ x: { ...x, shape: Array(1000).fill(1) } }, eight),
      'shape of "x" has more than 64 numbers',
    ],
    ['an unknown dtype', file({ x: { ...x, dtype: 'F8_E4M3' } }, eight), '"x" has dtype "F8_E4M3", known are F32'],
    ['a dtype from the prototype', file({ x: { ...x, dtype: 'constructor' } }, eight), '"x" has dtype "constructor"'],
    [
      'offsets behind the data',
      file({ x: { ...x, data_offsets: [8, 16] } }, eight),
      '"x" has offsets [8,16], the data is 8 bytes long',
    ],
    ['offsets backwards', file({ x: { ...x, data_offsets: [8, 0] } }, eight), '"x" has offsets [8,0]'],
    [
      'a shape of other bytes',
      file({ x: { ...x, shape: [3] } }, eight),
      '"x" has offsets [0,8], 8 bytes; F32 [3] wants 12',
    ],
    ['sizes whose product overflows', file({ x: { ...x, shape: [2 ** 31, 2 ** 31, 2 ** 31] } }, eight), 'wants 3.96'],
    [
      'overlap',
      file({ x, y: entry('F32', [1], 4, 8) }, eight),
      '"y" begins at offset 4, the values before it end at 8: they overlap',
    ],
    ['the same bytes twice', file({ x, y: x }, eight), 'they overlap'],
    [
      'a gap',
      file({ x: entry('F32', [1], 0, 4), y: entry('U8', [2], 6, 8) }, eight),
      '"y" begins at offset 6, the values before it end at 4: there is a gap',
    ],
    ['bytes behind the values', file({ x }, new Uint8Array(12)), 'the values end at offset 8, the data at 12'],
    [
      'a truncated file',
      file({ x }, eight).subarray(0, 68),
      'the data is 6 bytes long; the file is truncated or damaged',
    ],
    [
      'integers beyond int32',
      file({ x: entry('I64', [2], 0, 16) }, bytesOf(BigInt64Array.of(1n, 2n ** 40n))),
      '"x" (I64) has 1099511627776 at element 1, beyond int32',
    ],
    ['a JSON bomb', file(`{"x":${'['.repeat(100_000)}`), 'wants {, saw "[[[[[[[[[[[["'],
    ['a bomb of nested objects', file('{"a":'.repeat(100_000)), '"a" has the field "a"'],
  ])('%s', async (_, bytes, message) => {
    expect(() => loadSafetensors(bytes)).toThrow(LoadError);
    expect(() => loadSafetensors(bytes)).toThrow(message);
    // as it comes: of a known length the same, and where only the end tells how long it is
    const blob = new Blob([Uint8Array.from(bytes)]);
    await expect(loadSafetensors(blob)).rejects.toThrow(LoadError);
    await expect(loadSafetensors(blob)).rejects.toThrow(message);
    await expect(loadSafetensors(blob.stream())).rejects.toThrow(LoadError);
  });

  it('a hostile file without taking memory for what it claims', async () => {
    const before = process.memoryUsage();
    const liars = [file({ x: entry('F32', [2 ** 40], 0, 2 ** 42) }), file({ x }, [], 99_000_000n)];
    for (const bytes of liars) expect(() => loadSafetensors(bytes)).toThrow(LoadError);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(1_000_000);
    for (const bytes of liars)
      await expect(loadSafetensors(new Blob([Uint8Array.from(bytes)]).stream())).rejects.toThrow('it is truncated');
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(50_000_000);
  });

  it('whatever bytes are changed, with a LoadError or a tensor, nothing else', () => {
    const good = file({ __metadata__: { a: 'b' }, x, y: entry('I64', [1], 8, 16) }, new Uint8Array(16));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
        const bytes = good.slice();
        for (const [place, value] of changes) bytes[place] = value;
        try {
          loadSafetensors(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(LoadError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('saveSafetensors', () => {
  beforeAll(() => setBackend(reference()));

  it('writes what loadSafetensors reads, wide dtypes first, the data aligned to eight bytes', async () => {
    const bytes = await saveSafetensors(
      new Map([
        ['b', tensor([true, false], { dtype: 'bool' })],
        ['z', tensor([[1, 2.5]])],
        ['a', tensor([3], { dtype: 'int32' })],
      ]),
      { note: 'ä "quoted"' },
    );
    const { tensors, metadata } = loadSafetensors(bytes);
    expect(metadata).toEqual({ note: 'ä "quoted"' });
    expect([...tensors.keys()]).toEqual(['a', 'z', 'b']);
    expect(await values(bytes, 'z')).toEqual({ dtype: 'float32', shape: [1, 2], data: [1, 2.5] });
    expect(await values(bytes, 'b')).toEqual({ dtype: 'bool', shape: [2], data: [1, 0] });
    expect((bytes.length - (8 + 4 + 2)) % 8).toBe(0);
  });

  it('writes counters as int64, as PyTorch has them', async () => {
    const counter = new Buffer(tensor(1234, { dtype: 'int32' }), { storedAs: 'int64' });
    const bytes = await saveSafetensors({ num_batches_tracked: counter, other: new State(tensor(5)) });
    const text = new TextDecoder().decode(bytes.subarray(8, bytes.length - 12));
    expect(text.trim()).toBe(
      '{"num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"other":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}',
    );
    expect(await values(bytes, 'num_batches_tracked')).toEqual({ dtype: 'int32', shape: [], data: [1234] });
  });

  it('refuses the one key that the format keeps for itself', async () => {
    await expect(saveSafetensors({ __metadata__: tensor([1]) })).rejects.toThrow('rename it');
  });

  it('keeps every value of every shape', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.string().filter((key) => key !== '__metadata__'),
          fc.array(fc.float({ noDefaultInfinity: false }), { maxLength: 8 }),
          { maxKeys: 5, noNullPrototype: false },
        ),
        async (arrays) => {
          const given = new Map(Object.entries(arrays).map(([key, list]) => [key, tensor(Float32Array.from(list))]));
          const { tensors } = loadSafetensors(await saveSafetensors(given));
          expect([...tensors.keys()].sort()).toEqual([...given.keys()].sort());
          for (const [key, list] of Object.entries(arrays))
            expect(await tensors.get(key)?.data()).toEqual(Float32Array.from(list));
        },
      ),
      { numRuns: 50 },
    );
  });
});
