/**
 * A device without float32 targets, as mobile ones are: numbers stay float32, kept as their bits in integer textures. And the least
 * that WebGL2 allows: 16 textures in, four out.
 */
import { add, cat, mul, realize, setBackend, tensor } from '@tessera/tensor';
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

const least = (gl: WebGL2RenderingContext) => {
  without('EXT_color_buffer_float')(gl);
  const { getParameter } = gl;
  const limits = new Map<number, number>([
    [gl.MAX_TEXTURE_IMAGE_UNITS, 16],
    [gl.MAX_DRAW_BUFFERS, 4],
  ]);
  Object.assign(gl, { getParameter: (name: number) => limits.get(name) ?? getParameter.call(gl, name) });
};
const makeLeast = async () => (await contextsOf(() => webgl({ onWarning: () => {} }), least)).value;

it('is split into kernels that bind few textures, whatever is added up', async () => {
  const backend = await makeLeast();
  expect(backend.info()).toMatchObject({ units: 16, targets: 4, storage: 'bits' });
  setBackend(backend);
  const parts = Array.from({ length: 40 }, (_, i) => tensor([i, i / 2, -i]));
  await realize(...parts);
  const total = parts.reduce((sum, part, i) => add(sum, mul(part, i)));
  expect([...(await total.data())]).toEqual([20540, 10270, -20540]);
  expect([...(await cat(parts).data())].slice(-4)).toEqual([-38, 39, 19.5, -39]);
  backend.dispose();
});

// The bounds are those of every other device.
describeKernels('webgl of the least device', makeLeast, { random: 5, accuracy: 'shader' });
