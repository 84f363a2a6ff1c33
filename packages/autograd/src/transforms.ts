/** Derivatives of functions: grad, valueAndGrad, vjp, jvp, hessianVectorProduct. Each may be taken of any other. */
import { ArgumentError, GradientError, isTensor, State, type Tensor, zerosLike } from '@tessera/tensor';
import { findPath, orZeros, pull, recording, seed } from './path';
import type { Cotangents } from './rules';
import { identity } from './variables';

/** What a gradient is wanted of: a tensor, or a state cell (its present value). */
export type Differentiable = Tensor | State;
/** One tensor or several. */
export type Tensors = Tensor | readonly Tensor[];
/** A tensor for each of `Of`, in the same structure. */
export type Matching<Of, Missing = never> = Of extends readonly unknown[]
  ? { -readonly [Key in keyof Of]: Tensor | Missing }
  : Tensor | Missing;

const listOf = <Value>(one: Value | readonly Value[]): readonly Value[] =>
  Array.isArray(one) ? (one as readonly Value[]) : [one as Value];
const shapedAs = <Of>(of: Of, list: Cotangents): Matching<Of> => (Array.isArray(of) ? list : list[0]) as Matching<Of>;

function checked(op: string, value: unknown): Tensor {
  if (isTensor(value)) return value;
  const saw = value instanceof Promise ? 'a promise (values cannot be read inside f)' : typeof value;
  throw new ArgumentError(`${op}: f gave ${saw}, wants a tensor; return the op's result`);
}

/** @throws ArgumentError for one tensor in the place of a list. */
function wantList(op: string, inputs: unknown): void {
  if (!Array.isArray(inputs))
    throw new ArgumentError(`${op}: inputs is no list; wants tensors in one: ${op}(f, [x], …)`);
}

export interface GradOptions {
  /** Positions of the arguments to differentiate by; default 0. */
  readonly wrt?: number | readonly number[];
}

/**
 * The gradient of f as a function: grad(f)(x) = ∂f/∂x. f gives one element. torch.func.grad
 * `wrt: [0, 2]` gives a list with the gradient by each of these arguments.
 * @throws GradientError, ArgumentError
 */
export function grad<Args extends readonly unknown[], Options extends GradOptions = { wrt: 0 }>(
  f: (...args: Args) => Tensor,
  options?: Options,
): (...args: Args) => Options['wrt'] extends readonly number[] ? Tensor[] : Tensor {
  const { wrt = 0 } = (options ?? {}) as GradOptions;
  return (...args) =>
    recording(() => {
      const variables = new Map<number, Tensor>();
      for (const position of listOf(wrt)) {
        const argument = args[position];
        if (!isTensor(argument))
          throw new ArgumentError(`grad: argument ${position} is ${typeof argument}, wants a tensor`);
        variables.set(position, identity(argument));
      }
      const { grads } = valueAndGrad(
        () => f(...(args.map((argument, i) => variables.get(i) ?? argument) as unknown as Args)),
        [...variables.values()],
      );
      return (
        Array.isArray(wrt) ? wrt.map((position) => grads[[...variables.keys()].indexOf(position)]) : grads[0]
      ) as never;
    });
}

export interface ValueAndGradOptions {
  /** What a wanted tensor that f does not use gets; default 'zeros'. */
  readonly unused?: 'zeros' | 'null';
}
type Missing<Options> = Options extends { readonly unused: 'null' } ? null : never;
type AuxOf<Result> = Result extends readonly [Tensor, infer Aux] ? { readonly aux: Aux } : unknown;

/**
 * f's value, and its gradient by each of `wrt` (tensors or state cells; one, or a list). f gives one element, or
 * [that, aux] to hand out something beside. What f captures and `wrt` does not name is constant. torch.autograd.grad
 * @throws GradientError where f gives more than one element, where something wanted is reached only through an op without a
 *   gradient, or where a rule is missing.
 */
export function valueAndGrad<
  Result extends Tensor | readonly [Tensor, unknown],
  Wanted extends Differentiable | readonly Differentiable[],
  Options extends ValueAndGradOptions = { unused: 'zeros' },
