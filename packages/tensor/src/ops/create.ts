/** Tensors from nothing: maps that a plan computes where they are used, never data of the host. */
import { ArgumentError } from '../errors';
import { add, apply, cast, computeOf, constant, index, mul, select, sub } from '../expr';
import type { DType } from '../ir';
import { defineOp, type OpExpr, type Read, read } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { narrow } from './elementwise';
import { typed } from './types';

export interface CreateOptions {
  readonly dtype?: DType;
}

const noInput = { notDifferentiable: 'nothing to differentiate by' };

/** Sizes checked. @throws ArgumentError */
function sizes(op: string, shape: Shape): Shape {
  const bad = shape.find((size) => size !== null && (!Number.isInteger(size) || size < 0));
  if (bad === undefined) return [...shape];
  throw new ArgumentError(`${op}: shape [${shape}] holds ${bad}; sizes are whole numbers from 0 on`);
}

/** 0 or 1 everywhere, as a constant of the kernels that read it. `zeros`, `ones` and their likes. */
export const constantFill = /* @__PURE__ */ defineOp({
  name: 'constantFill',
  args: (shape: Shape, value: number, dtype: DType) => [[], { shape: sizes('constantFill', shape), value, dtype }],
  shape: (_, { shape, dtype }) => ({ shape, dtype }),
  lower: (_, { value, dtype }) => ({ kind: 'map', outs: [constant(value, computeOf(dtype))] }),
  ...noInput,
});
/** torch.zeros, float32 unless told */
export const zeros = (shape: Shape, { dtype = 'float32' }: CreateOptions = {}): Tensor => constantFill(shape, 0, dtype);
/** torch.ones, float32 unless told */
export const ones = (shape: Shape, { dtype = 'float32' }: CreateOptions = {}): Tensor => constantFill(shape, 1, dtype);
/** torch.zeros_like */
export const zerosLike = (x: TensorLike, { dtype }: CreateOptions = {}): Tensor => like(x, 0, dtype);
/** torch.ones_like */
export const onesLike = (x: TensorLike, { dtype }: CreateOptions = {}): Tensor => like(x, 1, dtype);
const like = (x: TensorLike, value: number, dtype?: DType) => {
  const t = toTensor(x, 'zerosLike');
  return constantFill(t.shape, value, dtype ?? t.dtype);
};

/** `value` everywhere: a number, or a tensor of one element. torch.full. The gradient of the value is the sum of g. */
export const full = /* @__PURE__ */ defineOp({
  name: 'full',
  args: (shape: Shape, value: TensorLike, { dtype }: CreateOptions = {}) => {
    const [t] = typed('full', [value]) as [Tensor];
    if (t.size !== 1) throw new ArgumentError(`full: value has shape [${t.shape}], wants one element`);
    return [[t], { shape: sizes('full', shape), dtype: dtype ?? t.dtype }];
  },
  shape: (_, { shape, dtype }) => ({ shape, dtype }),
  lower: ([value], { dtype }, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const one = value as NonNullable<typeof value>;
    const moves = one.shape.length > 0 ? [{ type: 'reshape', shape: [] } as const] : [];
    return { kind: 'map', outs: [narrow(cast(read(one, shape, moves) as OpExpr, computeOf(dtype)), dtype)] };
  },
});
/** torch.full_like */
export const fullLike = (x: TensorLike, value: TensorLike, { dtype }: CreateOptions = {}): Tensor => {
  const t = toTensor(x, 'fullLike');
  return full(t.shape, value, { dtype: dtype ?? t.dtype });
};

/** 1 on the diagonal, [rows, columns]. torch.eye */
export const eye = /* @__PURE__ */ defineOp({
  name: 'eye',
  args: (rows: number, columns: number = rows, { dtype = 'float32' }: CreateOptions = {}) => [
    [],
    { shape: sizes('eye', [rows, columns]), dtype },
  ],
  shape: (_, { shape, dtype }) => ({ shape, dtype }),
  lower: (_, { dtype }) => ({ kind: 'map', outs: [cast(apply<Read>('eq', [index(0), index(1)]), computeOf(dtype))] }),
  ...noInput,
});

/** start + i·step, i = 0 … size − 1. What `arange` comes to. */
export const progression = /* @__PURE__ */ defineOp({
  name: 'arange',
  args: (start: number, step: number, size: number, dtype: DType) => [typed('arange', [start, step]), { size, dtype }],
  shape: (_, { size, dtype }) => ({ shape: [size], dtype }),
  lower: (inputs, { dtype }, [out]) => {
    const compute = computeOf(dtype);
    const { shape } = out as { shape: readonly number[] };
    const [start, step] = inputs.map((input) => cast(read(input, shape) as OpExpr, compute)) as [OpExpr, OpExpr];
    return { kind: 'map', outs: [narrow(add(start, mul(cast<Read>(index(0), compute), step)), dtype)] };
  },
  ...noInput,
});
/**
 * start, start + step, … below end; arange(end) counts from 0. int32 where all three are whole, else float32. torch.arange.
 * @throws ArgumentError where the step is 0 or leads away from the end.
 */
export function arange(start: number, end?: number, step = 1, { dtype }: CreateOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  const size = Math.ceil((to - from) / step);
  if (!Number.isFinite(size) || size < 0)
    throw new ArgumentError(`arange: from ${from} to ${to} in steps of ${step} never ends; turn the step's sign`);
  const whole = [from, to, step].every(Number.isInteger);
  return progression(from, step, size, dtype ?? (whole ? 'int32' : 'float32'));
}

/** `steps` numbers from start to end, both included, [steps]; counted from the nearer end. torch.linspace */
export const linspace = /* @__PURE__ */ defineOp({
  name: 'linspace',
  args: (start: number, end: number, steps: number, { dtype = 'float32' }: CreateOptions = {}) => [
    [start, end],
    { shape: sizes('linspace', [steps]), dtype },
  ],
  shape: (_, { shape, dtype }) => ({ shape, dtype }),
  lower: (inputs, { dtype }, [out]) => {
    const { shape } = out as { shape: readonly number[] };
    const steps = shape[0] as number;
    const [start, end] = inputs.map((input) => read(input, shape)) as [OpExpr, OpExpr];
    const step = mul(sub(end, start), constant(steps > 1 ? 1 / (steps - 1) : 0));
    const up = add(start, mul(cast<Read>(index(0), 'float32'), step));
    const left = sub(constant(steps - 1, 'int32'), index(0) as OpExpr);
    const down = sub(end, mul(cast(left, 'float32'), step));
    const half = apply('lt', [index(0) as OpExpr, constant(Math.max(1, Math.floor(steps / 2)), 'int32')]);
    return { kind: 'map', outs: [narrow(cast(select(half, up, down), computeOf(dtype)), dtype)] };
  },
  ...noInput,
});
