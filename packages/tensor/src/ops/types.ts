/** What shape rules share: PyTorch's broadcasting and promotion, with unknown sizes carried through. */
import { DTypeError, ShapeError } from '../errors';
import type { DType } from '../ir';
import { showShape } from '../op';
import { runtime } from '../runtime';
import { fromSource, type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';

/** The shape all of these broadcast to; an unknown size meets 1 or itself. @throws ShapeError naming both shapes. */
export function broadcastShapes(op: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size: number | null = 1;
    for (const shape of shapes) {
      const own = shape[axis - rank + shape.length];
      if (own === undefined || own === 1 || own === size) continue;
      if (size === 1 || (size === null && own !== null)) size = own;
      else if (own !== null)
        throw new ShapeError(
          `${op}: shapes ${shapes.map(showShape).join(' and ')} do not broadcast (${size} and ${own} at dim ${axis - rank}); sizes must be equal or 1`,
        );
    }
    return size;
  });
}

const order: readonly DType[] = ['bool', 'uint8', 'int32', 'float16', 'float32'];
/** The wider of two dtypes. */
export const promote = (a: DType, b: DType): DType => (order.indexOf(a) > order.indexOf(b) ? a : b);
export const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float16';
/** What elements are added up, compared and sorted in: bools count as 0 and 1. */
export const orderedIn = (dtype: DType): 'float32' | 'int32' => (isFloat(dtype) ? 'float32' : 'int32');

/**
 * Inputs of an element-wise op, numbers typed after the tensors beside them as PyTorch does: a number takes the tensors'
 * dtype, except that a fraction beside integers makes float32 and an integer beside bools int32.
 */
export function typed(op: string, likes: readonly TensorLike[]): Tensor[] {
  const tensors = likes.map((like) => (typeof like === 'number' ? null : toTensor(like, op)));
  const found = tensors.filter((t) => t !== null);
  const common = found.length ? commonType(found) : 'float32';
  return tensors.map((t, i) => {
    if (t) return t;
    const value = likes[i] as number;
    const dtype = isFloat(common)
      ? common
      : !Number.isInteger(value)
        ? 'float32'
        : common === 'bool'
          ? 'int32'
          : common;
    return number(value, dtype);
  });
}
/** A number beside tensors. In a trace the same number is one, so that a step's kernels take it once. */
export function number(value: number, dtype: DType = 'float32'): Tensor {
  const numbers = runtime.trace?.numbers;
  const key = `${dtype}${Object.is(value, -0) ? '-' : ''}${value}`;
  const known = numbers?.get(key) ?? fromSource({ kind: 'scalar', value }, [], dtype);
  numbers?.set(key, known);
  return known;
}

/** The widest dtype of tensors that all have axes: what they promote to. */
export const widest = (inputs: readonly Tensor[]): DType => inputs.map((t) => t.dtype).reduce(promote);
/** What a product whose result is of this dtype says of its operands: all of a float16 one are float16. */
export const halves = (dtype: DType) => dtype === 'float16' && ({ halves: true } as const);
/**
 * The dtype all inputs promote to, by PyTorch's rule: one element without axes beside tensors that have them counts by its kind
 * alone (bool, integer, float), so that it widens uint8 or float16 to no other dtype of the same kind. torch.result_type
 */
export function commonType(inputs: readonly Tensor[]): DType {
  const { dtype } = inputs[0] as Tensor;
  if (inputs.every((t) => t.dtype === dtype)) return dtype;
  const withAxes = inputs.filter((t) => t.rank > 0);
  const without = inputs.filter((t) => t.rank === 0);
  if (!withAxes.length || !without.length) return widest(inputs);
  const [own, beside] = [widest(withAxes), widest(without)];
  return kindOf(beside) > kindOf(own) ? beside : own;
}
const kindOf = (dtype: DType): number => (dtype === 'bool' ? 0 : isFloat(dtype) ? 2 : 1);

/** @throws DTypeError unless the dtype is one of these. */
export function wantDtype(op: string, what: string, dtype: DType, wanted: readonly DType[]): void {
  if (!wanted.includes(dtype))
    throw new DTypeError(
      `${op}: ${what} is ${dtype}, wants ${wanted.join(' or ')}; convert it with cast(x, '${wanted[0]}')`,
    );
}
