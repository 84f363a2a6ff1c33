/** All formulas, and which of them a shader has to carry. */
import type { ExprOp } from '../ir';
import { circular } from './circular';
import { exact } from './exact';
import { growth } from './growth';

/**
 * What shading languages have not, or not well enough: their built-ins may be wrong in the last eleven bits (sin), near 0 (tanh,
 * asinh) and at ±∞, and may assume that there is no NaN. Written in WGSL such that other languages are a few rewritings away
 * (backend-webgl's `glsl.ts`): with the type of whatever is declared, `bitcast<f32>` of u32 alone, `select` of f32 alone. A
 * backend adds what no literal can say: `infinity()` and `nan()`.
 *
 * The function of an operation x is named `xOf`, or `x` where the languages have none of that name: a formula that stands here
 * is what every printer calls for it. Coefficients without another source are those of Moshier's Cephes library (single
 * precision), as in backend-cpu.
 */
export const formulas = /* @__PURE__ */ (() => ({ ...exact, ...growth, ...circular }))();

export type FormulaName = keyof typeof formulas;

/** The operations of expressions that have a formula. */
export type FormulaOp = {
  [Name in FormulaName]: Name extends ExprOp ? Name : Name extends `${infer Op extends ExprOp}Of` ? Op : never;
}[FormulaName];

export function formulaOf(op: ExprOp): FormulaName | undefined {
  return [`${op}Of`, op].find((name): name is FormulaName => Object.hasOwn(formulas, name));
}

/** Of functions by name, those that are called for and all that they call: callees first. */
export function withCallees<Name extends string>(
  sources: Readonly<Record<Name, string>>,
  names: Iterable<NoInfer<Name>>,
): Name[] {
  const found = new Set<Name>();
  const visit = (name: Name): void => {
    if (found.has(name)) return;
    for (const [, callee] of sources[name].matchAll(/\b(\w+)\(/g)) {
      if (callee !== name && Object.hasOwn(sources, callee as string)) visit(callee as Name);
    }
    found.add(name);
  };
  for (const name of [...names].sort()) visit(name);
  return [...found];
}
