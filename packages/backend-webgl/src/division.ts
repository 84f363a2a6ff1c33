/**
 * Quotients and remainders of positions by sizes that are known when the code is written, in GLSL. Devices divide integers by
 * loops or one by one (an emulator takes as long as for a texel), so a power of two is a shift, and others go by way of floats:
 *
 *     ⌊e / by⌋ = ⌊(e + ½) · fl(1 / by)⌋    for 0 ≤ e < 2²²: the product is wrong by less than ½ / by;
 *
 * a larger e by a quotient that is wrong by one at most, which the remainder tells.
 */
const exact = 2 ** 21;
const near = 2 ** 22;

/** What `quotient` and `remainder` call, for positions of one lane and of four. */
export const divisions = /* @__PURE__ */ (() =>
  ['int', 'ivec4']
    .map((ints) => {
      const floats = ints === 'int' ? 'float' : 'vec4';
      const below = ints === 'int' ? 'rest < 0' : 'lessThan(rest, ivec4(0))';
      const above = ints === 'int' ? 'rest >= by' : 'greaterThanEqual(rest, ivec4(by))';
      return `${ints} over(${ints} e, float part) { return ${ints}((${floats}(e) + 0.5) * part); }
${ints} behind(${ints} e, int by, float part) { return e - by * over(e, part); }
${ints} overFar(${ints} e, int by, float part) { ${ints} q = ${ints}(${floats}(e) * part); ${ints} rest = e - by * q; return q + ${ints}(${above}) - ${ints}(${below}); }
${ints} behindFar(${ints} e, int by, float part) { return e - by * overFar(e, by, part); }`;
    })
    .join('\n'))();

const part = (by: number): string => (1 / by).toExponential();

/** ⌊text / by⌋ for 0 ≤ text < below. */
export function quotient(text: string, by: number, below: number): string {
  if (by === 1) return text;
  if (Number.isInteger(Math.log2(by))) return `(${text} >> ${Math.log2(by)})`;
  if (below <= exact) return `over(${text}, ${part(by)})`;
  return below / by <= near ? `overFar(${text}, ${by}, ${part(by)})` : `(${text} / ${by})`;
}

/** What is left of it. */
export function remainder(text: string, by: number, below: number): string {
  if (Number.isInteger(Math.log2(by))) return `(${text} & ${by - 1})`;
  if (below <= exact) return `behind(${text}, ${by}, ${part(by)})`;
  return below / by <= near ? `behindFar(${text}, ${by}, ${part(by)})` : `(${text} % ${by})`;
}
