/** Builders of element-wise ops: one `map` over the broadcast shape, each element of the result from one expression. */
import { DTypeError } from '../errors';
import { apply, cast, computeOf, constant } from '../expr';
import type { DType, ExprOp } from '../ir';
import { type Attributes, defineOp, type Op, type OpExpr, read } from '../op';
import type { Tensor, TensorLike } from '../tensor';
import { broadcastShapes, commonType, promote, typed } from './types';

/** Floating in, the same out; integers and bools become float32, as in PyTorch. */
export const floating = (dtype: DType): DType => (dtype === 'float16' ? 'float16' : 'float32');
export const same = (dtype: DType): DType => dtype;
export const boolean = (): DType => 'bool';
/** @throws DTypeError for bools, which have no arithmetic. */
export const numeric =
  (op: string) =>
  (dtype: DType): DType => {
    if (dtype !== 'bool') return dtype;
    throw new DTypeError(`${op}: the input is bool, wants numbers; convert it with cast(x, 'int32') or use logicalNot`);
  };

export interface ElementwiseOptions<Args extends readonly unknown[], Attrs extends Attributes> {
  readonly name: string;
  readonly args: (...args: Args) => readonly [inputs: readonly TensorLike[], attributes: Attrs];
  /** dtype of the result, from the dtype that all inputs promote to. */
  readonly result: (common: DType) => DType;
  /** The value, of inputs in the result's dtype (bool results: in the inputs' common dtype). */
  readonly expr: (inputs: readonly OpExpr[], attributes: Attrs) => OpExpr;
  readonly notDifferentiable?: string;
}

/** An op of any number of inputs that broadcast together. Numbers among them take the dtype of the tensors beside. */
export const elementwise = <Args extends readonly unknown[], Attrs extends Attributes>({
  name,
  args,
  result,
  expr,
  ...rest
}: ElementwiseOptions<Args, Attrs>): Op<Args, Tensor, Attrs> =>
  defineOp({
    name,
    args: (...values: Args) => {
      const [likes, attributes] = args(...values);
      return [typed(name, likes), attributes];
    },
    shape: (inputs) => ({
      shape: broadcastShapes(
        name,
        inputs.map((input) => input.shape),
      ),
      dtype: result(commonType(inputs)),
    }),
    lower: (inputs, attributes, [out]) => {
      const { shape, dtype } = out as { shape: readonly number[]; dtype: DType };
      const compute = computeOf(dtype === 'bool' ? inputs.map((input) => input.dtype).reduce(promote) : dtype);
      const value = expr(
        inputs.map((input) => {
          const x = cast(read(input, shape), compute);
          return input.dtype === dtype ? x : narrow(x, dtype); // an int32 without axes beside bytes
        }),
        attributes,
      );
      return { kind: 'map', outs: [narrow(value, dtype)] };
    },
    ...rest,
  });

/** What a store of the dtype keeps, said where the value may be used without being stored: uint8 wraps around. */
export const narrow = (value: OpExpr, dtype: DType): OpExpr =>
  dtype === 'uint8' ? apply('and', [value, constant(255, 'int32')]) : value;

type Reason = { readonly notDifferentiable?: string };

/** An op of one input. */
export const unary = (
  name: string,
  expr: (x: OpExpr) => OpExpr,
  result: (dtype: DType) => DType = floating,
  reason: Reason = {},
): Op<[x: TensorLike], Tensor, Record<string, never>> =>
  elementwise({
    name,
    args: (x: TensorLike) => [[x], {}],
    result,
    expr: ([x]) => expr(x as OpExpr),
    ...reason,
  });

/** An op of two inputs. */
export const binary = (
  name: string,
  expr: (a: OpExpr, b: OpExpr) => OpExpr,
  result: (common: DType) => DType = same,
  reason: Reason = {},
): Op<[a: TensorLike, b: TensorLike], Tensor, Record<string, never>> =>
  elementwise({
    name,
    args: (a: TensorLike, b: TensorLike) => [[a, b], {}],
    result,
    expr: ([a, b]) => expr(a as OpExpr, b as OpExpr),
    ...reason,
  });

/** An expression that is one function of the IR. */
export const fn =
  (name: ExprOp) =>
  (...args: OpExpr[]): OpExpr =>
    apply(name, args);

/** Of bools: not x. */
export const not = (x: OpExpr): OpExpr => apply('xor', [x, constant(1, 'bool')]);
