/** @tessera/tensor: the lazy tensor engine. Ops are functions; a Tensor is a handle; nothing runs until a value is read. */
export type { Backend, MemoryUse, TypedArray } from './backend';
export { type CompileOptions, compile, guard } from './compile';
export { setDebug } from './debug';
export * from './errors';
export { memory } from './flush';
export { toImage } from './image';
export type { DType } from './ir';
export type { Node } from './node';
// For packages that walk the graph (autograd), not for programs.
export type { Attributes } from './op';
export { defineMultiOp, defineOp, type GradientRule, type Op, type OpDefinition, showShape } from './op';
export * from './ops/activation';
export * from './ops/adaptive';
export * from './ops/arithmetic';
export * from './ops/class-loss';
export * from './ops/columns';
export * from './ops/comparison';
export * from './ops/conv';
export * from './ops/counting';
export * from './ops/create';
export * from './ops/dense';
export * from './ops/einsum';
export * from './ops/grid';
export { flatFrom, type GridAttributes } from './ops/grid-taps';
export * from './ops/indexing';
export * from './ops/interpolate';
export * from './ops/join';
export * from './ops/linalg';
export * from './ops/loss';
export * from './ops/lp-pool';
export * from './ops/margin-loss';
export * from './ops/math';
export * from './ops/multinomial';
export * from './ops/norm';
export * from './ops/overlap-loss';
export * from './ops/pad';
export * from './ops/pixels';
export * from './ops/place';
export * from './ops/pool';
export * from './ops/random';
export type { LossOptions, Reduction } from './ops/reduce-loss';
export * from './ops/reduction';
export type { Dims, ReduceOptions } from './ops/rows';
export * from './ops/scaling';
export * from './ops/scan';
export * from './ops/scatter';
export * from './ops/selecting';
export * from './ops/shape';
export * from './ops/slice';
export * from './ops/softmax';
export * from './ops/sorting';
export type { Sizes } from './ops/windows';
export { wantWord } from './ops/words';
export { philox4x32 } from './philox';
export { format, type PrintOptions, print } from './print';
export { getBackend, type Runtime, runtime, setBackend } from './runtime';
export { State } from './state';
export {
  isMeta,
  isTensor,
  type Meta,
  makeNode,
  meta,
  type NestedArray,
  realize,
  type Shape,
  Tensor,
  type TensorLike,
  tensor,
  to,
} from './tensor';
export { type WarmupOptions, warmup } from './warmup';
