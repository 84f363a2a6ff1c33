/** @tessera/tensor: the lazy tensor engine. Ops are functions; a Tensor is a handle; nothing runs until a value is read. */
export type { Backend, MemoryUse, TypedArray } from './backend';
export { type CompileOptions, compile, guard } from './compile';
export * from './errors';
export { memory, realize } from './flush';
export type { DType } from './ir';
export { defineMultiOp, defineOp, type GradientRule, type Op, type OpDefinition } from './op';
export * from './ops/activation';
export * from './ops/arithmetic';
export * from './ops/class-loss';
export * from './ops/comparison';
export * from './ops/create';
export * from './ops/loss';
export * from './ops/math';
export * from './ops/reduction';
export * from './ops/softmax';
export type { Dims, ReduceOptions } from './ops/rows';
export { philox4x32 } from './philox';
export { getBackend, setBackend } from './runtime';
export { State } from './state';
export { isTensor, type Meta, meta, type NestedArray, type Shape, Tensor, type TensorLike, tensor, to } from './tensor';

// For packages that walk the graph (autograd), not for programs.
export type { Attributes } from './op';
export { type Runtime, runtime } from './runtime';
export { makeNode, type Node } from './tensor';
