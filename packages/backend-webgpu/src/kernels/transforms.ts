/**
 * Winograd's transforms for a row of `outputs` results of a window of three: y = Aᵀ·[(G·w) ⊙ (Bᵀ·d)], from the points 0, ±p, …
 * and ∞ (Toom and Cook). Those of four results, 0, ±3/4, ±3/2, ∞, lose less than 0, ±1, ±2, ∞; backend-cpu has the same.
 */
export type Matrix = readonly (readonly number[])[];
export interface Transforms {
  readonly toData: Matrix;
  readonly toWeights: Matrix;
  readonly toResults: Matrix;
}

const pointsOf = { 2: [0, 1, -1], 4: [0, 0.75, -0.75, 1.5, -1.5] } as const;

export function transformsOf(outputs: 2 | 4): Transforms {
  const points: readonly number[] = pointsOf[outputs];
  const size = points.length + 1;
  const others = (at: number) => points.filter((_, i) => i !== at);
  const powers = (x: number, count: number) => Array.from({ length: count }, (_, i) => x ** i);
  const last = (count: number) => powers(0, count).reverse();
  /** Coefficients of Π(x − root), lowest first, as many as a transform has. */
  const polynomial = (roots: readonly number[]) => {
    let all = Array.from({ length: size }, (_, i) => Number(i === 0));
    for (const root of roots) all = all.map((one, i) => (all[i - 1] ?? 0) - root * one);
    return all;
  };
  const scaled = (x: number, at: number) => {
    const by = others(at).reduce((product, other) => product * (x - other), 1);
    return powers(x, 3).map((power) => power / by);
  };
  const rows = [...points.map((x) => powers(x, outputs)), last(outputs)];
  return {
    toData: [...points.map((_, i) => polynomial(others(i))), polynomial(points)],
    toWeights: [...points.map(scaled), last(3)],
    toResults: Array.from({ length: outputs }, (_, i) => rows.map((row) => row[i] as number)),
  };
}
