/**
 * Sizes in the code, and quotients and remainders of positions by them, in GLSL. A size is a constant, or a uniform, so that
 * shapes share a program. Devices divide integers by loops or one by one (an emulator takes as long as for a texel), so a power
 * of two that is known is a shift, and others go by way of floats:
 *
 *     ⌊e / by⌋ = ⌊(e + ½) · fl(1 / by)⌋    for 0 ≤ e < 2²²: the product is wrong by less than ½ / by;
 *
 * a larger e by a quotient that is wrong by one at most, which the remainder tells.
 */
export interface Sizes {
  /** Are they constants? */
  readonly known: boolean;
  /** A GLSL int. */
  int(value: number): string;
  /** A GLSL float: 1 / by. */
  part(by: number): string;
}

export const constants: Sizes = {
  known: true,
  int: String,
  part: (by) => (1 / by).toExponential(),
};

const exact = 2 ** 21;
const near = 2 ** 22;

/** What `quotient` and `remainder` call, for positions of one lane and of four: each before whoever calls it. */
export const divisions: readonly string[] = /* @__PURE__ */ (() =>
  ['int', 'ivec4'].flatMap((ints) => {
    const floats = ints === 'int' ? 'float' : 'vec4';
    const below = ints === 'int' ? 'rest < 0' : 'lessThan(rest, ivec4(0))';
    const above = ints === 'int' ? 'rest >= by' : 'greaterThanEqual(rest, ivec4(by))';
    return [
      `${ints} over(${ints} e, float part) { return ${ints}((${floats}(e) + 0.5) * part); }`,
      `${ints} behind(${ints} e, int by, float part) { return e - by * over(e, part); }`,
      `${ints} overFar(${ints} e, int by, float part) { ${ints} q = ${ints}(${floats}(e) * part); ${ints} rest = e - by * q; return q + ${ints}(${above}) - ${ints}(${below}); }`,
      `${ints} behindFar(${ints} e, int by, float part) { return e - by * overFar(e, by, part); }`,
    ];
  }))();

/** Is a position below this found by a product alone? Sizes of larger domains are constants: there a division is long. */
const isShort = (below: number): boolean => below <= exact;

/** ⌊text / by⌋ for 0 ≤ text < below. */
export function quotient(sizes: Sizes, text: string, by: number, below: number): string {
  if (by === 1) return text;
  if (!isShort(below) && !sizes.known) return quotient(constants, text, by, below);
  if (Number.isInteger(Math.log2(by))) return `(${text} >> ${sizes.int(Math.log2(by))})`;
  if (isShort(below)) return `over(${text}, ${sizes.part(by)})`;
  return below / by <= near ? `overFar(${text}, ${by}, ${sizes.part(by)})` : `(${text} / ${by})`;
}

/** What is left of it. */
export function remainder(sizes: Sizes, text: string, by: number, below: number): string {
  if (by === 1) return '0';
  if (!isShort(below) && !sizes.known) return remainder(constants, text, by, below);
  if (Number.isInteger(Math.log2(by))) return `(${text} & ${sizes.int(by - 1)})`;
  if (isShort(below)) return `behind(${text}, ${sizes.int(by)}, ${sizes.part(by)})`;
  return below / by <= near ? `behindFar(${text}, ${by}, ${sizes.part(by)})` : `(${text} % ${by})`;
}
