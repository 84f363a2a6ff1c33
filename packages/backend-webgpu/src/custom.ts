/** A user's WGSL as an op: with a shape rule, in the middle of a graph, in compiled steps, and with a gradient. */
import { ArgumentError, type DType, defineOp, type Op, type Tensor, type TensorLike } from '@tessera/tensor';
import { expr } from '@tessera/tensor/backend';

export interface CustomSizes {
  readonly inputs: readonly (readonly number[])[];
  readonly output: readonly number[];
}

export interface CustomKernelOptions {
  /** For messages, timings and the plan. */
  readonly name: string;
  /** What the code calls its inputs, in the order of the call's arguments. */
  readonly inputs: readonly string[];
  /** The result's shape from those of the inputs; throws where they do not fit. Sizes may be null where they are not known. */
  readonly shape: (inputs: readonly (readonly (number | null)[])[]) => readonly (number | null)[];
  /** Of the result: float32 (default), int32, uint8 or bool. */
  readonly dtype?: DType;
  /**
   * WGSL with an entry point `main`, or what makes it from the sizes. Of each input `x` there is `fn x(i: u32)`, its element at the
   * row-major position i (f32, i32 or bool), and `x_size`; results go out by `fn put(i: u32, value)`, each of the `size` elements
   * once. Declare constants, functions and workgroup memory as you like, but no bindings.
   */
  readonly code: string | ((sizes: CustomSizes) => string);
  /** How many workgroups run, [x, y] or x alone. */
  readonly workgroups: (sizes: CustomSizes) => number | readonly [x: number, y: number];
  /** Cotangents of the inputs from that of the result, made of ops; null for an input that has none. */
  readonly gradient?: (g: Tensor, inputs: readonly Tensor[], output: Tensor) => readonly (Tensor | null)[];
}

/**
 * Makes an op of your own kernel. Its inputs may be any tensors, views and pending work among them; it runs on this backend alone.
 * @throws ArgumentError for names that WGSL does not take, or a call with another number of inputs; a shader that does not compile
 * rejects the read with your line
 */
export function customKernel(options: CustomKernelOptions): Op<readonly TensorLike[], Tensor> {
  const { name, inputs: names, shape, dtype = 'float32', code, workgroups, gradient } = options;
  const wrong = names.find((each) => !/^[a-z][a-zA-Z0-9]*$/.test(each) || ['put', 'main', 'size'].includes(each));
  if (wrong !== undefined || new Set(names).size < names.length)
    throw new ArgumentError(
      `customKernel: ${name} names its inputs ${names.join(', ')}; use different words of letters and digits, not put, main or size`,
    );
  const op = defineOp({
    name,
    args: (...likes: TensorLike[]) => {
      if (likes.length !== names.length)
        throw new ArgumentError(`${name}: ${likes.length} inputs, wants ${names.length}: ${names.join(', ')}`);
      return [likes, {}];
    },
    shape: (inputs) => ({ shape: shape(inputs.map((input) => input.shape)), dtype }),
    lower: (inputs, _, [output]) => {
      const own = output?.shape ?? [];
      const sizes = { inputs: inputs.map((input) => input.shape), output: own };
      const count = workgroups(sizes);
      return {
        kind: 'custom',
        backend: 'webgpu',
        name,
        code: typeof code === 'string' ? code : code(sizes),
        grid: typeof count === 'number' ? [count, 1] : count,
        shape: own,
        dtype: expr.computeOf(dtype),
        reads: inputs.map((input, i) => ({
          name: names[i] as string,
          shape: input.shape,
          expr: { op: 'read', dtype: expr.computeOf(input.dtype), input: i, moves: [], at: null },
        })),
      };
    },
  });
  if (gradient) {
    op.gradient = ([g], inputs, [y]) => (g ? gradient(g, inputs, y as Tensor) : inputs.map(() => null));
  }
  return op;
}
