/** How far an answer may be off. */

/** Golden operator cases: 1e-4 · max|wanted| + 1e-5. */
export const opBound = (wanted: ArrayLike<number>): number => 1e-4 * largest(wanted) + 1e-5;
/** Golden models and gradient norms: 1e-3 · max|wanted|. */
export const modelBound = (wanted: ArrayLike<number>): number => 1e-3 * largest(wanted);

/**
 * What a float32 sum of K terms may miss by: 3 · 2⁻²⁴ · √K · Σ|terms|. The worst of four million correct sequential sums
 * (K = 4 … 4,608; uniform, normal, half-zero data) missed by 1.44 in place of 3.
 */
export const sumBound = (terms: number, magnitude: number): number =>
  3 * 2 ** -24 * Math.sqrt(Math.max(1, terms)) * magnitude;

function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++)
    if (Number.isFinite(values[i])) most = Math.max(most, Math.abs(values[i] as number));
  return most;
}

/** The first element that is off: where, and by what. */
export interface Miss {
  readonly tensor: string;
  readonly index: readonly number[];
  readonly saw: number;
  readonly wanted: number;
  readonly bound: number;
}

/** Compares row-major values; NaN equals NaN, infinities equal themselves. null when all is within bounds. */
export function firstMiss(
  tensor: string,
  shape: readonly number[],
  saw: ArrayLike<number>,
  wanted: ArrayLike<number>,
  bound: number | ((i: number) => number),
): Miss | null {
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [saw[i] as number, wanted[i] as number];
    const allowed = typeof bound === 'number' ? bound : bound(i);
    if (Object.is(a, b) || a === b || Math.abs(a - b) <= allowed) continue;
    return { tensor, index: indexOf(i, shape), saw: a, wanted: b, bound: allowed };
  }
  return null;
}

function indexOf(place: number, shape: readonly number[]): number[] {
  let rest = place;
  return [...shape]
    .reverse()
    .map((size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    })
    .reverse();
}

export const describeMiss = ({ tensor, index, saw, wanted, bound }: Miss): string =>
  `${tensor}[${index}] is ${saw}, wanted ${wanted} ± ${Number(bound.toPrecision(3))}`;
