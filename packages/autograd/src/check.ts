/** checkGradients: derivatives against finite differences, along random directions, in both modes, to second order. */
import { ArgumentError, add, type Backend, GradientError, mul, runtime, type Tensor, tensor } from '@tessera/tensor';
import { jvp, type Tensors, vjp } from './transforms';

export interface CheckOptions {
  /** Where to compute; it must carry float64: `reference({ dtype: 'float64' })` of @tessera/tensor/reference. */
  readonly backend?: Backend;
  /** Highest derivative to check; default 2. */
  readonly order?: 1 | 2;
  /** Random directions for each order; default 2. */
  readonly directions?: number;
  /** Half the distance of the two values of a finite difference; default 1e-5. */
  readonly step?: number;
  /** Allowed miss, as a part of the largest derivative; default 1e-5. */
  readonly tolerance?: number;
  /** Of the directions; default 0. */
  readonly seed?: number;
}

type Check = Required<Omit<CheckOptions, 'backend' | 'order'>>;

/**
 * Checks f's gradients at `inputs`: along a random direction v the forward mode must give the finite difference
 * (f(x + hv) − f(x − hv)) / 2h in every element, and the reverse mode the same number summed with random u. Then the same
 * for the gradient itself (order 2). Inputs that are no floats are held. Resolves when all is well. torch.autograd.gradcheck
 * @throws GradientError with the first direction that is wrong: order, mode, numbers.
 */
export async function checkGradients(
  f: (...inputs: Tensor[]) => Tensors,
  inputs: readonly Tensor[],
  { backend, order = 2, directions = 2, step = 1e-5, tolerance = 1e-5, seed = 0 }: CheckOptions = {},
): Promise<void> {
  const before = runtime.backend;
  if (backend) runtime.backend = backend;
  try {
    if (!((await add(tensor([1]), 1).data()) instanceof Float64Array))
      throw new ArgumentError(
        'checkGradients: the backend computes in float32, too coarse for finite differences; ' +
          "hand in { backend: reference({ dtype: 'float64' }) } from @tessera/tensor/reference",
      );
    const own = await Promise.all(
      inputs.map(async (x) => tensor(await x.data(), { shape: x.shape as readonly number[], dtype: x.dtype })),
    );
    const varied = own.map((_, i) => i).filter((i) => isFloat(own[i] as Tensor));
    if (varied.length === 0) throw new ArgumentError('checkGradients: no input is a float; gradients need one');
    const g = (...xs: Tensor[]): Tensor[] => {
      const all = [...own];
      varied.forEach((position, i) => {
        all[position] = xs[i] as Tensor;
      });
      const value = f(...all);
      return (Array.isArray(value) ? (value as readonly Tensor[]) : [value as Tensor]).filter(isFloat);
    };
    await check(
      g,
      varied.map((i) => own[i] as Tensor),
      order,
      1,
      { directions, step, tolerance, seed },
    );
  } finally {
    runtime.backend = before;
  }
}

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'float16';

async function check(
  f: (...xs: Tensor[]) => Tensor[],
  xs: readonly Tensor[],
  orders: number,
  order: number,
  how: Check,
): Promise<void> {
  const random = normals(how.seed + order);
  const like = (x: Tensor): Tensor =>
    tensor(Float32Array.from({ length: x.size }, random), { shape: x.shape as readonly number[] });
  const valuesAt = async (h: number, v: readonly Tensor[]): Promise<number[]> =>
    flat(f(...xs.map((x, i) => add(x, mul(v[i] as Tensor, h)))));

  for (let direction = 0; direction < how.directions; direction++) {
    const v = xs.map(like);
    const { value, tangent } = jvp(f, xs, v);
    const { pullback } = vjp(f, xs);
    const u = value.map(like);
    const [ahead, behind, forward, weights, along] = await Promise.all([
      valuesAt(how.step, v),
      valuesAt(-how.step, v),
      flat(tangent),
      flat(u),
      flat(v),
    ]);
    const reverse = dot(await flat(pullback(u)), along);
    const difference = ahead.map((y, i) => (y - (behind[i] as number)) / (2 * how.step));
    // a difference of values of size |f| is uncertain by their rounding, over the step, and by the step itself, squared
    const scale =
      largest(difference) + largest(forward) + 1e-4 * largest(ahead) + (100 * how.step ** 2) / how.tolerance;
    const where = `checkGradients: order ${order}, direction ${direction}`;
    forward.forEach((found, i) => {
      const wanted = difference[i] as number;
      if (!(Math.abs(found - wanted) <= how.tolerance * scale))
        throw new GradientError(
          `${where}, forward mode: the derivative of element ${i} is ${found}, the finite difference ${wanted}`,
        );
    });
    const wanted = dot(weights, difference);
    if (!(Math.abs(reverse - wanted) <= how.tolerance * scale * weights.reduce((sum, w) => sum + Math.abs(w), 1)))
      throw new GradientError(
        `${where}, reverse mode: the gradient along it is ${reverse}, the finite difference ${wanted}`,
      );
  }
  if (order === orders) return;
  const y = f(...xs);
  const gradient = (...all: Tensor[]): Tensor[] => vjp(f, all.slice(0, xs.length)).pullback(all.slice(xs.length));
  await check(gradient, [...xs, ...y.map(like)], orders, order + 1, how);
}

const flat = async (tensors: readonly Tensor[]): Promise<number[]> =>
  (await Promise.all(tensors.map((x) => x.data()))).flatMap((list) => [...list]);

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
const largest = (list: readonly number[]): number => list.reduce((most, x) => Math.max(most, Math.abs(x)), 0);

/** Standard normal numbers, the same for a seed. */
function normals(seed: number): () => number {
  let state = (seed * 0x9e3779b9) >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
