/** A device without float32 targets, as mobile ones are: numbers stay float32, kept as their bits in integer textures. */
import { describeKernels } from '@tessera/testkit';
import { expect, it } from 'vitest';
import { webgl } from '../src/index';
import { contextsOf, without } from './contexts';

const make = async (onWarning: (message: string) => void, ...names: string[]) =>
  (await contextsOf(() => webgl({ onWarning }), without('EXT_color_buffer_float', ...names))).value;

it.each([
  ['float16 targets only', []],
  ['no float targets', ['EXT_color_buffer_half_float']],
])('warns of %s, and says what follows', async (what, names) => {
  const warnings: string[] = [];
  const backend = await make((message) => warnings.push(message), ...names);
  expect(warnings).toEqual([expect.stringMatching(`has ${what} .no EXT_color_buffer_float.: .* as exact`)]);
  expect(backend.info().storage).toBe('bits');
  const words = Int32Array.of(1, -1, 0x7fffffff, -0x80000000, 2 ** 24 + 1);
  const floats = Float32Array.of(1e-8, Number.NaN, -0, Number.NEGATIVE_INFINITY, 16_777_217, 1e-40, 0.1);
  for (const [dtype, data] of [
    ['int32', words],
    ['float32', floats],
  ] as const) {
    const buffer = backend.allocate(dtype, data.length);
    backend.upload(buffer, dtype, data);
    expect(await backend.download(buffer, dtype, data.length)).toEqual(data);
    backend.free(buffer);
  }
  backend.dispose();
});

// The bounds are those of every other device.
describeKernels('webgl without float targets', () => make(() => {}), { random: 5, accuracy: 'shader' });
