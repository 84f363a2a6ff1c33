/**
 * Philox-4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel Random Numbers, as Easy as 1, 2, 3; SC 2011): four random words are a
 * pure function of a key and a counter, so any element of any draw can be made anywhere, in any order.
 */

const [multiplier0, multiplier1] = [0xd2511f53, 0xcd9e8d57];
/** The golden ratio and √3 − 1, in 2⁻³²: what the key grows by each round. */
const [weyl0, weyl1] = [0x9e3779b9, 0xbb67ae85];
const rounds = 10;

/** The upper 32 bits of a·b of unsigned words, from 16-bit halves: no partial sum passes 2³², so doubles hold them exactly. */
function mulHigh(a: number, b: number): number {
  const [aLow, aHigh] = [a & 0xffff, a >>> 16];
  const [bLow, bHigh] = [b & 0xffff, b >>> 16];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carry = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carry >>> 16)) | 0;
}

/** Writes the four words for key [key0, key1] and counter [c0, c1, c2, c3] into `out`. Words may be signed or unsigned. */
export function philox4x32(
  key0: number,
  key1: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  out: Uint32Array | Int32Array,
): void {
  for (let round = 0; round < rounds; round++) {
    const high0 = mulHigh(multiplier0, c0);
    const high1 = mulHigh(multiplier1, c2);
    const low0 = Math.imul(multiplier0, c0);
    const low1 = Math.imul(multiplier1, c2);
    c0 = high1 ^ c1 ^ key0;
    c1 = low1;
    c2 = high0 ^ c3 ^ key1;
    c3 = low0;
    key0 = (key0 + weyl0) | 0;
    key1 = (key1 + weyl1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}
