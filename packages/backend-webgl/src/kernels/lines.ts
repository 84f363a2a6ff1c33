/**
 * Texels some way behind one that was found before: where all of them lie in one line of the texture, no position is taken apart
 * to read them. On an emulator that is a quarter of a product of matrices.
 *
 *     line y of the texture  │ · · · ┌ x ┬ x+1 ┬ x+2 ┬ … ┐ · · · │
 */

/** The greatest power of two that all of these sums are made of divides. */
export function divisorOf(...steps: readonly number[]): number {
  const all = steps.reduce((bits, step) => bits | step, 2 ** 30);
  return all & -all;
}

/** The block of runs of `count` texels that begin at sums of these steps and of multiples of `count`; 0 where there is none. */
export function blockOf(count: number, ...steps: readonly number[]): number {
  const block = divisorOf(count, ...steps);
  return block >= count ? block : 0;
}

/** GLSL that finds texel `from`. */
export const find = (sampler: string, name: string, from: string): string =>
  `${name}_t = ${from}; ${name}_at = ivec2(${name}_t & ((1 << ${sampler}_bits) - 1), ${name}_t >> ${sampler}_bits);`;

/**
 * The texel `k` behind the one that was found as `name`.
 * @param block texels, a power of two, that begin at a multiple of it, and in which both lie; 0 where there is none
 */
export function behind(sampler: string, name: string, k: string, block: number): string {
  const anywhere = `${sampler}_texel(${name}_t + ${k})`;
  if (block === 0) return anywhere;
  const oneLine = `${block} <= (1 << ${sampler}_bits)`; // known when the program is made
  return `(${oneLine} ? FETCH(${sampler}_texture, ivec2(${name}_at.x + ${k}, ${name}_at.y)) : ${anywhere})`;
}

/** What is declared and found at once. */
export const line = (sampler: string, name: string, from: string): string =>
  `int ${name}_t; ivec2 ${name}_at; ${find(sampler, name, from)}`;
