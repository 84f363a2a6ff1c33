/** float16 on the host, where JavaScript has no array for it everywhere yet. */

const word = /* @__PURE__ */ new Uint32Array(1);
const float = /* @__PURE__ */ new Float32Array(word.buffer);

/** The 16 bits nearest to each number, ties to even. */
export function toHalves(values: ArrayLike<number>): Uint16Array {
  return Uint16Array.from(values, (value) => {
    float[0] = value;
    const bits = word[0] as number;
    const sign = (bits >>> 16) & 0x8000;
    const magnitude = Math.abs(float[0] as number);
    if (Number.isNaN(magnitude)) return sign | 0x7e00;
    if (magnitude >= 65520) return sign | 0x7c00;
    const exponent = Math.max(-14, Math.floor(Math.log2(magnitude || 1)));
    const step = 2 ** (exponent - 10);
    const count = roundEven(magnitude / step); // 1024 … 2048, or less among the smallest
    return sign | (((exponent + 14) << 10) + count);
  });
}

export function fromHalves(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}

function roundEven(x: number): number {
  const up = Math.round(x);
  return up - x === 0.5 && up % 2 !== 0 ? up - 1 : up;
}
