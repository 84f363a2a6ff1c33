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

export const grad: typeof core.grad = (...args) => {
  install(families);
  return core.grad(...args);
};
export const valueAndGrad: typeof core.valueAndGrad = (...args) => {
  install(families);
  return core.valueAndGrad(...args);
};
export const vjp: typeof core.vjp = (...args) => {
  install(families);
  return core.vjp(...args);
};
export const jvp: typeof core.jvp = (...args) => {
  install(families);
  return core.jvp(...args);
};
export const hessianVectorProduct: typeof core.hessianVectorProduct = (...args) => {
  install(families);
  return core.hessianVectorProduct(...args);
};
export const checkGradients: typeof core.checkGradients = (...args) => {
  install(families);
  return core.checkGradients(...args);
};
