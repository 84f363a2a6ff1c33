/** What ops on windows share: sizes along each spatial axis, the windows of a pooling, and its planes. */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { flatten, reshape } from './shape';

/** One number for all spatial axes, or one each. */
export type Sizes = number | readonly number[];

/** One number each of `rank` spatial axes. @throws ArgumentError on another count or numbers below `least`. */
export function perAxis(op: string, what: string, sizes: Sizes, rank: number, least: number): number[] {
  const all = typeof sizes === 'number' ? Array<number>(rank).fill(sizes) : [...sizes];
  if (all.length !== rank || all.some((size) => !Number.isInteger(size) || size < least))
    throw new ArgumentError(
      `${op}: ${what} ${typeof sizes === 'number' ? sizes : `[${sizes}]`}; wants a whole number from ${least}, or ${rank} of them`,
    );
  return all;
}

/** Windows over [batch, …input] giving [batch, …output]; null sizes are carried through. */
export type Windows = {
  readonly input: Shape;
  readonly output: Shape;
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
};
export interface PoolOptions {
  /** Default: kernelSize. */
  readonly stride?: Sizes;
  /** On both sides of each axis, at most half a window. Default 0. */
  readonly padding?: Sizes;
  /** Let a last window hang over the end instead of dropping what it would cover. Default false. */
  readonly ceilMode?: boolean;
}
/** x [N,C,…] or [C,…] with its leading axes as one, and the way back for results. @throws ShapeError on another rank. */
export function pooled(op: string, rank: number, like: TensorLike) {
  const x = toTensor(like, op);
  const axes = ['', 'W', 'H,W', 'D,H,W'][rank];
  if (x.rank !== rank + 2 && x.rank !== rank + 1)
    throw new ShapeError(`${op}: input ${showShape(x.shape)}; wants [N,C,${axes}] or [C,${axes}]`);
  const lead = x.shape.slice(0, -rank);
  const planes = x.rank === rank + 1 ? x : flatten(x, 0, 1);
  const whole = (t: Tensor): Tensor => (x.rank === rank + 1 ? t : reshape(t, [...lead, ...t.shape.slice(1)]));
  return { planes, shape: x.shape, whole };
}

/** Where windows lie over the last `rank` axes. @throws ShapeError where none fits, ArgumentError on padding past half a window. */
export function windowsOf(
  op: string,
  shape: Shape,
  rank: number,
  kernelSize: Sizes,
  options: PoolOptions & { readonly dilation?: Sizes },
): Windows {
  const kernel = perAxis(op, 'kernelSize', kernelSize, rank, 1);
  const stride = perAxis(op, 'stride', options.stride ?? kernel, rank, 1);
  const padding = perAxis(op, 'padding', options.padding ?? 0, rank, 0);
  const dilation = perAxis(op, 'dilation', options.dilation ?? 1, rank, 1);
  const input = shape.slice(-rank);
  const output = input.map((size, i) => {
    const [taps, step, pad] = [kernel[i] as number, stride[i] as number, padding[i] as number];
    if (2 * pad > taps)
      throw new ArgumentError(`${op}: padding ${pad} for windows of ${taps}; wants at most half a window`);
    if (size === null) return null;
    const room = size + 2 * pad - (dilation[i] as number) * (taps - 1) - 1;
    const windows = (options.ceilMode ? Math.ceil : Math.floor)(room / step) + 1;
    // A last window must start inside the input or the padding before it.
    const kept = options.ceilMode && (windows - 1) * step >= size + pad ? windows - 1 : windows;
    if (kept < 1 || (room < 0 && !options.ceilMode))
      throw new ShapeError(
        `${op}: windows [${kernel}] do not fit input ${showShape(shape)} with padding [${padding}]; enlarge the input or lower the window`,
      );
    return kept;
  });
  return { input, output, kernel, stride, padding, dilation };
}
