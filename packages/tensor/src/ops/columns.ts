/** Windows of images as columns of a matrix, and back. Composed of moves and of sums over windows; each is the other's gradient. */
import { ShapeError } from '../errors';
import { showShape } from '../op';
import { type Shape, type Tensor, type TensorLike, toTensor } from '../tensor';
import { pad } from './pad';
import { foldWindows, unfold } from './place';
import { permute, reshape, squeeze, unsqueeze } from './shape';
import { narrow, slice } from './slice';
import { perAxis, type Sizes } from './windows';

export interface ColumnOptions {
  /** Distance of a window's taps. Default 1. */
  readonly dilation?: Sizes;
  /** Zeros on both sides of each axis. Default 0. */
  readonly padding?: Sizes;
  /** Distance of windows. Default 1. */
  readonly stride?: Sizes;
}
type Pair = readonly [number, number];
interface Grid {
  readonly kernel: Pair;
  readonly dilation: Pair;
  readonly padding: Pair;
  readonly stride: Pair;
  /** Windows along each axis. */
  readonly windows: Shape;
}
function gridOf(op: string, size: Shape, kernelSize: Sizes, options: ColumnOptions): Grid {
  const pair = (what: string, sizes: Sizes, least: number) => perAxis(op, what, sizes, 2, least) as unknown as Pair;
  const kernel = pair('kernelSize', kernelSize, 1);
  const dilation = pair('dilation', options.dilation ?? 1, 1);
  const padding = pair('padding', options.padding ?? 0, 0);
  const stride = pair('stride', options.stride ?? 1, 1);
  const windows = size.map((own, i) => {
    if (own === null) return null;
    const room = own + 2 * (padding[i] as number) - spanOf(kernel[i] as number, dilation[i] as number);
    if (room < 0)
      throw new ShapeError(
        `${op}: windows [${kernel}] with dilation [${dilation}] do not fit ${showShape(size)} with padding [${padding}]; enlarge the image or lower the window`,
      );
    return Math.floor(room / (stride[i] as number)) + 1;
  });
  return { kernel, dilation, padding, stride, windows };
}
const spanOf = (taps: number, dilation: number): number => dilation * (taps - 1) + 1;
const product = (...sizes: readonly (number | null)[]): number | null =>
  sizes.reduce((n, size) => (n === null || size === null ? null : n * size), 1);

/**
 * The windows of x as columns, rows ordered by channel, row and column of the window. x [N,C,H,W] or [C,H,W], kernelSize R,S →
 * [N, C·R·S, windows]. torch.nn.functional.unfold, under ATen's name, for `unfold` is Tensor.unfold; its
 * transpose is `fold`. @throws ShapeError where no window fits.
 */
export function im2col(x: TensorLike, kernelSize: Sizes, options: ColumnOptions = {}): Tensor {
  const t = toTensor(x, 'im2col');
  if (t.rank === 3) return squeeze(im2col(unsqueeze(t, 0), kernelSize, options), 0);
  if (t.rank !== 4) throw new ShapeError(`im2col: input ${showShape(t.shape)}; wants [N,C,H,W] or [C,H,W]`);
  const { kernel, dilation, padding, stride, windows } = gridOf('im2col', t.shape.slice(2), kernelSize, options);
  const [[top, left], [n, c]] = [padding, t.shape as Pair];
  const edged = top + left ? pad(t, [left, left, top, top]) : t;
  const windowed = ([0, 1] as const).reduce((image: Tensor, i) => {
    const taps = unfold(image, 2 + i, spanOf(kernel[i], dilation[i]), stride[i]);
    return slice(taps, [...taps.shape.slice(1).map(() => null), [null, null, dilation[i]]]);
  }, edged);
  return reshape(permute(windowed, [0, 1, 4, 5, 2, 3]), [n, product(c, ...kernel), product(...windows)]);
}

/**
 * Columns added up where their windows lie: the transpose of im2col, not its inverse. columns [N, C·R·S, windows] or without N,
 * outputSize H,W → [N,C,H,W]. torch.nn.functional.fold (ATen's col2im). @throws ShapeError where the columns are not
 * those of such an image.
 */
export function fold(columns: TensorLike, outputSize: Sizes, kernelSize: Sizes, options: ColumnOptions = {}): Tensor {
  const t = toTensor(columns, 'fold');
  if (t.rank === 2) return squeeze(fold(unsqueeze(t, 0), outputSize, kernelSize, options), 0);
  const size = perAxis('fold', 'outputSize', outputSize, 2, 1);
  const { kernel, dilation, padding, stride, windows } = gridOf('fold', size, kernelSize, options);
  const [n, rows, count] = t.shape as readonly [number | null, number | null, number | null];
  const [taps, wanted] = [kernel[0] * kernel[1], product(...windows)];
  if (t.rank !== 3 || (rows !== null && rows % taps !== 0) || (count !== null && count !== wanted))
    throw new ShapeError(
      `fold: columns ${showShape(t.shape)}; wants [N,C·${taps},${wanted}] for windows [${kernel}] over [${size}]`,
    );
  const apart = reshape(t, [n, rows === null ? null : rows / taps, ...kernel, ...windows]);
  const folded = ([1, 0] as const).reduce(
    (image: Tensor, i) => {
      const spread = dilated(image, dilation[i]);
      return foldWindows(spread, 2 + i, (size[i] as number) + 2 * padding[i], stride[i]);
    },
    permute(apart, [0, 1, 4, 5, 2, 3]),
  );
  const [top, left] = padding;
  return top + left ? pad(folded, [-left, -left, -top, -top]) : folded;
}
/** Zeros between the elements of the last axis. */
function dilated(x: Tensor, dilation: number): Tensor {
  if (dilation === 1) return x;
  const lead = x.shape.slice(0, -1);
  const taps = x.shape[x.rank - 1] as number;
  const spread = reshape(pad(unsqueeze(x, -1), [0, dilation - 1]), [...lead, taps * dilation]);
  return narrow(spread, -1, 0, spanOf(taps, dilation));
}
