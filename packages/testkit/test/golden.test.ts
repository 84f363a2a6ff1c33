import { LoadError, mul, setBackend, type Tensor } from '@tessera/tensor';
import { reference } from '@tessera/tensor/reference';
import { beforeAll, describe, expect, it } from 'vitest';
import { readGolden } from '../src/golden/format';
import { describeFault, row, runCase } from '../src/golden/run';
import { readSafetensors } from '../src/safetensors';

beforeAll(() => setBackend(reference({ dtype: 'float64' })));

/** A file of float32 tensors. */
function file(tensors: Record<string, readonly number[]>, metadata: Record<string, string>): Uint8Array {
  let end = 0;
  const entries = Object.entries(tensors).map(([name, data]) => {
    const begin = end;
    end += 4 * data.length;
    return [name, { dtype: 'F32', shape: [data.length], data_offsets: [begin, end] }];
  });
  const header = new TextEncoder().encode(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const bytes = new Uint8Array(8 + header.length + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  bytes.set(new Uint8Array(Float32Array.from(Object.values(tensors).flat()).buffer), 8 + header.length);
  return bytes;
}
const doubling = (y: readonly number[], dx: readonly number[]) =>
  readGolden(
    file(
      { 'double/0/in/x': [1, 2, 3], 'double/0/in/dy': [1, 1, 1], 'double/0/out/y': y, 'double/0/out/dx': dx },
      {
        seed: '4',
        cases: JSON.stringify([
          { op: 'double', case: 'double/0', attrs: { by: 2 }, in: ['x', 'dy'], out: ['y', 'dx'] },
        ]),
      },
    ),
  );
const rows = { double: row<{ by: number }>((i, { by }) => mul((i as { x: Tensor }).x, by)) };
const faultOf = async (golden: ReturnType<typeof readGolden>, table = rows as Parameters<typeof runCase>[0]) => {
  const [first] = golden.cases;
  const fault = first && (await runCase(table, first, golden));
  return fault && describeFault(fault);
};

describe('a golden case', () => {
  it('passes where values and gradients agree', async () => {
    expect(await faultOf(doubling([2, 4, 6], [2, 2, 2]))).toBeNull();
    expect(doubling([2, 4, 6], [2, 2, 2]).seed).toBe(4);
  });
  it('names the first wrong element, what was seen, wanted and allowed', async () => {
    expect(await faultOf(doubling([2, 4, 6.01], [2, 2, 2]))).toMatch(/^y\[2\] is 6, wanted 6\.01\d* ± 0\.000611$/);
    expect(await faultOf(doubling([2, 4, 6], [2, 2.5, 2]))).toBe('dx[1] is 2, wanted 2.5 ± 0.00026');
  });
  it('names shapes that differ, an op without a row, and what was thrown', async () => {
    expect(await faultOf(doubling([2, 4], [2, 2, 2]))).toBe('y has shape [3], wanted [2]');
    expect(await faultOf(doubling([2, 4, 6], [2, 2, 2]), {})).toContain('no row says how double is computed');
    const broken = { double: row(() => mul(null as never, 1)) };
    expect(await faultOf(doubling([2, 4, 6], [2, 2, 2]), broken)).toMatch(/^ArgumentError: mul: wants a tensor/);
  });
});

describe('the reader', () => {
  const good = file({ a: [1, 2] }, {});
  it('reads from bytes that begin anywhere', () => {
    const shifted = new Uint8Array(good.length + 3);
    shifted.set(good, 3);
    expect([...(readSafetensors(shifted.subarray(3)).tensors.get('a')?.data ?? [])]).toEqual([1, 2]);
  });
  it.each([
    ['too short for a header', good.subarray(0, 5)],
    ['cut off in the header', good.subarray(0, 20)],
    ['cut off in the values', good.subarray(0, good.length - 1)],
  ])('refuses a file that is %s', (_, bytes) => expect(() => readSafetensors(bytes)).toThrow(LoadError));
  it('refuses a file without cases', () => expect(() => readGolden(good)).toThrow('no list of cases'));
});
