/** @tessera/autograd: derivatives of functions, with the gradient of every op of @tessera/tensor. */
import { activation } from './activation';
import { arithmetic } from './arithmetic';
import { classLoss } from './class-loss';
import { comparison } from './comparison';
import { conv } from './conv';
import * as core from './core';
import { type Family, install } from './core';
import { create } from './create';
import { grid } from './grid';
import { indexing } from './indexing';
import { interpolation } from './interpolate';
import { linalg } from './linalg';
import { loss } from './loss';
import { math } from './math';
import { norm } from './norm';
import { pool } from './pool';
import { random } from './random';
import { reduction } from './reduction';
import { scan } from './scan';
import { shape } from './shape';
import { softmaxes } from './softmax';
import { sorting } from './sorting';

export {
  type CheckOptions,
  type Cotangents,
  type CustomRule,
  checkpoint,
  customGradient,
  type DefineOptions,
  type Differentiable,
  defineGradient,
  type Family,
  type GradOptions,
  install,
  type Matching,
  type MultiRule,
  type Rule,
  stopGradient,
  type Tensors,
  type ValueAndGradOptions,
  type Vjp,
} from './core';

/** Every family of rules; references only, so that a bundler may drop them. */
export const families: readonly Family[] = [
  activation,
  arithmetic,
  classLoss,
  comparison,
  conv,
  create,
  grid,
  indexing,
  interpolation,
  linalg,
  loss,
  math,
  norm,
  pool,
  random,
  reduction,
  scan,
  shape,
  softmaxes,
  sorting,
];

/** The gradient of f as a function: grad(f)(x) = ∂f/∂x; `wrt: [0, 2]` gives one by each of these arguments. torch.func.grad
 *  @throws GradientError, ArgumentError as valueAndGrad does. */
export const grad: typeof core.grad = (...args) => {
  install(families);
  return core.grad(...args);
};
/** f's value, and its gradient by each of `wrt`, tensors or state cells; f gives one element, or [that, aux]. torch.autograd.grad
 *  @throws GradientError where f gives more than one element, or something wanted is reached only through an op without a gradient. */
export const valueAndGrad: typeof core.valueAndGrad = (...args) => {
  install(families);
  return core.valueAndGrad(...args);
};
/** f's value, and pullback(u) = uᵀ·∂f/∂x for each input, to be called later and often. torch.func.vjp
 *  @throws GradientError as valueAndGrad does; for cotangents of another shape than the value. */
export const vjp: typeof core.vjp = (...args) => {
  install(families);
  return core.vjp(...args);
};
/** f's value, and its derivative along `tangents`, one for each input. torch.func.jvp @throws GradientError as vjp does. */
export const jvp: typeof core.jvp = (...args) => {
  install(families);
  return core.jvp(...args);
};
/** H·v of f at the inputs: for each Σⱼ ∂²f/∂xᵢ∂xⱼ·vⱼ, at the cost of about two gradients. torch.autograd.functional.hvp
 *  @throws GradientError as valueAndGrad does. */
export const hessianVectorProduct: typeof core.hessianVectorProduct = (...args) => {
  install(families);
  return core.hessianVectorProduct(...args);
};
/** Holds f's derivatives against finite differences along random directions, forward and backward, to second order; hand in
 *  `{ backend: reference({ dtype: 'float64' }) }`. torch.autograd.gradcheck @throws GradientError with the first that is wrong. */
export const checkGradients: typeof core.checkGradients = (...args) => {
  install(families);
  return core.checkGradients(...args);
};
