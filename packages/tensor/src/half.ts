/** float16 (IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction) on JavaScript numbers. */
import { roundEven } from './numbers';

const float = /* @__PURE__ */ new Float32Array(1);
const word = /* @__PURE__ */ new Uint32Array(float.buffer);

/** The bits of a number as float32. */
function bitsOf(x: number): number {
  float[0] = x;
  return word[0]!;
}

/** The nearest float16 of a float32, ties to even. Up to 65,520 rounds to the greatest, 65,504. */
export function roundHalf(x: number): number {
  const exponent = Math.max(((bitsOf(x) >>> 23) & 255) - 127, -14);
  const rounded = Number.isFinite(x) ? roundEven(x * 2 ** (10 - exponent)) * 2 ** (exponent - 10) : x;
  return Math.abs(rounded) > 65504 ? Math.sign(x) * Infinity : rounded;
}

/** The 16 bits of the nearest float16 of a number. */
export function toHalf(x: number): number {
  const size = Math.abs(roundHalf(Math.fround(x)));
  const sign = (bitsOf(x) >>> 16) & 0x8000;
  if (Number.isNaN(size)) return sign | 0x7e00;
  if (size === Infinity) return sign | 0x7c00;
  // below 2^-14 they are multiples of 2^-24; above, a float32 whose exponent is counted from 127 in place of 15
  return sign | (size < 2 ** -14 ? size * 2 ** 24 : (bitsOf(size) - (112 << 23)) >>> 13);
}

/** The number that 16 bits are. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}
