/**
 * Where elements lie. A buffer is one texture, four elements a texel, texels row by row. Rows are 128 texels long in
 * textures of up to 128 rows, else 2,048, or, where these are too many rows for the device, as long as it makes them: a shader finds a texel by a shift and a mask, and a program is for one length of
 * rows of each texture. A buffer of less than a row is one shorter row. (Squares of 2 × 2 texels are drawn at once, and rows
 * apart by different units or threads: a single long row would use half of a square and one thread.)
 *
 *     element e = 4·t + lane        texel t = 2^bits·y + x
 *
 * What stands in the four bytes: float32 itself; bool and uint8 as the float of their value; int32 as a word, the float with
 * the bits i ^ 0x40000000. Devices may flush denormals and may not keep NaNs, and the bits of small numbers are denormals;
 * turned so, all |i| < 2³⁰ − 2²³ are ordinary floats. `probe` (device.ts) tests the others.
 *
 * Textures are RGBA32F where the device draws floats. Every WebGL2 draws RGBA32UI: elsewhere that holds the same bits, so that
 * numbers are no shorter where a device has only half-float targets.
 */
import type { DType } from '@tessera/tensor/backend';

/** What textures are made of, and how their texels come and go. */
export interface Format {
  readonly floats: boolean;
  readonly internal: number;
  readonly format: number;
  readonly type: number;
}
export function formatOf(gl: WebGL2RenderingContext, floats: boolean): Format {
  return floats
    ? { floats, internal: gl.RGBA32F, format: gl.RGBA, type: gl.FLOAT }
    : { floats, internal: gl.RGBA32UI, format: gl.RGBA_INTEGER, type: gl.UNSIGNED_INT };
}
/** The array that WebGL wants for texels of a format: the same bytes. */
export const hostOf = ({ floats }: Format, data: Float32Array): Float32Array | Uint32Array =>
  floats ? data : new Uint32Array(data.buffer, data.byteOffset, data.length);

const short = 7;
const long = 11;
/** Columns of the largest textures of a device whose textures have so many columns and rows at most. */
const widest = (side: number): number => 2 ** Math.min(14, Math.floor(Math.log2(side)));
/** Texels of the largest: positions of elements are below 2³¹. */
export const mostTexels = (side: number): number => Math.min(side * widest(side), 2 ** 29);
/** The rows of a texture of so many columns are 2^bits long. */
export const bitsOf = ({ columns }: { readonly columns: number }): number =>
  Math.max(short, Math.ceil(Math.log2(columns)));
/** XORed into the bits of an int32. */
export const turn = 0x40000000;

export const texelsOf = (elements: number): number => Math.ceil(elements / 4);

/** Columns and rows of a texture of that many texels; more rows than `side` where the device makes none. */
export function extentOf(texels: number, side: number): [columns: number, rows: number] {
  const columns = texels <= 4 ** short ? 2 ** short : texels <= side * 2 ** long ? 2 ** long : widest(side);
  return texels <= columns ? [Math.max(1, texels), 1] : [columns, Math.ceil(texels / columns)];
}

/** Values as floats for a texture, padded to whole texels. @param room floats to make */
export function toFloats(dtype: DType, data: ArrayLike<number>, room: number): Float32Array {
  const floats = new Float32Array(room);
  if (dtype === 'int32') {
    const words = new Int32Array(floats.buffer);
    for (let i = 0; i < data.length; i++) words[i] = (data[i] as number) ^ turn;
  } else if (dtype === 'bool') for (let i = 0; i < data.length; i++) floats[i] = data[i] === 0 ? 0 : 1;
  else if (dtype === 'uint8') for (let i = 0; i < data.length; i++) floats[i] = (data[i] as number) & 255;
  else floats.set(data);
  return floats;
}

export function fromFloats(dtype: DType, floats: Float32Array, size: number): Float32Array | Int32Array | Uint8Array {
  if (dtype === 'int32') {
    const words = new Int32Array(floats.buffer, floats.byteOffset, size);
    return words.map((word) => word ^ turn);
  }
  if (dtype === 'bool' || dtype === 'uint8') return Uint8Array.from(floats.subarray(0, size));
  return floats.length === size ? floats : floats.slice(0, size);
}
