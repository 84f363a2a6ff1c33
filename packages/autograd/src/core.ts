/**
 * @tessera/autograd/core: derivatives, with no rule installed. Pick families with `install([arithmetic, linalg])`; the entry
 * `@tessera/autograd` has the same functions and installs all of them at the first derivative.
 */
export { type CheckOptions, checkGradients } from './check';
export { type CustomRule, checkpoint, customGradient } from './custom';
export {
  type Cotangents,
  type DefineOptions,
  defineGradient,
  type Family,
  install,
  type MultiRule,
  type Rule,
} from './rules';
export {
  type Differentiable,
  type GradOptions,
  grad,
  hessianVectorProduct,
  jvp,
  type Matching,
  type Tensors,
  type ValueAndGradOptions,
  type Vjp,
  valueAndGrad,
  vjp,
} from './transforms';
export { stopGradient } from './variables';
