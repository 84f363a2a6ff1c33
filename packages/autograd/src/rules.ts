/** Gradient rules: how one gets into its op's slot, and what the slot holds. */
import {
  type Attributes,
  GradientError,
  type GradientRule,
  type Op,
  type OpDefinition,
  type Tensor,
} from '@tessera/tensor';

/** Cotangents of the inputs; null for an input that has none (an index, a mask) or that hands nothing on. */
export type Cotangents = readonly (Tensor | null)[];

/**
 * The rule of an op with one output: from g (the cotangent of y) to those of the inputs, each in its input's shape.
 * Written with ops, so that it runs on every backend and differentiates again.
 */
export type Rule<Attrs extends Attributes = Attributes> = (
  g: Tensor,
  inputs: readonly Tensor[],
  output: Tensor,
  attributes: Attrs,
) => Cotangents;

/** The same for an op with several outputs; null in g for outputs that nothing used. */
export type MultiRule<Attrs extends Attributes = Attributes> = (
  g: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  attributes: Attrs,
) => Cotangents;

export interface DefineOptions {
  /** Replace the rule that the op has. */
  readonly override?: boolean;
}

let installing = 0;

/**
 * Puts a rule into an op's gradient slot and returns the op, so that an op from outside the house is one expression:
 * `export const swish = defineGradient(defineOp({ … }), (g, [x], y) => [ … ])`.
 * While `install` runs, an op that has a rule keeps it: a rule of the user's comes first, and installing twice is harmless.
 * @throws GradientError where the op has a rule already, unless `{ override: true }`.
 */
export function defineGradient<Args extends readonly unknown[], Attrs extends Attributes>(
  op: Op<Args, Tensor, Attrs>,
  rule: Rule<Attrs>,
  options?: DefineOptions,
): Op<Args, Tensor, Attrs>;
export function defineGradient<Args extends readonly unknown[], Attrs extends Attributes>(
  op: Op<Args, Tensor[], Attrs>,
  rule: MultiRule<Attrs>,
  options?: DefineOptions,
): Op<Args, Tensor[], Attrs>;
export function defineGradient(
  op: OpDefinition,
  rule: Rule | MultiRule,
  { override = false }: DefineOptions = {},
): OpDefinition {
  if (op.gradient && !override) {
    if (installing) return op;
    throw new GradientError(
      `defineGradient: ${op.opName} has a gradient; replace it with { override: true } (and install built-in rules with install)`,
    );
  }
  op.gradient = op.many
    ? (rule as GradientRule)
    : (g, inputs, outputs, attributes) => (rule as Rule)(g[0] as Tensor, inputs, outputs[0] as Tensor, attributes);
  return op;
}

/** A family of rules: a function whose body is `defineGradient` calls. */
export type Family = () => void;

const installed = /* @__PURE__ */ new WeakSet<Family>();

/** Runs each family once. The default entry installs all; who counts bytes installs what a program needs. */
export function install(families: readonly Family[]): void {
  for (const family of families) {
    if (installed.has(family)) continue;
    installing++;
    try {
      family();
    } finally {
      installing--;
    }
    installed.add(family);
  }
}
