/**
 * @tessera/autograd/core: derivatives, with no rule installed. Pick families with `install([arithmetic, linalg])`; the entry
 * `@tessera/autograd` has the same functions and installs all of them at the first derivative.
 */

// The families, to install those that a program needs.
export { activation } from './activation';
export { arithmetic } from './arithmetic';
export { type CheckOptions, checkGradients } from './check';
export { classLoss } from './class-loss';
export { comparison } from './comparison';
export { conv } from './conv';
export { create } from './create';
export { type CustomRule, checkpoint, customGradient } from './custom';
export { grid } from './grid';
export { indexing } from './indexing';
export { interpolation } from './interpolate';
export { linalg } from './linalg';
export { loss } from './loss';
export { math } from './math';
export { norm } from './norm';
export { pool } from './pool';
export { random } from './random';
export { reduction } from './reduction';
export {
  type Cotangents,
  type DefineOptions,
  defineGradient,
  type Family,
  install,
  type MultiRule,
  type Rule,
} from './rules';
export { scan } from './scan';
export { shape } from './shape';
export { softmaxes } from './softmax';
export { sorting } from './sorting';
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