>(
  f: () => Result,
  wrt: Wanted,
  options?: Options,
): { readonly value: Tensor; readonly grads: Matching<Wanted, Missing<Options>> } & AuxOf<Result> {
  const wanted = listOf<Differentiable>(wrt).map((of, i) => {
    if (of instanceof State) return of.read();
    if (isTensor(of)) return of;
    throw new ArgumentError(`valueAndGrad: wrt ${i} is ${typeof of}, wants a tensor or a state`);
  });
  return recording((first) => {
    const result: unknown = f();
    const value = checked('valueAndGrad', Array.isArray(result) ? result[0] : result);
    const found = pull(findPath([value], wanted, first()), [seed('valueAndGrad', value)], 1);
    const grads = shapedAs(wrt, options?.unused === 'null' ? found : orZeros(found, wanted));
    return (Array.isArray(result) ? { value, grads, aux: result[1] } : { value, grads }) as never;
  });
}

/** f's value at the inputs, and the pullback: from cotangents of the value to those of the inputs (zeros where f ignores one). */
export interface Vjp<Value extends Tensors> {
  readonly value: Value;
  readonly pullback: (cotangents: Matching<Value>) => Tensor[];
}

/**
 * Vector-Jacobian products: pullback(u) = uᵀ·∂f/∂x for each input. torch.func.vjp
 * The pullback may be called later and often, and differentiated itself.
 * @throws GradientError as valueAndGrad does; for cotangents of another shape than the value.
 */
export function vjp<Value extends Tensors>(f: (...inputs: Tensor[]) => Value, inputs: readonly Tensor[]): Vjp<Value> {
  wantList('vjp', inputs);
  // variables of their own: a tensor handed in twice is two inputs
  const variables = inputs.map((input) => identity(input));
  const { value, path } = recording((first) => {
    const value = f(...variables);
    const outputs = listOf<Tensor>(value).map((output) => checked('vjp', output));
    return { value, path: findPath(outputs, variables, first()) };
  });
  const pullback = (cotangents: Matching<Value>): Tensor[] => {
    const list = listOf(cotangents as Tensors) as readonly Tensor[];
    if (list.length !== path.outputs.length)
      throw new GradientError(
        `vjp: ${list.length} cotangents for ${path.outputs.length} outputs; hand in one for each`,
      );
    return orZeros(pull(path, list), inputs);
  };
  return { value, pullback };
}

/**
 * Jacobian-vector product: f's value and its derivative along `tangents`, one for each input. torch.func.jvp
 * The pullback is linear in its cotangent u; its own pullback is the product wanted. The graph is lazy, so u costs nothing.
 */
export function jvp<Value extends Tensors>(
  f: (...inputs: Tensor[]) => Value,
  inputs: readonly Tensor[],
  tangents: readonly Tensor[],
): { readonly value: Value; readonly tangent: Matching<Value> } {
  wantList('jvp', inputs);
  if (tangents.length !== inputs.length)
    throw new GradientError(`jvp: ${tangents.length} tangents for ${inputs.length} inputs; hand in one for each`);
  return recording(() => {
    const { value, pullback } = vjp(f, inputs);
    const back = vjp(
      (...u) => pullback(shapedAs(value, u)),
      listOf<Tensor>(value).map((y) => zerosLike(y)),
    );
    return { value, tangent: shapedAs(value, back.pullback([...tangents])) };
  });
}

/**
 * H·v of f at the inputs: for each input Σⱼ ∂²f/∂xᵢ∂xⱼ · vⱼ. f gives one element. torch.autograd.functional.hvp
 * As the pullback of the gradient, at the cost of about two gradients.
 */
export function hessianVectorProduct(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  vectors: readonly Tensor[],
): Tensor[] {
  wantList('hessianVectorProduct', inputs);
  const gradient = (...xs: Tensor[]): Tensor[] => valueAndGrad(() => f(...xs), xs).grads;
  return recording(() => vjp(gradient, inputs).pullback([...vectors]));
}
